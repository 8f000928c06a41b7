"""How ICD-10-CM codes are written, and how notes of the Tabular List cite them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CODE = r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_TYPED = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?\.?-?")
_CITED = re.compile(rf"(?P<first>{_CODE})\.?-?(?:\s*(?:-|to)+\s*(?P<last>{_CODE})(?:\.?-)?)?(?!\w)")
_POSITIONS = {"fifth": 4, "5th": 4, "sixth": 5, "six": 5, "6th": 5, "seventh": 6, "7th": 6}
_AT = re.compile(
    r"with (?P<where>fifth|5th|sixth|six|6th|seventh|7th)(?: (?:or|to) \w+)?[ -]characters?"
    r" \.?(?P<chars>[0-9A-Z][0-9A-Z ,or-]*)"
)
_AFTER_DOT = re.compile(r"with (?P<all>(?:\.[0-9A-Z]+-?(?:\s*(?:,|-|or)\s*)?)+)")
_FINAL = re.compile(r"with final characters? \.?-?(?P<all>[0-9A-Z]+)")


def normal(typed: str) -> str | None:
    """The way a code is printed (`E11.22`), from the way people type it (`e1122`).

    Returns:
        The code with its dot, in capitals, without a trailing `-`; `None` where the text
        does not have the form of a code. Whether the code exists is another question.
    """
    text = typed.strip().upper()
    if not _TYPED.fullmatch(text):
        return None
    return dotted(text.rstrip("-").replace(".", ""))


def dotted(plain: str) -> str:
    """The printed form of a code written without its dot."""
    return plain if len(plain) <= 3 else f"{plain[:3]}.{plain[3:]}"


def dotted_9(plain: str) -> str:
    """The printed form of an ICD-9-CM diagnosis: `250.00`, `V30.01`, and `E934.2` for causes."""
    before = 4 if plain.startswith("E") else 3
    return plain if len(plain) <= before else f"{plain[:before]}.{plain[before:]}"


def with_seventh(code: str, char: str) -> str:
    """The code with its 7th character, places between filled with X (guideline I.A.4, I.A.5)."""
    stem = code.replace(".", "").ljust(6, "X")
    return f"{stem[:3]}.{stem[3:]}{char}"


@dataclass(frozen=True, slots=True)
class Citation:
    """A range of codes that an instructional note names.

    Attributes:
        first: First code of the range.
        last: Last code; equal to `first` for a single code. Each stands for all below it.
        only: A pattern for the digits without the dot, where the note restricts the
            range ("E08-E13 with .44", "V01-V09 with 5th character 2").
    """

    first: str
    last: str
    only: str | None = None


def citations(text: str) -> tuple[Citation, ...]:
    """The codes an instructional note cites.

    A restriction the function does not understand ("with open fracture 7th character")
    makes the whole citation empty: a rule that would say too much is not enforced.
    """
    found = [(m["first"], m["last"] or m["first"]) for m in _CITED.finditer(text)]
    if not found:
        return ()
    only = None
    tail = text[text.rfind("(") :]
    if re.search(r"\bwith\b", tail):
        only = _restriction(tail)
        if only is None:
            return ()
    return tuple(Citation(first, last, only) for first, last in found)


def _restriction(tail: str) -> str | None:
    if at := _AT.search(tail):
        chars = at["chars"].replace("or", " ").strip()
        if re.search(r"[0-9A-Z]{2}", chars):
            return rf".{{{_POSITIONS[at['where']]}}}{re.escape(chars)}.*"
        ranges = "".join(re.findall(r"[0-9A-Z](?:-[0-9A-Z])?", chars))
        first = _POSITIONS[at["where"]]
        # "fifth or sixth character": which of them depends on the length of the stem.
        either = "or" in tail[at.start() : at.start("chars")]
        return rf".{{{first},{first + 1}}}[{ranges}].?" if either else rf".{{{first}}}[{ranges}].*"
    if dots := _AFTER_DOT.search(tail):
        stems = re.findall(r"\.([0-9A-Z]+)", dots["all"])
        return rf".{{3}}(?:{'|'.join(stems)}).*"
    if final := _FINAL.search(tail):
        return rf".*{final['all']}"
    return None
