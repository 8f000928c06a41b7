"""clhcode: clinical notes to ICD-10-CM codes, the way professional coders do it."""

__version__ = "0.1.0"
