"""What of a data set is in its raw folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clhcode.download.local import listed
from clhcode.download.pick import ANYWHERE, find
from clhcode.download.record import read_record
from clhcode.download.sources import Source

State = Literal["whole", "partly", "missing"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is there.

    Attributes:
        release: Of what is there, where that is known.
        size: Bytes of the wanted files that are there.
        missing: Files, or patterns of files, that are not.
    """

    state: State
    release: str
    size: int
    missing: tuple[str, ...]


def look(source: Source, folder: Path) -> Shelf:
    """Looks at names and sizes, and reads no file; nothing is asked of a server."""
    record = read_record(folder)
    there = {path: (folder / path).stat().st_size for path in _listed(folder)}
    if record.wanted:
        files = record.files
        missing = tuple(
            p
            for p in record.wanted
            if p not in there or p not in files or there[p] != files[p].size
        )
        present = [p for p in record.wanted if p not in missing]
    else:
        found = find(there, source)
        missing = tuple(pattern.removeprefix(ANYWHERE) for pattern in found.lacking)
        present = list(found.paths)
    if not missing:
        state: State = "whole"
    else:
        state = "partly" if present else "missing"
    return Shelf(state, record.release, sum(there[p] for p in present), missing)


def _listed(folder: Path) -> list[str]:
    return listed(folder) if folder.is_dir() else []
