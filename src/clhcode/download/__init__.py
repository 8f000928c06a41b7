"""Getting published files: addresses, downloads that go on, checks, what is there."""
