"""Gold codes as the table holds them: a code, its system, and where its evidence stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from clhcode.table.convert import Row

_LEFT = ")-.,/ \n\t"
_RIGHT = "(-.,/ \n\t"

Place = dict[str, int]
"""`note`, `begin`, `end`."""

Mention = list[Place]
"""One mention: its fragments, in reading order."""


def place(note: int, begin: int, end: int) -> Place:
    """One fragment of a mention."""
    return {"note": note, "begin": begin, "end": end}


def golden(mentions: Iterable[tuple[str, str, Mention]]) -> list[dict[str, Any]]:
    """Codes in the order they first appear, each with its mentions.

    Args:
        mentions: (system, code, fragments); without fragments where no evidence is known.
    """
    found: dict[tuple[str, str], list[Mention]] = {}
    for system, code, fragments in mentions:
        evidence = found.setdefault((system, code), [])
        if fragments and fragments not in evidence:
            evidence.append(fragments)
    return [{"code": c, "system": s, "evidence": e} for (s, c), e in found.items()]


def trimmed_span(text: str, begin: int, end: int) -> tuple[int, int]:
    """A span without blanks and punctuation at its ends, as MDACE's scorer cuts them."""
    words = text[begin:end]
    first = begin + len(words) - len(words.lstrip(_LEFT))
    return first, max(first, end - (len(words) - len(words.rstrip(_RIGHT))))


def trimmed(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with the spans of their gold trimmed; one of nothing else stays as it is."""
    for row in rows:
        gold: Any = row.gold
        texts = [note.text for note in row.encounter.notes]
        yield replace(
            row,
            gold=gold
            and [
                {**one, "evidence": [[_cut(texts, p) for p in m] for m in one["evidence"]]}
                for one in gold
            ],
        )


def _cut(texts: list[str], where: Place) -> Place:
    begin, end = trimmed_span(texts[where["note"]], where["begin"], where["end"])
    return place(where["note"], begin, end) if begin < end else where
