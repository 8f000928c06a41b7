"""Rows, and their plain and Arrow forms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.records import Encounter, Failure
from clhcode.table.flat import nested
from clhcode.table.plain import WrongError, member, to_plain
from clhcode.table.schema import COLUMNS, KEYS, schema

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        encounter: All that agents may see.
        gold: The mentions as plain lists and dicts, passed by untouched; `None` if unknown.
    """

    encounter: Encounter
    gold: object | None = None


_TO_PLAIN = [(c.name, to_plain(c.shape)) for c in COLUMNS]
_OF_PLAIN = [member(c) for c in COLUMNS]


def to_dict(row: Row) -> dict[str, Any]:
    """A row as plain JSON types, every key of the schema present.

    Scores are the shortest decimals that are the same float32.
    """
    encounter = row.encounter
    return {
        name: plain(row.gold if name == "gold" else getattr(encounter, name))
        for name, plain in _TO_PLAIN
    }


def from_dict(values: dict[str, Any], where: str) -> Row:
    """A row from plain JSON types.

    Optional keys may be left out or null, and keys the table does not know are ignored. A
    dict with `text` and no `notes` is one flat note (see `clhcode.table.lift`).

    Args:
        values: The row.
        where: What to call it in an error, such as `notes.jsonl: line 3`.

    Raises:
        UserError: A key is missing or its value is of the wrong kind.
    """
    try:
        return of_dict(values)
    except WrongError as wrong:
        raise UserError(f"{where}: {wrong}") from None


def of_dict(values: dict[str, Any]) -> Row:
    """As `from_dict`, but raises `WrongError`."""
    values = nested(values)
    return _row([get(values) for get in _OF_PLAIN])


def bad_row(encounter_id: str, where: str, wrong: WrongError) -> Row:
    """What stands in the table for a row that could not be read: its name and the reason."""
    failure = Failure("read", "bad-row", f"{where}: {wrong}")
    return Row(Encounter(encounter_id, (), errors=(failure,)))


def is_bad(row: Row) -> bool:
    """Whether a row, or a note of it, could not be read; such a row is never coded."""
    return any(error.stage == "read" for error in row.encounter.errors)


def to_batch(rows: Iterable[Row]) -> pa.RecordBatch:
    """Rows as one Arrow record batch under the schema."""
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([to_dict(row) for row in rows], schema=schema())


def from_batch(batch: pa.RecordBatch, where: str = "table") -> list[Row]:
    """The rows of an Arrow record batch.

    Columns may be missing or of a compatible other type; columns the table does not know
    are ignored.

    Args:
        batch: The rows, as columns.
        where: What to call the batch in an error.

    Raises:
        UserError: A column is of the wrong kind or holds a value that does not fit.
    """
    try:
        return of_batch(batch)
    except WrongError as wrong:
        raise UserError(f"{where}: {wrong}") from None


def of_batch(batch: pa.RecordBatch) -> list[Row]:
    """As `from_batch`, but raises `WrongError`."""
    import pyarrow as pa

    from clhcode.table.columns import decode_field

    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    absent = pa.nulls(batch.num_rows)
    columns = [decode_field(c, there.get(c.name, absent)) for c in COLUMNS]
    return [_row(values) for values in zip(*columns, strict=True)]


def _row(values: Iterable[Any]) -> Row:
    named = dict(zip(KEYS, values, strict=True))
    gold = named.pop("gold")
    return Row(Encounter(**named), gold)
