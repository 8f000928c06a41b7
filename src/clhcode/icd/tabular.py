"""Reads the official Tabular List (XML of CDC/NCHS, schema `icd-10-cm-tabular`).

Chapters hold sections, sections hold `diag` elements, which nest. A code exists as an
element, or by expansion: where 7th characters are defined on it or on an ancestor, each
of them makes one billable code, placeholder X filling up to six characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree

from clhcode.icd.codes import with_seventh

KINDS = {
    "includes": "includes",
    "inclusionTerm": "inclusion",
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code first",
    "codeAlso": "code also",
    "useAdditionalCode": "use additional",
    "notes": "note",
    "sevenChrNote": "seventh",
}
"""XML element -> kind of instructional note."""

# A patient who died before regaining consciousness has no later encounter: the official
# order file knows these codes with A alone, though the XML defines A, D and S above them.
_INITIAL_ONLY = re.compile(r"death due to .* (?:prior to|before) regaining consciousness")


@dataclass(frozen=True, slots=True)
class Seventh:
    """A 7th character: its letter or digit, its meaning, and what else it includes."""

    char: str
    meaning: str
    also: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the Tabular List.

    Attributes:
        code: `E11.22`; for a section its range (`E08-E13`), for a chapter its number.
        kind: `chapter`, `section` or `code`.
        depth: 0 for a chapter, 1 for a section, 2 for a category.
        billable: Valid for reporting: nothing below it, no 7th character missing.
        instructions: (kind, text) of the notes printed under it, in order.
        sevenths: The definition it holds itself; it holds for all below it until
            another replaces it.
    """

    code: str
    title: str
    kind: str
    depth: int
    billable: bool
    instructions: tuple[tuple[str, str], ...] = ()
    sevenths: tuple[Seventh, ...] = ()


def read_tabular(stream: IO[bytes]) -> tuple[str, list[Entry]]:
    """Reads a whole Tabular List.

    Returns:
        The `version` it names (a fiscal year) and its entries in preorder, so the
        descendants of an entry are those after it with a greater depth.

    Raises:
        ElementTree.ParseError: Not well-formed XML.
    """
    root = ElementTree.parse(stream).getroot()
    version = (root.findtext("version") or "").strip()
    return version, [entry for chapter in root.iter("chapter") for entry in _chapter(chapter)]


def _chapter(chapter: ElementTree.Element) -> Iterator[Entry]:
    yield _entry(chapter, _text(chapter, "name"), "chapter", 0, billable=False)
    for section in chapter.iterfind("section"):
        yield _entry(section, section.get("id", ""), "section", 1, billable=False)
        for diag in section.iterfind("diag"):
            yield from _diag(diag, 2, ())


def _diag(diag: ElementTree.Element, depth: int, above: tuple[Seventh, ...]) -> Iterator[Entry]:
    code, title = _text(diag, "name"), _text(diag, "desc")
    own = _sevenths(diag)
    sevenths = own or above
    below = diag.findall("diag")
    if below:
        yield _entry(diag, code, "code", depth, billable=False, sevenths=own)
        for child in below:
            yield from _diag(child, depth + 1, sevenths)
        return
    if _INITIAL_ONLY.search(title):
        sevenths = tuple(s for s in sevenths if s.char == "A")
    # A code that already has seven characters cannot take another.
    expanded = sevenths if len(code.replace(".", "")) < 7 else ()
    yield _entry(diag, code, "code", depth, billable=not expanded, sevenths=own)
    for seventh in expanded:
        full = with_seventh(code, seventh.char)
        yield Entry(full, f"{title}, {seventh.meaning}", "code", depth + 1, billable=True)


def _entry(
    element: ElementTree.Element,
    code: str,
    kind: str,
    depth: int,
    *,
    billable: bool,
    sevenths: tuple[Seventh, ...] = (),
) -> Entry:
    instructions = tuple(
        (KINDS[group.tag], text)
        for group in element
        if group.tag in KINDS
        for note in group.iterfind("note")
        if (text := _clean(note.text))
    )
    return Entry(code, _text(element, "desc"), kind, depth, billable, instructions, sevenths)


def _sevenths(diag: ElementTree.Element) -> tuple[Seventh, ...]:
    definition = diag.find("sevenChrDef")
    found: list[Seventh] = []
    for element in definition if definition is not None else ():
        text = _clean(element.text)
        if element.tag == "extension":
            found.append(Seventh(element.get("char", ""), text))
        elif found:
            found[-1] = Seventh(found[-1].char, found[-1].meaning, text)
    return tuple(found)


def _text(element: ElementTree.Element, tag: str) -> str:
    return _clean(element.findtext(tag))


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())
