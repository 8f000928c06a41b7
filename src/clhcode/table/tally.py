"""What came of rows, counted."""

from __future__ import annotations

from dataclasses import dataclass

from clhcode.table.convert import Row


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of some rows: how many, how many failed, how many questions had no answer."""

    rows: int = 0
    failed: int = 0
    faults: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.failed + other.failed, self.faults + other.faults)


def tally_of(row: Row, stage: str) -> Tally:
    """Whether a row's last stage gave nothing, and how many of its questions had no answer."""
    encounter = row.encounter
    done = encounter.codes if stage == "assign" else encounter.conditions
    internal = any(error.kind == "internal" for error in encounter.errors)
    return Tally(1, int(done is None or internal), len(encounter.errors))
