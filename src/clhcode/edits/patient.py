"""Edits of the patient: codes that do not go with the sex or age on record."""

from __future__ import annotations

import re
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
# Words of a title that do the same in any other chapter.
_WORDS: dict[Sex, re.Pattern[str]] = {
    "female": re.compile(
        r"\b(female|vagina\w*|vulv\w+|uter(us|i|ine)|ovar(y|ian|ies)|endometri\w+|fallopian"
        r"|cervical dysplasia|placental|gestation|(post)?menopaus\w+|menstrua\w+)\b",
        re.IGNORECASE,
    ),
    "male": re.compile(
        r"\b(male|prostat(e|ic|itis)|testi(s|cles?|cular)|scrot(um|al|i)|penis|penile|balanitis"
        r"|spermatic)\b",
        re.IGNORECASE,
    ),
}
# Where the title speaks of a relative, a mother, a partner or a karyotype instead.
_OF_OTHERS = ("P", "Q56", "Q9", "Y07", "Z38", "Z80", "Z98.87")

_AGES: tuple[tuple[str, str, range, str], ...] = (
    ("O00", "O9A", range(9, 65), "ages 9 to 64"),
    ("Z38", "Z38", range(1), "the birth itself"),
    ("Z00.11", "Z00.11", range(1), "newborns"),
    ("R95", "R95", range(1), "infants"),
    ("Z00.12", "Z00.12", range(18), "children"),
    ("Z68.1", "Z68.4", range(20, 200), "adults of 20 years and more"),
    ("Z68.5", "Z68.5", range(2, 20), "ages 2 to 19"),
)
_AGED = re.compile(r"\b(age-related|senile|presenile|postmenopausal)\b", re.IGNORECASE)
_ADULT = range(15, 200)


def sex_of(node: Node) -> Sex | None:
    """The sex a code is limited to, by its category or else by the words of its title."""
    category = node.code[:3]
    limited = next((sex for first, last, sex in _SEXED if first <= category <= last), None)
    if limited or node.code.startswith(_OF_OTHERS):
        return limited
    said: list[Sex] = [sex for sex, words in _WORDS.items() if words.search(node.title)]
    return said[0] if len(said) == 1 else None


def ages_of(node: Node) -> tuple[range, str] | None:
    """The ages in years a code is meant for, and how to say them."""
    for first, last, ages, words in _AGES:
        if first <= node.code[: len(first)] <= last:
            return ages, words
    return (_ADULT, "ages 15 and above") if _AGED.search(node.title) else None


def _sex(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        sex = sex_of(node)
        if sex and claim.sex and sex != claim.sex:
            message = f"{line.code} is for {sex} patients, this one is {claim.sex}"
            yield Finding("PT101", at, "report", message)


def _age(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        meant = ages_of(node)
        if meant and claim.age is not None and claim.age not in meant[0]:
            message = f"{line.code} is for {meant[1]}, this patient is {claim.age}"
            yield Finding("PT102", at, "report", message)


EDITS = (
    Edit(
        "PT101",
        "sex",
        "I.C.15",
        "The code is limited to one sex by anatomy, by its chapter or by its title. The record "
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
        "I.C.15, I.C.16.a, I.C.21.c",
        "Chapter 15 is for ages 9 to 64; Z38 is reported once, on the record of the birth; "
        "examinations of newborns and children, the BMI of children and of adults and what is "
        "related to age are for those ages. The code is reported and not dropped.",
        _age,
        fires=("Z38.00",),
        passes=("J45.909",),
        patient=(None, 7),
    ),
)
