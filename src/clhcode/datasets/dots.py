"""Where the dot of a code stands, in files that write codes without."""

from __future__ import annotations

from clhcode.icd.codes import dotted, dotted_9

Form = tuple[str, bool]
"""The version of the classification, `9` or `10`, and whether the code is of a procedure."""

SYSTEMS: dict[Form, str] = {
    ("9", False): "icd9cm",
    ("9", True): "icd9pcs",
    ("10", False): "icd10cm",
    ("10", True): "icd10pcs",
}


def printed(plain: str, form: Form) -> str:
    """The code as its book prints it.

    ICD-9-CM diagnoses have their dot after three characters (`250.00`, `V30.01`), external causes
    after four (`E934.2`), procedures after two (`38.93`); ICD-10-CM after three (`E11.22`);
    ICD-10-PCS has none. A dot that is there already makes no difference.
    """
    code = plain.replace(".", "").strip().upper()
    version, procedure = form
    if version == "10":
        return code if procedure else dotted(code)
    if procedure:
        return code if len(code) <= 2 else f"{code[:2]}.{code[2:]}"
    return dotted_9(code)
