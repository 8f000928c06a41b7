"""How far a figure may be from what other encounters would have given.

Encounters are drawn with replacement (Efron and Tibshirani 1993); an interval is from the 2.5th
to the 97.5th percentile of the draws. Two runs are compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clhcode.bench.encode import Problem
from clhcode.bench.metrics import Counts, by_label, by_row, divided, exact, macro

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 1_000
SEED = 20_260
MOST = 300_000_000
"""Additions that macro intervals may cost; a greater problem goes without them."""

Interval = tuple[float, float]


def draws(size: int, count: int = DRAWS, seed: int = SEED) -> Iterator[Floats]:
    """For each draw, how often each encounter is in it."""
    import numpy as np

    chance = np.random.default_rng(seed)
    for _ in range(count):
        drawn = chance.integers(0, size, size)
        yield np.bincount(drawn, minlength=size).astype(float)


def micro_f1s(rows: Counts, count: int = DRAWS) -> Floats:
    """Micro precision, recall and F1 of each draw: an array of shape (count, 3)."""
    import numpy as np

    sums = np.array(
        [(w @ rows.hits, w @ rows.said, w @ rows.there) for w in draws(len(rows.hits), count)]
    )
    hits, said, there = sums.T
    columns = (divided(hits, said), divided(hits, there), divided(2 * hits, said + there))
    return np.stack(columns, axis=1)


def intervals(problem: Problem, count: int = DRAWS) -> dict[str, dict[str, Interval]]:
    """95 % intervals of micro, macro (gold), sample F1 and exact match."""
    import numpy as np

    if not problem.size:
        return {}
    rows = by_row(problem)
    names = ("precision", "recall", "f1")
    found = {"micro": _named(names, micro_f1s(rows, count))}
    if count * len(problem.predicted.rows) < MOST:
        drawn = [macro(by_label(problem, w)) for w in draws(problem.size, count)]
        values = np.array([(s.precision, s.recall, s.f1) for s in drawn])
        found["macro"] = _named(names, values)
    own = divided(2 * rows.hits, rows.said + rows.there)
    same = ((rows.hits == rows.said) & (rows.hits == rows.there)).astype(float)
    means = np.array([(w @ own, w @ same) for w in draws(problem.size, count)]) / problem.size
    found["sample"] = _named(("f1",), means[:, :1])
    found["exact_match"] = _named(("value",), means[:, 1:])
    assert abs(same.mean() - exact(rows)) < 1e-9
    return found


def _named(names: tuple[str, ...], values: Floats) -> dict[str, Interval]:
    import numpy as np

    low, high = np.percentile(values, (2.5, 97.5), axis=0)
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def difference(one: Counts, other: Counts, count: int = DRAWS) -> tuple[float, Interval, float]:
    """Micro-F1 of `other` less that of `one` on the same encounters.

    Returns:
        The difference, its interval, and the two-sided share of draws on the other side of
        zero (a bootstrap p value; 1 where every draw is equal).
    """
    import numpy as np

    whole = [
        divided(2 * c.hits.sum(keepdims=True), (c.said + c.there).sum(keepdims=True))
        for c in (one, other)
    ]
    drawn = micro_f1s(other, count)[:, 2] - micro_f1s(one, count)[:, 2]
    low, high = np.percentile(drawn, (2.5, 97.5))
    beside = min(float((drawn <= 0).mean()), float((drawn >= 0).mean()))
    return float(whole[1][0] - whole[0][0]), (float(low), float(high)), min(1.0, 2 * beside)
