"""Sets of codes as numbers, so that counting them is arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Marks:
    """Who was given which label: two columns, each pair once, ordered by row and label.

    Attributes:
        rows: Number of the encounter, from 0.
        labels: Number of the label.
    """

    rows: Numbers
    labels: Numbers


@dataclass(frozen=True, slots=True)
class Problem:
    """Gold and predicted label sets of the same encounters.

    Attributes:
        size: How many encounters there are; those without any label count, too.
        names: The labels by number, in order.
        hits: The pairs that stand in both.
    """

    size: int
    names: tuple[str, ...]
    gold: Marks
    predicted: Marks
    hits: Marks


def encode(gold: Sequence[Iterable[str]], predicted: Sequence[Iterable[str]]) -> Problem:
    """Numbers the labels of both sides and finds their common pairs.

    Args:
        gold: Labels of each encounter; repetitions count once.
        predicted: The same, in the same order of encounters.
    """
    import numpy as np

    names = sorted({name for side in (gold, predicted) for labels in side for name in labels})
    number = {name: i for i, name in enumerate(names)}
    width = max(1, len(names))

    def keys(side: Sequence[Iterable[str]]) -> Numbers:
        flat = [row * width + number[name] for row, labels in enumerate(side) for name in labels]
        return np.unique(np.array(flat, dtype=np.int64))

    there, said = keys(gold), keys(predicted)
    both = np.intersect1d(there, said, assume_unique=True)
    marks = [Marks(k // width, k % width) for k in (there, said, both)]
    return Problem(len(gold), tuple(names), *marks)
