"""Places in a text: where a quote stands, and how to show it."""

from __future__ import annotations

import re

from clhcode.records import FRAGMENTS

# Ways of writing one character that a quote may differ in.
_ALIKE = ("'’‘`´ʼ", '"“”„«»', "-‐‑‒–—−")
_CLASS = {c: "[" + re.escape(group) + "]" for group in _ALIKE for c in group}
_EDGE = " \t\r\n\f\v\u00a0\u202f.,;:!?\"'’‘“”*•·-–—_…()[]{}"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_OPENING = {opening: closing for closing, opening in _BRACKETS.items()}


def locate_quote(text: str, quote: str, after: int = 0) -> tuple[tuple[int, int], ...] | None:
    """Finds where an engine's quote stands in the text.

    Copied words are found first as they are, whole words before parts of words, then with
    blanks, case, quotation marks and dashes folded, then without punctuation at the edges.

    Args:
        text: The note.
        quote: Words of the note; fragments are joined by `records.FRAGMENTS`.
        after: Where to begin; the text before is searched only if nothing follows.

    Returns:
        One half-open span a fragment, in order, or None where the quote does not stand.
    """
    for parts in ([quote], quote.split(FRAGMENTS)):
        for pattern in (_whole, re.escape, _folded, _bare):
            wanted = [pattern(part) for part in parts]
            if not all(part.strip() for part in parts) or not all(wanted):
                continue
            for start in dict.fromkeys((after, 0)):
                if (places := _in_order(text, wanted, start)) is not None:
                    return places
    return None


def trim(text: str, begin: int, end: int) -> tuple[int, int]:
    """The span without blanks and punctuation at its edges; paired brackets stay."""
    while begin < end and text[begin] in _EDGE:
        closing = _OPENING.get(text[begin])
        if closing is not None and closing in text[begin:end]:
            break
        begin += 1
    while begin < end and text[end - 1] in _EDGE:
        opening = _BRACKETS.get(text[end - 1])
        if opening is not None and opening in text[begin:end]:
            break
        end -= 1
    return begin, end


def line_of(text: str, offset: int) -> int:
    """The line an offset stands on, counted from 1."""
    return text.count("\n", 0, offset) + 1


def window(text: str, begin: int, end: int, around: int) -> tuple[int, int]:
    """The span with up to `around` code points of context each side, cut between words."""
    left, right = max(0, begin - around), min(len(text), end + around)
    while 0 < left < begin and text[left - 1].isalnum():
        left += 1
    while end < right < len(text) and text[right].isalnum():
        right -= 1
    return left, right


def _in_order(text: str, wanted: list[str], start: int) -> tuple[tuple[int, int], ...] | None:
    places: list[tuple[int, int]] = []
    for pattern in wanted:
        found = re.compile(pattern).search(text, start)
        if found is None:
            return None
        places.append(found.span())
        start = found.end()
    return tuple(places)


def _whole(part: str) -> str:
    return _bordered(part, re.escape(part))


def _folded(part: str) -> str:
    words = part.split()
    alike = r"\s+".join("".join(_CLASS.get(c, re.escape(c)) for c in word) for word in words)
    return "(?i)" + _bordered(part.strip(), alike) if alike else ""


def _bare(part: str) -> str:
    begin, end = trim(part, 0, len(part))
    return _folded(part[begin:end])


def _bordered(part: str, pattern: str) -> str:
    left = r"(?<!\w)" if part[:1].isalnum() else ""
    right = r"(?!\w)" if part[-1:].isalnum() else ""
    return left + pattern + right
