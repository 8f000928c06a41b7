"""From a disease that is over to the code of its history (`data/history.tsv`)."""

from __future__ import annotations

from functools import cache

from clhcode.icd.store import Node, Store
from clhcode.search.normalise import table


@cache
def _ranges() -> tuple[tuple[str, str, str], ...]:
    return tuple((row[0], row[1], row[2]) for row in table("history.tsv"))


def past(node: Node, store: Store) -> Node | None:
    """The code that reports a condition as over (guideline I.C.21.c.4).

    Returns:
        The node itself where it says so already, as a status or a sequela does; None where
        nobody reports the past, as of a symptom.
    """
    for first, last, history in _ranges():
        if first <= node.code[: len(first)] and node.code[: len(last)] <= last:
            return node if history == "=" else store.node(history)
    return None
