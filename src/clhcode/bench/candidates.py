"""Agents alone: encounters whose candidates are given, so that only verify and assign work."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from clhcode.bench.protocol import gold_codes, gold_spans
from clhcode.errors import UserError
from clhcode.icd.store import Node, Store
from clhcode.records import Candidate, Condition, Span, quoted
from clhcode.table.convert import Row

SOURCE = "given"


def billable(store: Store) -> list[Node]:
    """Every code that may be a negative."""
    return [node for node in store.nodes() if node.billable]


def gold_and(rows: Iterable[Row], count: int, seed: int, store: Store) -> Iterator[Row]:
    """Gold and `count` sampled negatives of each encounter, in an order that tells nothing.

    The sample depends on the seed and the encounter's id alone.
    """
    pool = billable(store)
    for row in rows:
        name = f"{seed}/{row.encounter.encounter_id}"
        chance = random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - a sample
        gold = [node for code in gold_codes(row) if (node := store.node(code))]
        there = {node.code for node in gold}
        negatives = [n for n in chance.sample(pool, count + len(gold)) if n.code not in there]
        nodes = [*gold, *negatives[:count]]
        chance.shuffle(nodes)
        yield _given(row, nodes)


def from_file(path: Path, rows: Iterable[Row], store: Store) -> Iterator[Row]:
    """The codes that another system gave each encounter, best first.

    Args:
        path: Tab or comma separated lines: encounter_id, code; a header is passed over.
        rows: The encounters; one without a line has no candidates.
        store: The release.

    Raises:
        UserError: The file is not there or a line is not of two values.
    """
    wanted = _read(path)
    for row in rows:
        codes = wanted.get(row.encounter.encounter_id, ())
        yield _given(row, [node for code in codes if (node := store.node(code))])


def _read(path: Path) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        values = line.replace("\t", ",").split(",")
        if len(values) < 2:
            raise UserError(f"{path}: line {number}: encounter_id and code are wanted")
        if number > 1 or values[1].strip() != "code":
            found.setdefault(values[0].strip(), []).append(values[1].strip().upper())
    return found


def _given(row: Row, nodes: list[Node]) -> Row:
    """A condition for each candidate; gold that is marked stands where it is marked."""
    places: dict[str, tuple[Span, ...]] = {}
    for code, fragments in gold_spans(row):
        places.setdefault(code, fragments)
    conditions = []
    for node in nodes:
        evidence = places.get(node.code, ())
        quote = quoted(row.encounter.notes, evidence) if evidence else node.title
        candidate = Candidate(node.code, (node.title,), SOURCE, 1.0)
        conditions.append(Condition(quote, evidence, candidates=(candidate,)))
    return replace(row, encounter=replace(row.encounter, conditions=tuple(conditions)))
