"""`clh table`: the flat view of a table, for people and spreadsheets."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clhcode.cli.options import Examples, released
from clhcode.records import Encounter

if TYPE_CHECKING:
    from clhcode.icd.store import Store

VIEWS = {
    "codes": ("encounter_id", "sequence", "code", "title", "quotes", "rationale"),
    "candidates": (
        "encounter_id", "condition", "quote", "assertion", "code", "score", "verdict", "path",
    ),
    "dropped": ("encounter_id", "code", "title", "edit", "because_of", "quotes"),
}  # fmt: skip


@click.command(
    cls=Examples,
    examples=(
        "clh table codes.parquet --of codes",
        "clh table codes.parquet --of dropped > dropped.csv",
    ),
)
@click.argument("file", metavar="FILE|-")
@click.option(
    "--of", "view", type=click.Choice(tuple(VIEWS)), default="codes", show_default=True,
    help="What to list.",
)  # fmt: skip
@click.option(
    "--format", "format_", type=click.Choice(("text", "csv", "tsv")),
    help="Text on a terminal, CSV elsewhere, unless said otherwise.",
)  # fmt: skip
@released
@click.option("--plain", is_flag=True, help="No colours.")
def table(file: str, view: str, format_: str | None, *, release: str | None, plain: bool) -> None:
    """Show the codes, candidates or dropped codes of a table, flat.

    One line a code; `quotes` are words of the notes.
    """
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store
    from clhcode.table.read import read

    store, _ = open_store(choose(release=release))
    source = read("-" if file == "-" else Path(file))
    rows = (
        line for batch in source for row in batch for line in _LINES[view](row.encounter, store)
    )
    format_ = format_ or ("text" if sys.stdout.isatty() else "csv")
    if format_ != "text":
        out = csv.writer(
            sys.stdout, delimiter="\t" if format_ == "tsv" else ",", lineterminator="\n"
        )
        out.writerow(VIEWS[view])
        out.writerows(rows)
        return
    _print(VIEWS[view], rows, plain=plain)


_FIXED = {
    "encounter_id": 16, "sequence": 3, "code": 9, "condition": 3, "assertion": 9, "score": 5,
    "verdict": 11, "edit": 10, "because_of": 9,
}  # fmt: skip
"""Columns of columns that have a size of their own; the others share what is left."""
_SHORT = {"encounter_id": "encounter", "sequence": "#", "condition": "#", "because_of": "for"}


def _print(names: tuple[str, ...], rows: Iterable[tuple[object, ...]], *, plain: bool) -> None:
    """Prints the rows as they come, each cut to its line."""
    from rich.cells import set_cell_size
    from rich.text import Text

    from clhcode.cli.console import DIM, console, visible

    out = console(plain=plain)
    free = out.width - sum(_FIXED.get(name, 0) + 2 for name in names)
    shared = max(8, free // sum(name not in _FIXED for name in names))
    widths = [_FIXED.get(name, shared) for name in names]

    def cell(value: object, width: int) -> str:
        text = visible(" ".join(str(value).split()))
        return text if len(text) <= width else set_cell_size(text, width - 1) + "…"

    def line(values: Iterable[object]) -> str:
        cells = (cell(v, w).ljust(w) for v, w in zip(values, widths, strict=True))
        return "  ".join(cells).rstrip()

    out.print(Text(line(_SHORT.get(name, name) for name in names), style=DIM), no_wrap=True)
    for row in rows:
        out.print(Text(line(row)), no_wrap=True, overflow="ellipsis")


def _quotes(encounter: Encounter, conditions: tuple[int, ...]) -> str:
    known = encounter.conditions or ()
    return "; ".join(dict.fromkeys(known[i].quote for i in conditions if i < len(known)))


def _title(code: str, store: Store) -> str:
    node = store.node(code)
    return node.title if node else ""


def _codes(encounter: Encounter, store: Store) -> Iterator[tuple[object, ...]]:
    for code in encounter.codes or ():
        quotes = _quotes(encounter, code.conditions)
        title = _title(code.code, store)
        yield encounter.encounter_id, code.sequence, code.code, title, quotes, code.rationale


def _candidates(encounter: Encounter, store: Store) -> Iterator[tuple[object, ...]]:
    for number, condition in enumerate(encounter.conditions or ()):
        for c in condition.candidates or ():
            path, score = " > ".join(c.path), f"{c.score:.3f}"
            begin = (encounter.encounter_id, number, condition.quote, condition.assertion)
            yield *begin, c.code, score, c.verdict or "", path


def _dropped(encounter: Encounter, store: Store) -> Iterator[tuple[object, ...]]:
    for d in encounter.dropped or ():
        quotes, title = _quotes(encounter, d.conditions), _title(d.code, store)
        yield encounter.encounter_id, d.code, title, d.edit, d.because_of or "", quotes


_LINES = {"codes": _codes, "candidates": _candidates, "dropped": _dropped}
