"""Reads the Alphabetic Index (XML of CDC/NCHS, schema `icd10cm-index`) and its references.

Letters hold main terms, main terms hold terms, which nest up to nine levels. A title may
carry nonessential modifiers (`nemod`), words in parentheses that do not affect the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class Term:
    """A main term (level 0) or subterm.

    Attributes:
        number: Position in preorder; `parent` is a number too.
        last: Number of its last subterm, so subterms are a range.
        title: Without nonessential modifiers.
        modifiers: The nonessential modifiers, without parentheses.
        code: As printed, a trailing `-` for "more characters needed" included.
        manifestation: The code in brackets that goes with `code` (guideline I.A.13).
        see: Where the index sends the coder instead.
        see_also: Where it sends the coder when nothing here fits.
    """

    number: int
    parent: int | None
    level: int
    last: int
    title: str
    modifiers: tuple[str, ...] = ()
    code: str | None = None
    manifestation: str | None = None
    see: str | None = None
    see_also: str | None = None


def read_index(stream: IO[bytes]) -> tuple[str, list[Term]]:
    """Reads a whole index: the `version` it names and its terms in preorder.

    The index of diseases and that of external causes have the same form.
    """
    root = ElementTree.parse(stream).getroot()
    return (root.findtext("version") or "").strip(), read_terms(root)[0]


def read_terms(root: ElementTree.Element) -> tuple[list[Term], list[ElementTree.Element]]:
    """The terms below a root in preorder, each with the element it was read from."""
    terms: list[Term] = []
    elements: list[ElementTree.Element] = []
    for letter in root.iterfind("letter"):
        for main in letter.iterfind("mainTerm"):
            _read(main, None, 0, terms, elements)
    return terms, elements


def _read(
    element: ElementTree.Element,
    parent: int | None,
    level: int,
    terms: list[Term],
    elements: list[ElementTree.Element],
) -> None:
    number = len(terms)
    title, modifiers = _title(element.find("title"))
    terms.append(Term(number, parent, level, number, title))
    elements.append(element)
    for child in element.iterfind("term"):
        _read(child, number, level + 1, terms, elements)
    terms[number] = Term(
        number,
        parent,
        level,
        len(terms) - 1,
        title,
        modifiers,
        *(_first(element, tag) for tag in ("code", "manif", "see", "seeAlso")),
    )


def _title(element: ElementTree.Element | None) -> tuple[str, tuple[str, ...]]:
    if element is None:
        return "", ()
    modifiers: list[str] = []
    title = element.text or ""
    for child in element:
        if child.tag == "nemod":
            modifiers += re.findall(r"\(([^()]*)\)", child.text or "")
        title += f" {child.tail or ''}"
    return " ".join(title.split()), tuple(" ".join(m.split()) for m in modifiers)


def _first(element: ElementTree.Element, tag: str) -> str | None:
    return (element.findtext(tag) or "").strip() or None


def alternatives(title: str) -> tuple[str, ...]:
    """The words one title stands for: `Diabetes, diabetic` is looked up under both.

    Parts after a comma are other forms of the lead term when they share its beginning
    (`Abnormal, abnormality`; `Dry, dryness`); otherwise they narrow it (`Fracture, traumatic`).
    """
    head, *rest = (part.strip() for part in title.split(","))
    forms = [part for part in rest if part and _akin(head.lower(), part.lower())]
    return (head, *forms)


def _akin(head: str, part: str) -> bool:
    shared = 4 if " " in head + part else 3
    return part[:shared] == head[:shared]


class References:
    """Resolves "see" and "see also" to the term they name."""

    def __init__(self, terms: list[Term]) -> None:
        self._terms = terms
        self._mains: dict[str, int] = {}
        self._below: dict[int, list[int]] = {}
        self._names: dict[int, dict[str, int]] = {}
        for term in terms:
            if term.parent is not None:
                self._below.setdefault(term.parent, []).append(term.number)
                continue
            for name in (term.title, *alternatives(term.title)):
                self._mains.setdefault(_key(name), term.number)

    def resolve(self, reference: str) -> int | None:
        """The number of the term a reference names, as deep as the index has it.

        Returns:
            `None` where not even the lead term is found, as in "see condition".
        """
        if reference == "condition":
            return None
        parts = [part for part in re.split(r",\s*", reference) if part]
        for size in range(len(parts), 0, -1):
            at = self._mains.get(_key(", ".join(parts[:size])))
            if at is not None:
                return self._descend(at, parts[size:])
        return None

    def _descend(self, at: int, parts: list[str]) -> int:
        while parts:
            for size in range(len(parts), 0, -1):
                wanted = _key(", ".join(parts[:size]))
                below = self._named(at).get(wanted)
                if below is not None:
                    at, parts = below, parts[size:]
                    break
            else:
                return at
        return at

    def _named(self, at: int) -> dict[str, int]:
        """The subterms of a term by every name they have; the first of a name holds it."""
        if at not in self._names:
            names = self._names[at] = {}
            for number in self._below.get(at, ()):
                title = self._terms[number].title
                for name in (title, *alternatives(title)):
                    names.setdefault(_key(name), number)
        return self._names[at]


# "by site" and the like tell the coder to go on below, they name no term.
_NO_TERM = re.compile(r"\(s\)|\([^()]*\)|\b(?:nec|nos)\b|\bby (?:site|type|drug|substance)\b")


def _key(title: str) -> str:
    words = re.sub(r"[^\w'-]+", " ", _NO_TERM.sub(" ", title.lower())).split()
    # References say "Complications" where the main term is "Complication(s)".
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in words)
