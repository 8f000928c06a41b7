"""Sets of codes as numbers, so that counting them is arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


def encode(gold: Sequence[Collection[str]], predicted: Sequence[Collection[str]]) -> Problem:
    """Numbers the labels of both sides and finds their common pairs.

    Args:
        gold: Labels of each encounter; repetitions count once.
        predicted: The same, in the same order of encounters.
    """
    import numpy as np
    import pyarrow as pa

    sizes = [np.fromiter(map(len, side), np.int64, len(side)) for side in (gold, predicted)]
    flat = [name for side in (gold, predicted) for labels in side for name in labels]
    coded = pa.array(flat, pa.string()).dictionary_encode()
    found = coded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    number = np.empty(len(found), np.int64)
    number[order] = np.arange(len(found))
    labels = number[coded.indices.to_numpy()]
    width = max(1, len(found))

    def keys(size: Numbers, labels: Numbers) -> Numbers:
        return np.unique(np.repeat(np.arange(len(size)), size) * width + labels)

    border = int(sizes[0].sum())
    there, said = keys(sizes[0], labels[:border]), keys(sizes[1], labels[border:])
    both = np.intersect1d(there, said, assume_unique=True)
    marks = [Marks(k // width, k % width) for k in (there, said, both)]
    return Problem(len(gold), tuple(found[i] for i in order), *marks)
