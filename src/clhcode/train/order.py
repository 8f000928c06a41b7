"""The order in which examples are learned from: drawn, with those of about one length together.

A batch is as wide as its longest row. Of paths of the index in batches of 24, drawn at random, half
of what a step computes is padding.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

POOL = 50
"""Batches that rows are drawn for together, and then sorted into by length."""


def order(lengths: Sequence[int], batch: int, seed: int) -> list[int]:
    """Each row once, slices of `batch` rows being of about one length; the slices are in no order.

    Args:
        lengths: Of each row, in tokens.
        batch: Rows of a batch.
        seed: Of the draw.

    Returns:
        Places in `lengths`. Where rows do not fill the last batch, it stands last.
    """
    draw = random.Random(seed)  # noqa: S311
    drawn = list(range(len(lengths)))
    draw.shuffle(drawn)
    # What fills no batch is set apart before lengths are looked at, or it would be of the longest.
    whole = len(drawn) // batch * batch
    batches: list[list[int]] = []
    for begin in range(0, whole, POOL * batch):
        pool = drawn[begin : min(begin + POOL * batch, whole)]
        pool.sort(key=lengths.__getitem__)
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    draw.shuffle(batches)
    return [row for rows in batches for row in rows] + drawn[whole:]


class Alike:
    """A sampler of `order`, drawn anew for each epoch.

    It keeps no state but the epoch, so that a run that goes on sees what it would have seen.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = lengths, batch, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Told by the trainer as an epoch begins."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(order(self._lengths, self._batch, hash((self._seed, self._epoch))))

    def __len__(self) -> int:
        return len(self._lengths)
