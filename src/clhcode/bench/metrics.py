"""How good predicted code sets are. Formulas and sources stand in `docs/bench.md`.

A quotient without a denominator counts 0, as scikit-learn has it, except where said otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clhcode.bench.encode import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KS = (5, 8, 15)
"""Where precision and recall at k are read."""


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean (or the mean of such means)."""

    precision: float
    recall: float
    f1: float

    def as_dict(self) -> dict[str, float]:
        """As plain JSON."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True)
class Counts:
    """Hits, predictions and gold, by encounter or by label."""

    hits: Floats
    said: Floats
    there: Floats


def by_row(problem: Problem) -> Counts:
    """Counts of each encounter."""
    import numpy as np

    def count(rows: Any) -> Floats:
        return np.bincount(rows, minlength=problem.size).astype(float)

    return Counts(count(problem.hits.rows), count(problem.predicted.rows), count(problem.gold.rows))


def by_label(problem: Problem, weights: Floats | None = None) -> Counts:
    """Counts of each label; an encounter counts `weights` times."""
    import numpy as np

    def count(marks: Any) -> Floats:
        weight = None if weights is None else weights[marks.rows]
        return np.bincount(marks.labels, weight, len(problem.names)).astype(float)

    return Counts(count(problem.hits), count(problem.predicted), count(problem.gold))


def divided(above: Floats, below: Floats) -> Floats:
    """The quotients, 0 where there is no denominator."""
    import numpy as np

    found: Floats = np.zeros(np.shape(above))
    np.divide(above, below, out=found, where=below > 0)
    return found


def _each(counts: Counts) -> tuple[Floats, Floats, Floats]:
    precision = divided(counts.hits, counts.said)
    recall = divided(counts.hits, counts.there)
    f1 = divided(2 * counts.hits, counts.said + counts.there)
    return precision, recall, f1


def micro(counts: Counts) -> Score:
    """All decisions as one."""
    hits, said, there = (float(c.sum()) for c in (counts.hits, counts.said, counts.there))
    return Score(
        hits / said if said else 0.0,
        hits / there if there else 0.0,
        2 * hits / (said + there) if said + there else 0.0,
    )


def macro(labels: Counts, *, either: bool = False) -> Score:
    """The mean over labels of gold; with `either` over those predicted or gold."""
    chosen = (labels.there > 0) | (labels.said > 0) if either else labels.there > 0
    return _mean(_each(labels), chosen)


def weighted(labels: Counts) -> Score:
    """The mean over labels, each as heavy as it is frequent in gold."""
    total = labels.there.sum()
    if not total:
        return Score(0.0, 0.0, 0.0)
    return Score(*(float((each * labels.there).sum() / total) for each in _each(labels)))


def sample(rows: Counts) -> Score:
    """The mean over encounters of their own precision, recall and F1."""
    return _mean(_each(rows), rows.said >= 0)


def _mean(each: tuple[Floats, Floats, Floats], chosen: Any) -> Score:
    if not chosen.any():
        return Score(0.0, 0.0, 0.0)
    return Score(*(float(values[chosen].mean()) for values in each))


def exact(rows: Counts) -> float:
    """The share of encounters whose set is the gold set, nothing more and nothing less."""
    same = (rows.hits == rows.said) & (rows.hits == rows.there)
    return float(same.mean()) if len(same) else 0.0


def ratio(rows: Counts) -> dict[str, float]:
    """Codes given for each code of gold, and the surplus and lack among them."""
    hits, said, there = (float(c.sum()) for c in (rows.hits, rows.said, rows.there))
    if not there:
        return {"predicted_per_gold": 0.0, "over": 0.0, "under": 0.0}
    return {
        "predicted_per_gold": said / there,
        "over": (said - hits) / there,
        "under": (there - hits) / there,
    }


def effort(
    gold: Sequence[Iterable[str]], predicted: Sequence[Iterable[str]]
) -> list[tuple[int, int, int]]:
    """What a coder has to do: (add, remove, replace by a sibling), for each encounter.

    A wrong code and a missing one of the same category (first three characters) are one
    replacement.
    """
    found = []
    for there, said in zip(gold, predicted, strict=True):
        missing = Counter(code[:3] for code in set(there) - set(said))
        surplus = Counter(code[:3] for code in set(said) - set(there))
        replaced = sum((missing & surplus).values())
        found.append((missing.total() - replaced, surplus.total() - replaced, replaced))
    return found


def ranked(
    gold: Sequence[Iterable[str]], ranking: Sequence[Sequence[str]], ks: Sequence[int] = KS
) -> dict[str, float]:
    """Precision and recall at k, and mean average precision.

    Args:
        gold: Codes of each encounter. Those without gold do not count: nothing can be found.
        ranking: Predicted codes, best first.
        ks: The places to read at.

    Returns:
        `precision_at_K` (hits among the first k, divided by k), `recall_at_K` and `map`: the
        mean over encounters of the precision at each hit, summed and divided by the number
        of gold codes (Manning et al. 2008, 8.4).
    """
    sums: dict[str, float] = {f"{kind}_at_{k}": 0.0 for kind in ("precision", "recall") for k in ks}
    sums["map"] = 0.0
    scored = 0
    for labels, order in zip(gold, ranking, strict=True):
        there = frozenset(labels)
        if not there:
            continue
        scored += 1
        hits, average = 0, 0.0
        at = {}
        for place, code in enumerate(dict.fromkeys(order), 1):
            if code in there:
                hits += 1
                average += hits / place
            at[place] = hits
        sums["map"] += average / len(there)
        for k in ks:
            found = at.get(k, hits)
            sums[f"precision_at_{k}"] += found / k
            sums[f"recall_at_{k}"] += found / len(there)
    return {name: total / scored if scored else 0.0 for name, total in sums.items()}
