"""Edits of the patient: codes that do not go with the sex or age on record."""

from __future__ import annotations

from collections.abc import Iterator

from clhcode.edits.claim import Claim, Edit, Finding
from clhcode.icd.store import Node
from clhcode.records import Sex

# Categories, first and last, that anatomy ties to one sex. Chapter 15 and the sections on
# genital organs say so themselves; the rest is by title.
_SEXED: tuple[tuple[str, str, Sex], ...] = (
    ("C51", "C58", "female"),
    ("C60", "C63", "male"),
    ("D06", "D06", "female"),
    ("D25", "D28", "female"),
    ("D29", "D29", "male"),
    ("N40", "N53", "male"),
    ("N70", "N98", "female"),
    ("O00", "O9A", "female"),
    ("Q50", "Q52", "female"),
    ("Q53", "Q55", "male"),
    ("Z33", "Z34", "female"),
    ("Z36", "Z37", "female"),
    ("Z39", "Z39", "female"),
)
_MATERNITY = ("O00", "O9A")
_MATERNAL_AGES = range(9, 65)


def sex_of(node: Node) -> Sex | None:
    """The sex a code is limited to, by its category."""
    category = node.code[:3]
    return next((sex for first, last, sex in _SEXED if first <= category <= last), None)


def _sex(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        sex = sex_of(node)
        if sex and claim.sex and sex != claim.sex:
            message = f"{line.code} is for {sex} patients, this one is {claim.sex}"
            yield Finding("PT101", at, "report", message)


def _age(claim: Claim) -> Iterator[Finding]:
    if claim.age is None:
        return
    for at, line, node in claim.known:
        category = node.code[:3]
        if _MATERNITY[0] <= category <= _MATERNITY[1] and claim.age not in _MATERNAL_AGES:
            message = f"{line.code} is for ages 9 to 64, this patient is {claim.age}"
            yield Finding("PT102", at, "report", message)
        elif category == "Z38" and claim.age > 0:
            message = f"{line.code} is for the birth itself, this patient is {claim.age}"
            yield Finding("PT102", at, "report", message)


EDITS = (
    Edit(
        "PT101",
        "sex",
        "I.C.15",
        "The code's category is limited to one sex by anatomy or by its chapter. The record "
        "or the code is wrong; records of transgender patients are the exception, so the code "
        "is reported and not dropped.",
        _sex,
        fires=("N40.0",),
        passes=("I10",),
        patient=("female", 70),
    ),
    Edit(
        "PT102",
        "age",
        "I.C.15, I.C.16.a",
        "Chapter 15 is for ages 9 to 64; Z38 is reported once, on the record of the birth.",
        _age,
        fires=("Z38.00",),
        passes=("J45.909",),
        patient=(None, 7),
    ),
)
