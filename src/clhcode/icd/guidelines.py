"""The Official Guidelines for Coding and Reporting: their sections, and what of them to quote.

Where the official PDF has not been fetched, a summary of our own serves, under the same
numbers (`conventions.txt`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clhcode.icd.sources import File, digest
from clhcode.icd.store import built, say_on_stderr
from clhcode.records import Setting

FORM = 1
"""Raised whenever the PDF is read otherwise, so that what was kept is read anew."""

OWN = "our own summary"

MOST = 6_000
"""Characters quoted for one condition."""
MOST_OF_SETTING = 12_000
"""Characters quoted for the set of an encounter."""

_OWN = Path(__file__).with_name("conventions.txt")
_MARK = "§ "
_MARKED = re.compile(r"^§ (?P<name>Appendix I|[IV]+(?:\.\w+)*)(?: (?P<title>.*))?$", re.M)
_TYPED = re.compile(
    r"(?P<word>section )?(?P<top>I(?=$|\.[A-C])|III?|IV)(?P<below>\.[A-Z](?:\.\w+)*)?", re.I
)
_CITED = re.compile(
    r"\b([A-Z]\d[0-9A-Z])(?:\.[0-9A-Z]+)?-?(?:\s*(?:-|–|to|through)\s*([A-Z]\d[0-9A-Z]))?"
)

_CHAPTERS = {
    letter: number
    for number, letters in enumerate("AB C D E F G . H I J K L M N O P Q R ST VWXY Z U".split(), 1)
    for letter in letters
}
"""The chapter of a code by its letter; D and H are of two."""
_ELSEWHERE = {"U07.0": 10, "U07.1": 1, "U09": 1}
"""Codes of chapter 22 whose guidelines stand with the diseases they are of."""

_GENERAL = tuple(f"I.B.{number}" for number in (2, 4, 5, 6, 8, 9, 10, 13, 18))
_OF_SETTING: dict[Setting, tuple[str, ...]] = {
    "inpatient": ("II", "III"),
    "outpatient": ("IV",),
}
_FIRST: dict[Setting, tuple[str, ...]] = {
    "inpatient": (
        *("II", "II.A", "II.B", "II.C", "II.G", "II.H", "III", "III.A", "III.B", "III.C"),
        *_GENERAL,
    ),
    "outpatient": (
        *("IV", "IV.A", "IV.D", "IV.E", "IV.F", "IV.G", "IV.H", "IV.I", "IV.J"),
        *_GENERAL,
    ),
}
"""What bears on most sets, and is quoted before the rest where not all can be."""


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered section without the sections below it.

    Attributes:
        name: Its full number, such as `I.C.9.a.2`.
    """

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Guidelines:
    """The guidelines of a release, or our summary of them.

    Every text begins each section with its number and title, marked with `§`.

    Attributes:
        source: Whose words they are: the release, or `OWN`.
    """

    sections: tuple[Section, ...]
    source: str

    def section(self, name: str) -> str | None:
        """A section with all below it, by its number in any way of writing it."""
        wanted = _plain(name)
        found = [each for each in self.sections if _below(_plain(each.name), wanted)]
        return printed(found) if found else None

    def nearest(self, name: str) -> str | None:
        """The number of the innermost section that holds the place of a number."""
        wanted = _plain(name)
        holding = (each.name for each in self.sections if _below(wanted, _plain(each.name)))
        return max(holding, key=len, default=None)

    def chapter(self, code: str, most: int = MOST) -> str:
        """What section I.C says of the code's chapter; empty where it says nothing."""
        return self.chapters((code,), most)

    def chapters(self, codes: Iterable[str], most: int = MOST) -> str:
        """What section I.C says of the codes' chapters.

        Where that is longer than `most` characters, the sections that name a code's
        category are quoted before the others; see `excerpt`.
        """
        given = tuple(codes)
        tops = (f"I.C.{number}" for number in dict.fromkeys(map(chapter_of, given)))
        found = self._under(tops)
        categories = {code[:3] for code in given}
        naming = (s.name for s in found if _cites(f"{s.title} {s.text}", categories))
        return excerpt(printed(found), most, tuple(naming))

    def of_setting(self, setting: Setting, most: int = MOST_OF_SETTING) -> str:
        """The general guidelines, and those on selecting diagnoses in this setting."""
        found = self._under((*_OF_SETTING[setting], "I.B"))
        return excerpt(printed(found), most, _FIRST[setting])

    def _under(self, tops: Iterable[str]) -> list[Section]:
        return [s for top in tops for s in self.sections if _below(s.name, top)]

    def fingerprint(self) -> str:
        """A short hash of the text, for the provenance of a run."""
        return hashlib.sha256(printed(self.sections).encode()).hexdigest()[:10]


def open_guidelines(file: File | None, say: Callable[[str], None] = say_on_stderr) -> Guidelines:
    """The Official Guidelines of a PDF, read once and kept; our summary without one.

    Args:
        file: As `Sources.guidelines` names it.
        say: Told that reading takes a moment.

    Raises:
        UserError: The PDF cannot be read; the message names it.
    """
    if file is None:
        return Guidelines(tuple(parsed(_OWN.read_text("utf-8"))), OWN)

    def make(path: Path) -> None:
        from clhcode.icd.guidelines_pdf import read_guidelines

        say(f"reading the Official Guidelines FY{file.release}, once ...")
        path.write_text(printed(read_guidelines(file)[1]), "utf-8")

    path = built("guidelines.txt", digest((file,), f"guidelines {FORM}"), make)
    sections = tuple(parsed(path.read_text("utf-8")))
    return Guidelines(sections, f"Official Guidelines FY{file.release}")


def section_named(typed: str) -> str | None:
    """The number of a section in what a person typed, if it is one.

    `i.c.9.a.1)` is `I.C.9.a.1`; a top section needs its word (`section II`), since `IV` is
    a term as well.
    """
    text = re.sub(r"[().]+", ".", " ".join(typed.split())).rstrip(".")
    if text.casefold() == "appendix i":
        return "Appendix I"
    found = _TYPED.fullmatch(text)
    if found is None or not (found["word"] or found["below"]):
        return None
    below = found["below"] or ""
    return found["top"].upper() + below[:2].upper() + below[2:].lower()


def chapter_of(code: str) -> int:
    """The number of the chapter whose guidelines hold for a code."""
    for begin, number in _ELSEWHERE.items():
        if code.startswith(begin):
            return number
    if code[0] == "D" and code[1] < "5":
        return 2
    if code[0] == "H" and code[1] < "6":
        return 7
    return _CHAPTERS[code[0]]


def printed(sections: Iterable[Section]) -> str:
    """Sections as one text; `parsed` reads it back."""
    return "\n".join(_block(section) for section in sections)


def parsed(text: str) -> Iterator[Section]:
    """The sections of a text as `printed` writes it."""
    heads = list(_MARKED.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        yield Section(head["name"], head["title"] or "", text[head.end() : end].strip())


def excerpt(text: str, most: int, first: Sequence[str] = ()) -> str:
    """A text of sections cut to `most` characters at the borders of sections.

    A last line names what was left out; it is within `most` unless nothing else is.

    Args:
        text: Sections as `printed` writes them.
        most: Characters that may be quoted.
        first: Numbers of sections that are kept before others.
    """
    if len(text) <= most:
        return text
    sections = tuple(parsed(text))
    kept: set[int] = set()
    rank = {name: place for place, name in enumerate(first)}
    claims = sorted(range(len(sections)), key=lambda n: rank.get(sections[n].name, len(rank)))
    for number in claims:
        if len(_shortened(sections, kept | {number})) <= most:
            kept.add(number)
    return _shortened(sections, kept)


def _shortened(sections: Sequence[Section], kept: set[int]) -> str:
    out = [section.name for n, section in enumerate(sections) if n not in kept]
    stay = [section for n, section in enumerate(sections) if n in kept]
    # Where all of a section is left out, its number stands for those below it.
    gone = {name for name in out if not any(s.name.startswith(f"{name}.") for s in stay)}
    names = [name for name in out if name.rpartition(".")[0] not in gone]
    lines = [printed(stay)] if stay else []
    return "\n".join((*lines, f"Left out for length: {', '.join(names)}"))


def _block(section: Section) -> str:
    head = f"{_MARK}{section.name} {section.title}".rstrip()
    return f"{head}\n{section.text}" if section.text else head


def _cites(text: str, categories: set[str]) -> bool:
    found = [(m[1], m[2] or m[1]) for m in _CITED.finditer(text)]
    return any(first <= category <= last for first, last in found for category in categories)


def _plain(name: str) -> str:
    return name.casefold().removeprefix("section ").strip()


def _below(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}.")
