"""The data sets that can be fetched, and what of them is here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clhcode.cli.console import ACCENT, DIM, console, visible

_MISSING = 3
"""Names of missing files that are shown; of more their number."""


@dataclass(frozen=True, slots=True)
class Line:
    """A data set in the list."""

    name: str
    state: str
    size: str
    licence: str
    missing: str = ""


def show(*, plain: bool) -> None:
    """Prints the list on standard output."""
    from rich.text import Text

    lines = list(_lines())
    out = console(plain=plain)
    name, state, size = (
        max(len(getattr(line, which)) for line in lines) for which in ("name", "state", "size")
    )
    styles = {"missing": DIM, "partly": "bold"}

    def row(*cells: tuple[str, str]) -> None:
        out.print(Text.assemble(*cells), overflow="ellipsis", no_wrap=True)

    title = f"{'data set':<{name}}  {'here':<{state}}  {'size':>{size}}  licence"
    row((title, DIM))
    for line in lines:
        style = styles.get(line.state.split()[0], ACCENT)
        row(
            (f"{line.name:<{name}}  ", ""),
            (f"{line.state:<{state}}", style),
            (f"  {line.size:>{size}}  ", ""),
            (line.licence, DIM),
        )
        if line.missing:
            row((f"{'':<{name}}  missing: {line.missing}", DIM))


def _lines() -> Iterator[Line]:
    from clhcode.datasets.registry import raw
    from clhcode.download.local import amount
    from clhcode.download.shelf import look
    from clhcode.download.sources import SOURCES

    for source in SOURCES.values():
        shelf = look(source, raw(source.name))
        size = f"about {amount(source.size)}" if shelf.state == "missing" else amount(shelf.size)
        state = f"{shelf.state} {shelf.release}".strip() if shelf.size else shelf.state
        # Where nothing is there, everything is missing.
        names = shelf.missing if shelf.state == "partly" else ()
        yield Line(source.name, state, size, source.licence, visible(_some(names)))
    yield _classification()


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MISSING
    return ", ".join(names[:_MISSING]) + (f" and {more:,} more" if more > 0 else "")


def _classification() -> Line:
    """The newest year in the user's data folder, by the kinds of its files."""
    from clhcode.download.local import amount
    from clhcode.download.sources import CLASSIFICATION
    from clhcode.icd.sources import KINDS, fetched

    files = list(fetched())
    years = sorted({file.release for file in files}, reverse=True)
    licence = "US government work"
    if not years:
        return Line(CLASSIFICATION, "missing", "about 25 MB", licence)
    here = {file.kind for file in files if file.release == years[0]}
    lacking = tuple(kind for kind in KINDS if kind not in here)
    state = "partly" if {"tabular", "index"} & set(lacking) else "whole"
    size = amount(sum(file.path.stat().st_size for file in files))
    return Line(CLASSIFICATION, f"{state} {', '.join(years)}", size, licence, _some(lacking))
