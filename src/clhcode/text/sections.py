"""Sections of a note, told by their headings.

Which headings mean what is data (`data/headings.tsv`); `=` there marks headings inside a
section, which do not end it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from operator import attrgetter

from clhcode.text.tokens import is_item

BODY = "body"

_LABEL = re.compile(
    r"(?P<mark>[\s>*_#=•●▪·–—-]*(?:\(?\d{1,2}[.)]\s+[*_]*)?)(?P<label>[^\W\d_][^:\n]{0,58}?)"
    r"[\s*_=]*(?P<close>[:.]|\s[-–—](?=\s)|$)(?P<rest>.*)"
)
_INLINE = re.compile(r"(?<=[.;!?]\s)\s*(?P<label>[A-Z][A-Za-z/&() ]{1,40}):(?=\s)")
_ASIDE = re.compile(r"\([^)]*\)")
_WORDS = re.compile(r"[^\W_]+")
_HISTORIES = ("past_history", "surgical_history", "family_history", "social_history")
# Alone on a line under a heading with `history`.
_UNDER_HISTORY = {
    "medical": "past_history",
    "surgical": "surgical_history",
    "family": "family_history",
    "social": "social_history",
}
# Begun beside their heading, they end where prose goes on: `Family history: none.\nHe came ...`
_BRIEF = frozenset({"family_history", "social_history", "surgical_history", "allergies"})
# Lists of problems: an unknown heading in them names one.
_PROBLEMS = frozenset({"assessment_plan", "diagnoses"})
# Unknown labels in them are rows, not new sections.
_ROWS = _PROBLEMS | {"exam", "review_of_systems", "results", "family_history", "medications"}


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a note under one heading.

    Attributes:
        name: Canonical, such as `hpi` or `assessment_plan`; `body` where none is known.
        heading: As it stands in the note, without marks; empty before the first.
        begin: Where its heading begins, in code points.
        end: Where the next section begins, or the end of the note.
    """

    name: str
    heading: str
    begin: int
    end: int


# A note is read by more than one agent.
@lru_cache(maxsize=64)
def sections(text: str) -> tuple[Section, ...]:
    """The sections of a note, in order and without gaps; always at least one."""
    starts = [(0, BODY, "")]
    for begin, name, heading in _headings(text):
        if begin == 0:
            starts.clear()
        starts.append((begin, name, heading))
    return tuple(
        Section(name, heading, begin, end)
        for (begin, name, heading), (end, _, _) in pairwise([*starts, (len(text), "", "")])
    )


def section_at(found: tuple[Section, ...], offset: int) -> Section:
    """The section an offset stands in; the last one for any offset behind the text."""
    return found[max(0, bisect_right(found, offset, key=attrgetter("begin")) - 1)]


def is_heading(label: str) -> bool:
    """Whether words are known as the heading of a section."""
    return _known().get(_key(label), "=") != "="


def _headings(text: str) -> Iterator[tuple[int, str, str]]:
    """Every heading as (offset, canonical name, words), reading the lines in order."""
    lines = text.splitlines(keepends=True)
    current = outer = (BODY, "")
    begin, brief = 0, False
    for line, following in zip(lines, _followers(lines), strict=True):
        found = _opened(line.rstrip(), following, *current)
        if found is None and brief and _prose(line):
            found, brief = outer, False
        if found is not None:
            outer, current = (current if not brief else outer), found
            brief = found[0] in _BRIEF and len(line.strip(" *_\r\n")) > len(found[1]) + 3
            yield begin, *current
        for match in _INLINE.finditer(line):
            name = _known().get(_key(match["label"]))
            # `3. Plan:` has been read as the heading of its line.
            led = any(char.isalpha() for char in line[: match.start("label")])
            if name is not None and name != "=" and led:
                outer, current = (current if not brief else outer), (name, match["label"])
                brief = name in _BRIEF
                yield begin + match.start("label"), *current
        begin += len(line)


def _followers(lines: list[str]) -> list[str]:
    """For each line the next one that is not blank."""
    found = [""]
    for line in reversed(lines[1:]):
        found.append(line if line.strip() else found[-1])
    return found[: len(lines)][::-1]


def _prose(line: str) -> bool:
    """Whether a line reads like a paragraph or a full sentence, not a row of a list."""
    line = line.strip()
    return len(line.split()) > 7 and line[:1].isupper() and line[-1] == "." and ":" not in line


def _opened(line: str, following: str, current: str, under: str) -> tuple[str, str] | None:
    """The section a line opens, as (name, heading), seen from the section it stands in."""
    match = _LABEL.match(line)
    if match is None:
        return None
    label, rest = match["label"].strip(), match["rest"].strip(" *_=")
    key, alone, colon = _key(label), not rest, match["close"] == ":"
    if alone and key in _UNDER_HISTORY and (current in _HISTORIES or "history" in under.lower()):
        return _UNDER_HISTORY[key], label
    name = _known().get(key)
    if name is not None:
        stands = name != "=" and _stands(match, label, alone, current)
        return (name, label) if stands else None
    problem = current in _PROBLEMS and alone and _problem(match, label, following)
    titled = _titled(label, alone, colon, current) and (label.isupper() or not is_item(line))
    if problem or titled:
        return (current if current in _ROWS else BODY), label
    return None


def _stands(match: re.Match[str], label: str, alone: bool, current: str) -> bool:
    """Whether a known heading is one here, and no sentence or row that begins with it."""
    if alone:
        return match["close"] != "." or label.isupper()
    row = any(mark in match["mark"] for mark in "-•●▪·*–") and "**" not in match["mark"]
    if match["close"] == ":":
        return not (row and current in _PROBLEMS) and (label[0].isupper() or len(label) <= 4)
    return match["close"] != "." and label.isupper() and not row


def _problem(match: re.Match[str], label: str, following: str) -> bool:
    short = len(label.split()) <= 8
    listed = is_item(following) and not is_item(match.string)
    return short and (match["close"] == ":" or "#" in match["mark"] or listed)


def _titled(label: str, alone: bool, colon: bool, current: str) -> bool:
    """Whether words we do not know look like a heading: capitals, or short with a colon."""
    words = _WORDS.findall(label)
    # One short word in capitals is a disease as often as a heading: `COPD`, `HIV`.
    loud = label.isupper() and (len(words) > 1 or len(label) > 5 or (colon and len(label) > 3))
    if not alone:
        return loud and colon and current not in _ROWS
    announces = words[-1].lower() in ("following", "follows")
    return (loud and len(words) <= 6) or (
        colon and len(words) <= 4 and label[0].isupper() and not announces
    )


def _key(label: str) -> str:
    words = _WORDS.findall(_ASIDE.sub(" ", label.replace("&", " and ")).lower())
    return " ".join(words)


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    table = files("clhcode.text").joinpath("data", "headings.tsv").read_text(encoding="utf-8")
    return {alias: name for name, alias in (line.split("\t") for line in table.splitlines())}
