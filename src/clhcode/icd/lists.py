"""Reads the official lists: the order file (CMS), and the codes exempt from POA reporting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from clhcode.icd.codes import dotted


@dataclass(frozen=True, slots=True)
class Ordered:
    """A line of the order file: every code of a release, headers included."""

    code: str
    billable: bool
    title: str


def read_order(stream: IO[bytes]) -> Iterator[Ordered]:
    """Reads `icd10cm-order`: number, code, 1 for billable, short and long title in columns."""
    for raw in stream:
        line = raw.decode("utf-8", "replace")
        if line.strip():
            yield Ordered(dotted(line[6:13].strip()), line[14] == "1", line[77:].strip())


def read_exempt(stream: IO[bytes]) -> Iterator[str]:
    """Reads the codes for which no present-on-admission indicator is reported."""
    for raw in stream:
        parts = raw.decode("utf-8", "replace").split("\t")
        if len(parts) > 1 and parts[0].strip().isdigit():
            yield parts[1].strip()
