"""Gold codes as the table holds them: a code, its system, and where its evidence stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
