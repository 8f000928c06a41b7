"""What a file was found to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from clhcode.table.convert import Row


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read, and how.

    Attributes:
        name: What to call the input in errors.
        stem: What the ids of notes without one begin with.
        text_column: The column of the text, in a table of single notes.
        budget: About how many bytes to hold at a time.
    """

    name: str
    stem: str
    text_column: str
    budget: int


@dataclass(frozen=True, slots=True)
class Found:
    """The content of an input, not yet cut into lists.

    Attributes:
        groups: The rows. A list of rows never reaches from one group into the next.
        runs: The configurations of the runs behind the rows, by run id.
        left: The names of what the input holds and the table does not.
    """

    groups: Iterator[Iterable[Row]]
    runs: dict[str, Any] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def cut(rows: Iterable[Row], budget: int) -> Iterator[list[Row]]:
    """Lists of rows of at most `budget` bytes, at least one row each.

    Where the cuts fall depends on the rows and the budget alone.
    """
    held: list[Row] = []
    room = budget
    for row in rows:
        size = weight(row)
        if held and size > room:
            yield held
            held, room = [], budget
        held.append(row)
        room -= size
    if held:
        yield held


def weight(row: Row) -> int:
    """About how many bytes a row takes: its text, and what the stages have written."""
    encounter = row.encounter
    conditions = encounter.conditions or ()
    found = len(conditions) + sum(len(c.candidates or ()) for c in conditions)
    said = sum(_bytes(t.question) + _bytes(t.answer) for t in encounter.transcript or ())
    return sum(_bytes(note.text) for note in encounter.notes) + said + 512 * found


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
