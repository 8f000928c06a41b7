"""Long texts in pieces that fit: cut at headings and sentences, overlapping, nothing left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clhcode.text.sections import sections

ELISION = " [...] "
"""Stands where an excerpt leaves text out."""

_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n+")
_SPACE = re.compile(r"\s+")


def windows(text: str, most: int, overlap: int) -> list[tuple[int, int]]:
    """Pieces of at most `most` characters that cover a text.

    A piece ends before a heading where one lies in its second half, else at a sentence's end, else
    at a space, else anywhere. The next begins at most `overlap` characters before, at a
    sentence's beginning where there is one, so that a condition at the seam is whole in one.

    Args:
        text: What is cut.
        most: Characters a piece may hold; at least 2.
        overlap: Characters that two pieces share at most; less than half of `most`.
    """
    if len(text) <= most:
        return [(0, len(text))]
    overlap = min(overlap, most // 2 - 1)
    headings = [section.begin for section in sections(text)]
    sentences = [m.end() for m in _SENTENCE.finditer(text)]
    spaces = [m.end() for m in _SPACE.finditer(text)]
    found: list[tuple[int, int]] = []
    begin = 0
    while len(text) - begin > most:
        least = begin + most // 2
        end = next(
            (
                at
                for borders in (headings, sentences, spaces)
                if (at := _last(borders, least, begin + most)) is not None
            ),
            begin + most,
        )
        found.append((begin, end))
        if end in headings:
            begin = end
            continue
        back = end - overlap
        begin = next(
            (at for at in sentences if back <= at < end),
            next((at for at in spaces if back <= at < end), end),
        )
    return [*found, (begin, len(text))]


def _last(borders: list[int], least: int, most: int) -> int | None:
    return max((at for at in borders if least < at <= most), default=None)


def around(text: str, places: Iterable[tuple[int, int]], most: int) -> str:
    """What stands around some places of a text, at most about `most` characters.

    Pieces begin and end at spaces; where text is left out, `ELISION` stands.
    """
    if len(text) <= most:
        return text
    spans = sorted(places)
    share = max((most - sum(end - begin for begin, end in spans)) // (2 * max(len(spans), 1)), 0)
    pieces: list[tuple[int, int]] = []
    for begin, end in spans:
        left, right = max(begin - share, 0), min(end + share, len(text))
        if left:
            space = _SPACE.search(text, left, begin)
            left = space.end() if space else begin
        if right < len(text):
            right = max((m.start() for m in _SPACE.finditer(text, end, right)), default=end)
        if pieces and left <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(right, pieces[-1][1]))
        else:
            pieces.append((left, right))
    if not pieces:
        return ""
    shown = ELISION.join(text[begin:end] for begin, end in pieces)
    head = ELISION.lstrip() if pieces[0][0] else ""
    tail = ELISION.rstrip() if pieces[-1][1] < len(text) else ""
    return f"{head}{shown}{tail}"
