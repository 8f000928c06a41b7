"""From one fiscal year's codes to another's, and to the order file of the same year."""

from __future__ import annotations

from collections.abc import Iterable

from clhcode.icd.codes import dotted
from clhcode.icd.lists import read_order
from clhcode.icd.sources import fetched
from clhcode.icd.store import Store


def against_order(year: str, store: Store) -> str | None:
    """How a store compares with the order file of its year; None where there is none."""
    order = next((f for f in fetched() if f.kind == "order" and f.release == year), None)
    if order is None:
        return None
    with order.open() as stream:
        listed = {line.code: line.billable for line in read_order(stream)}
    compiled = {node.code: node.billable for node in store.nodes() if node.kind == "code"}
    if listed == compiled:
        return "the very codes of the order file"
    differing = sorted(
        code for code in listed.keys() | compiled.keys() if listed.get(code) != compiled.get(code)
    )
    return f"{len(differing):,} codes differ from the order file ({', '.join(differing[:3])} ...)"


def heirs(code: str, store: Store) -> tuple[str, ...]:
    """The billable codes that stand for an older billable code in this store's release.

    A code that was divided has become a header, and its heirs are the codes below it
    (`M54.5`: M54.50, M54.51, M54.59). A code that is gone has none.
    """
    node = store.node(dotted(code.replace(".", "").rstrip("X")))
    if node is None:
        return ()
    if node.billable:
        return (node.code,)
    below = (store.by_number(number) for number in range(node.id, node.last + 1))
    return tuple(each.code for each in below if each.billable)


def earlier(code: str, known: Iterable[str]) -> str | None:
    """The older code that this one descends from: itself, or the longest that begins it.

    Args:
        code: A billable code of a newer release.
        known: Codes of the older release, or those of a gold standard.
    """
    older = known if isinstance(known, frozenset) else set(known)
    for size in range(len(code), 2, -1):
        stem = code[:size].rstrip(".")
        if stem in older:
            return stem
    return None
