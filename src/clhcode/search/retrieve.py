"""Which entries a phrase is offered: by words, by vectors, or by both fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from clhcode.search.find import Finder, Match

Retrieving = Literal["lexical", "dense", "hybrid"]
RETRIEVERS: tuple[Retrieving, ...] = get_args(Retrieving)

K = 60
"""The constant of reciprocal rank fusion, as its paper has it."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked up.

    Attributes:
        phrase: A condition in words.
        context: The sentence it stands in, which tells what its abbreviations mean.
    """

    phrase: str
    context: str = ""


class Retriever(Protocol):
    """Whatever ranks codes. All queries of an encounter come at once."""

    def search(self, queries: Sequence[Query], most: int) -> list[tuple[Match, ...]]:
        """For each query its codes, best first, `most` of them."""
        ...


@dataclass(frozen=True, slots=True)
class Lexical:
    """The dictionary of wordings, then shared words (see `Finder.find`)."""

    finder: Finder
    widen: bool = False

    def search(self, queries: Sequence[Query], most: int) -> list[tuple[Match, ...]]:
        return [self.finder.find(q.phrase, most, q.context, widen=self.widen) for q in queries]


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Two rankings as one, by reciprocal rank fusion."""

    lexical: Retriever
    dense: Retriever

    def search(self, queries: Sequence[Query], most: int) -> list[tuple[Match, ...]]:
        both = (self.lexical.search(queries, most), self.dense.search(queries, most))
        return [fused(rankings, most) for rankings in zip(*both, strict=True)]


def fused(rankings: Sequence[Sequence[Match]], most: int) -> tuple[Match, ...]:
    """Reciprocal rank fusion of rankings of codes.

    Each ranking gives a code 1 / (60 + rank); the sum over all, as a share of what the first of
    every ranking gets, is the score. Of each code the match that stands higher is kept; the
    earlier ranking wins a tie.

    Source:
        Cormack, Clarke and Buettcher (2009), Reciprocal rank fusion outperforms Condorcet and
        individual rank learning methods, SIGIR.
    """
    total: dict[str, float] = {}
    best: dict[str, tuple[int, Match]] = {}
    for ranking in rankings:
        for rank, match in enumerate(ranking, 1):
            code = match.node.code
            total[code] = total.get(code, 0.0) + 1 / (K + rank)
            if code not in best or rank < best[code][0]:
                best[code] = (rank, match)
    highest = len(rankings) / (K + 1)
    # Codes stand in the order they were met, so that a tie is the earlier ranking's.
    order = sorted(total, key=lambda code: -round(total[code], 9))
    scored = (replace(best[c][1], score=round(total[c] / highest, 4)) for c in order[:most])
    return tuple(scored)
