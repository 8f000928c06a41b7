"""The demonstration encounters, which come with the package (layout: `demo.jsonl`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clhcode.datasets.registry import Raw
from clhcode.errors import UserError
from clhcode.table.convert import Row
from clhcode.table.read import read


def demo_file() -> Path:
    """The table in the installed package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    for path in (package / "demo/demo.jsonl", package.parents[1] / "data/demo/demo.jsonl"):
        if path.exists():
            return path
    raise UserError("the demonstration encounters are not in this installation")


def rows(raw: Raw) -> Iterator[Row]:
    """The encounters as they stand; the folder may hold a `demo.jsonl` of its own."""
    own = raw.folder / "demo.jsonl"
    for batch in read(own if own.exists() else demo_file()):
        yield from batch
