"""Reads the Official Guidelines from their PDF: pages to lines, lines to numbered sections.

The headings of the PDF bear only the last part of their number ("a.", "1)"). What a line is
follows from the numbers before it: a heading is the next of its kind, or the first one below.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from clhcode.errors import UserError
from clhcode.icd.guidelines import Section
from clhcode.icd.sources import File

_RUNNING = re.compile(
    r"(?:(?:ICD-10-CM Official Guidelines for Coding and Reporting|FY ?\d{4}|Page \d+ of \d+)\s*)+"
)
"""What stands at the head or foot of every page."""
_BEGIN = re.compile(r"Section I\.\s+Conventions")
_SECTION = re.compile(r"Section (I{1,3}|IV)\.\s+([A-Z].*)")
_APPENDIX = re.compile(r"Appendix I(?:[.:]?\s+(Present.*))?")
_REFERRING = re.compile(r"(?:\b(?:see|also|to|in|of|and|or|with|under|per|the)|[,(])$", re.I)
"""The end of a line after which `Section II. ...` is a reference and no heading."""
_KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<label>[A-Z])\.\s+(?P<title>[^a-z\s].*)",
        r"(?P<label>\d{1,2})\.\s+(?P<title>[^a-z\s].*)",
        r"(?P<label>[a-z])\.\s+(?P<title>[^a-z\s].*)",
        r"(?P<label>\d{1,2})\)\s*(?P<title>\S.*)",
        r"\((?P<label>[a-z])\)\s*(?P<title>\S.*)",
        r"\((?P<label>[ivx]+)\)\s*(?P<title>\S.*)",
    )
)
"""Headings below a section, from the outside in."""
_CHAPTER = re.compile(r"Chapter (\d+)\b")
_ALONE = re.compile(r"(?:[A-Za-z]|\d{1,2})\.|\d{1,2}\)|\((?:[a-z]|[ivx]+)\)")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_UNENDED = re.compile(r"(?:,|/|\b(?:and|or|of|the|for|with|in|to))$")
_FULL, _FEW = 60, 25
"""Characters of a line that may have been wrapped, and of the rest of a heading."""
_ENDED = re.compile(r"[.:;!?)\]\"”]$")
_GOING_ON = re.compile(r"[a-z]|\([A-Z]\d")
_BULLET = re.compile(r"[•▪\uf0b7]|o\s+[A-Z]")
_BROKEN = re.compile(r"\b([A-Za-z]+)-$")
_WORD = re.compile(r"[a-z]+")


def read_guidelines(file: File) -> tuple[str, tuple[Section, ...]]:
    """The fiscal year that the PDF names (empty where none), and its sections in order.

    There are no sections in a PDF that is not the Official Guidelines.

    Raises:
        UserError: The file is no readable PDF.
    """
    pages = _pages(file)
    year = re.search(r"FY ?(20\d\d)", " ".join(pages[:2]))
    return (year[1] if year else ""), tuple(outline(body(pages)))


def _pages(file: File) -> list[str]:
    from pypdf import PdfReader

    # What is odd in a file is pypdf's to mend; what it cannot mend is told below, in one line.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        with file.open() as stream:
            return [page.extract_text() for page in PdfReader(stream).pages]
    except Exception as error:
        # A damaged file can make any part of the reader fail, each in its own way.
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UserError(f"{file.path}: not a readable PDF ({why})") from error


def body(pages: Iterable[str]) -> list[str]:
    """The lines from Section I on, without running heads and the table of contents."""
    lines = [line for page in pages for line in _printed(page)]
    begins = [number for number, line in enumerate(lines) if _BEGIN.match(line)]
    # The table of contents names Section I, too; the text itself is the last to begin with it.
    return list(_labelled(lines[begins[-1] :])) if begins else []


def _printed(page: str) -> list[str]:
    lines = [" ".join(line.split()) for line in page.splitlines()]
    while lines and _edge(lines[0]):
        del lines[0]
    while lines and _edge(lines[-1]):
        del lines[-1]
    return lines


def _edge(line: str) -> bool:
    return not line or _RUNNING.fullmatch(line) is not None


def _labelled(lines: Iterable[str]) -> Iterator[str]:
    """The lines, a number that was set apart from its heading put before it again."""
    label = ""
    for line in lines:
        if label and line:
            yield f"{label} {line}"
            label = ""
        elif not label and _ALONE.fullmatch(line):
            label = line
        elif not label:
            yield line
    if label:
        yield label


@dataclass(slots=True)
class _Open:
    """A section that is being read.

    Attributes:
        width: Characters of its heading's first line.
    """

    name: str
    title: str
    width: int
    lines: list[str] = field(default_factory=list)


def outline(lines: Sequence[str]) -> Iterator[Section]:
    """Sections by their full numbers, each with what stands before the next heading."""
    whole = {word for line in lines for word in _WORD.findall(line.lower())}
    path: list[tuple[int, str]] = []
    open_: _Open | None = None
    titling = False
    before = ""
    for line in lines:
        if heading := _heading(line, before, path):
            if open_:
                yield _closed(open_, whole)
            depth, label, title = heading
            path = [step for step in path if step[0] < depth] + [(depth, label)]
            name = ".".join(step[1] for step in path)
            open_, titling, before = _Open(name, title, len(line)), True, ""
        elif open_ and titling and line and _continues(open_, line):
            open_.title = f"{open_.title} {line}".strip()
        elif open_:
            titling = titling and not line
            open_.lines.append(line)
            before = line or before
    if open_:
        yield _closed(open_, whole)


def _heading(line: str, before: str, path: list[tuple[int, str]]) -> tuple[int, str, str] | None:
    """Depth, label and title, where a line is the heading that may come next."""
    section = path[0][1] if path else ""
    if not _REFERRING.search(before):
        order = ("", "I", "II", "III", "IV")
        found = _SECTION.fullmatch(line)
        if found and section in order[:-1] and found[1] == order[order.index(section) + 1]:
            return 0, found[1], found[2]
        if section == "IV" and (appendix := _APPENDIX.fullmatch(line)):
            return 0, "Appendix I", appendix[1] or ""
    if section in ("", "Appendix I"):
        return None
    for depth, kind in enumerate(_KINDS, 1):
        item = kind.fullmatch(line)
        if depth == 1 and len(before) > _FULL and not _ENDED.search(before):
            # "vitamin" and on the next line "C. It ..." is no section C.
            continue
        if item and _follows(depth, item["label"], item["title"], path):
            return depth, item["label"], item["title"]
    return None


def _follows(depth: int, label: str, title: str, path: list[tuple[int, str]]) -> bool:
    """Whether a label is the next of its kind where we are, or the first of a deeper one."""
    if depth == 2 and path[:2] == [(0, "I"), (1, "C")]:
        chapter = _CHAPTER.match(title)
        last = next((int(each) for level, each in path if level == depth), 0)
        return chapter is not None and chapter[1] == label and int(label) > last
    number = _ordinal(label, depth)
    last_here = next((_ordinal(each, depth) for level, each in path if level == depth), None)
    if last_here is not None:
        return number == last_here + 1
    return number == 1 and depth > path[-1][0]


def _ordinal(label: str, depth: int) -> int:
    if label.isdigit():
        return int(label)
    if depth == len(_KINDS):
        return _ROMAN.index(label) + 1 if label in _ROMAN else 0
    return ord(label.lower()) - ord("a") + 1


def _continues(section: _Open, line: str) -> bool:
    """Whether a line is the rest of a heading that was too long for its own."""
    if not section.title or _UNENDED.search(section.title) or _GOING_ON.match(line):
        return True
    return section.width > _FULL and len(line) < _FEW and not _ENDED.search(line)


def _closed(section: _Open, whole: set[str]) -> Section:
    return Section(section.name, section.title.rstrip(":"), _flowing(section.lines, whole))


def _flowing(lines: Iterable[str], whole: set[str]) -> str:
    """Lines as paragraphs. A word broken at its hyphen is joined if it occurs unbroken."""
    parts: list[str] = []
    before = ""
    for line in lines:
        if not line or _BULLET.match(line):
            parts.append("\n")
        elif before.endswith("\u00ad") or _joined(before, line, whole):
            parts[-1] = before[:-1]
        elif before and (not before.endswith("-") or before.endswith(" -")):
            parts.append(" ")
        if line:
            parts.append(line)
        before = line
    return re.sub(r" *\n\s*", "\n", "".join(parts)).strip()


def _joined(before: str, line: str, whole: set[str]) -> bool:
    """Whether the hyphen at the end of a line only breaks a word that has none."""
    broken, rest = _BROKEN.search(before), _WORD.match(line.lower())
    return bool(broken and rest and f"{broken[1].lower()}{rest[0]}" in whole)
