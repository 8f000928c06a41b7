"""Words, sentences and clauses of a clinical note, as offsets in code points."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_WORD = r"[^\W_]+(?:(?:[\u0300-\u036f]|['’](?=[^\W_]))[^\W_]*)*"
TOKEN = rf"\d+(?:\.\d+)+|{_WORD}"
"""What a token looks like, as a regular expression."""

_TOKEN = re.compile(TOKEN)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_ITEM = re.compile(r"\s*(?:[-–—*•·●▪◦#>+]|\(?\d{1,2}[.)](?!\d)|[A-Za-z][.)]\s)")
# A question mark after a blank doubts what follows: `? appendicitis`.
_END = re.compile(r"(?!(?<!\S)\?\s)[.!?]{1,4}[\"'’”)\]]*(?=\s|$)")
_LAST_WORD = re.compile(r"[^\W_](?:[^\W_]|\.(?=[^\W_]))*$")
_CLAUSE = re.compile(
    r";|\s[-–—]{1,2}\s|\b(?:but(?!\s(?:is\s|are\s)?not\slimited)|however|although|though|whereas|nevertheless|except|excepting"
    r"|aside\sfrom|apart\sfrom|other\sthan|besides)\b",
    re.IGNORECASE,
)

WRAPPED = 60
"""A line longer than this, in columns, may have been broken by the editor, not the writer."""

ENDLESS = 2_000
"""Characters of a sentence after which it is cut at the next comma or blank."""

# Always followed by the rest of their sentence.
_LEADING = frozenset(
    "dr drs mr mrs ms prof st vs e.g i.e approx ca cf fig figs incl esp resp viz ref".split()
)
# May close a sentence, so what follows decides.
_CLOSING = frozenset("etc al hrs hr min mins wt ht temp no dept jr sr bilat ext".split())
# A letter after these is a type, not somebody's initial: `hepatitis C. He ...`.
_TYPED = frozenset("hepatitis vitamin type group class stage grade child influenza factor".split())
# No sentence ends in these.
_UNFINISHED = frozenset(
    "a an the of and or no not with without for to in on at by from as his her their its my our "
    "is are was were has have had been be denies dr mr mrs ms".split()
)


# A named tuple and no dataclass: a note has hundreds, and these are made three times as fast.
class Token(NamedTuple):
    """A word or number: `source[begin:end] == text`."""

    text: str
    begin: int
    end: int


def tokenise(text: str, begin: int = 0, end: int | None = None) -> list[Token]:
    """Words and numbers of `text[begin:end]` in reading order; punctuation makes no token.

    Hyphens and slashes part words; `T2DM`, `B12` and `Crohn's` stay whole, `7.9` keeps its
    decimals.
    """
    last = len(text) if end is None else end
    return [Token(m[0], m.start(), m.end()) for m in matches(text, begin, last)]


def matches(text: str, begin: int, end: int) -> list[re.Match[str]]:
    """The same tokens as they were matched: cheaper where most are never looked at again."""
    return list(_TOKEN.finditer(text, begin, end))


# A note is read by one agent after another; the last few are kept.
@lru_cache(maxsize=64)
def sentences(text: str) -> list[tuple[int, int]]:
    """Sentences as half-open spans without surrounding blanks, in reading order.

    A line is a sentence of its own unless it reads like hard-wrapped prose; semicolons and
    decimals end none. None is longer than `ENDLESS`.
    """
    return [
        piece
        for begin, end in _blocks(text)
        for span in _split(text, begin, end)
        for piece in _short(text, *span)
    ]


def sentence_span(text: str, offset: int) -> tuple[int, int]:
    """The span of the sentence that an offset stands in; empty between sentences."""
    spans = sentences(text)
    at = bisect_right(spans, (offset, len(text))) - 1
    begin, end = spans[at] if at >= 0 else (0, 0)
    return (begin, end) if begin <= offset < end else (offset, offset)


def sentence_at(text: str, offset: int) -> str:
    """The words of that sentence."""
    begin, end = sentence_span(text, offset)
    return text[begin:end]


def clauses(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Parts of `text[begin:end]` between which a claim does not carry over.

    Each begins with the word that sets it off (`but`, `except`, ...); together they tile it.
    """
    cuts = [m.start() for m in _CLAUSE.finditer(text, begin, end) if m.start() > begin]
    return list(zip([begin, *cuts], [*cuts, end], strict=True)) if begin < end else []


def is_item(line: str) -> bool:
    """Whether a line starts with a bullet or a list number."""
    return _ITEM.match(line) is not None


def _short(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence in pieces of bearable length: what is longer has lost its borders."""
    while end - begin > ENDLESS:
        cut = max(text.rfind(", ", begin, begin + ENDLESS), begin)
        cut = cut if cut > begin else text.rfind(" ", begin, begin + ENDLESS)
        cut = cut + 1 if cut > begin else begin + ENDLESS
        yield from _trimmed(text, begin, cut)
        begin = cut
    yield from _trimmed(text, begin, end)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Lines, those joined that an editor has wrapped."""
    begin, last = 0, ""
    for match in _LINE.finditer(text):
        line = match[0].rstrip()
        if last and not _continues(last, line):
            yield begin, match.start()
            last = ""
        if not last:
            begin = match.start()
        last = line if line.strip() else ""
    if last:
        yield begin, len(text)


def _continues(line: str, following: str) -> bool:
    if not following.strip() or is_item(following) or line[-1] in ".!?:":
        return False
    if following.endswith(":") and len(following) < WRAPPED:
        return False
    first = following.lstrip()[0]
    if len(line) > WRAPPED:
        return first.islower() or first.isdigit() or first == "(" or _unfinished(line)
    return first.islower() and _unfinished(line)


def _unfinished(line: str) -> bool:
    word = _LAST_WORD.search(line[-20:])
    return line.endswith(",") or (word is not None and word[0].lower() in _UNFINISHED)


def _split(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _END.finditer(text, begin, end):
        if _ends(text, begin, match.start(), match.end(), end):
            yield from _trimmed(text, begin, match.end())
            begin = match.end()
    yield from _trimmed(text, begin, end)


def _ends(text: str, begin: int, stop: int, after: int, end: int) -> bool:
    """Whether the punctuation at `text[stop:after]` ends the sentence from `begin`."""
    found = _LAST_WORD.search(text, max(begin, stop - 30), stop)
    following = text[after : min(after + 20, end)].lstrip()
    if found is None or text[stop] != "." or not following:
        return True
    word, lower = found[0], found[0].lower()
    before = text[begin : found.start()].split()
    if lower in _LEADING:
        return False
    if not before or not any(c.isalnum() for c in "".join(before)):
        # `1. Hypertension`, `A. Diabetes`, `S. aureus`
        return not (word.isdigit() or len(word) == 1)
    if lower in _CLOSING or "." in word[1:]:
        # A decimal such as `7.9` ends its sentence; `b.i.d.` only before a capital.
        return word[-1].isdigit() or following[0].isupper()
    if len(word) == 1 and word.isalpha():
        return before[-1].lower() in _TYPED and following[0].isupper()
    return True


def _trimmed(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    body = text[begin:end]
    size = len(body.strip())
    if size:
        begin += len(body) - len(body.lstrip())
        yield begin, begin + size
