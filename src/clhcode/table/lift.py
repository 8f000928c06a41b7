"""From a file of single notes to encounters.

Flat notes are what people have: one note a row, ids as numbers, codes as a word list.
Consecutive notes of one `encounter_id` make a row; a note without one is its own encounter.
Only one encounter is held, so its notes must stand together; one that comes back after
another is told, since its codes would be those of half an encounter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, from_dict
from clhcode.table.flat import is_flat

_SHARED = ("dataset", "split", "subject_id", "sex", "age", "setting")


def lift(notes: Iterable[tuple[str, dict[str, Any]]], stem: str) -> Iterator[Row]:
    """Rows from flat notes, as a stream.

    Of what describes an encounter (`sex`, `split`, ...) its first known value counts. The
    gold of its notes is joined, each span pointing at its own note. Dicts that are rows of
    the table already go through by themselves.

    Args:
        notes: Pairs of what to call a note in an error and the note.
        stem: Notes without a `note_id` are called `STEM-1`, `STEM-2`, ... by their number.

    Raises:
        UserError: A value is of the wrong kind, or an encounter's notes stand apart.
    """
    closed: set[str] = set()
    keyed = (_keyed(number, where, note, stem) for number, (where, note) in enumerate(notes, 1))
    for key, group in groupby(keyed, key=lambda item: item[0]):
        members = list(group)
        if isinstance(key, str):
            if key in closed:
                raise UserError(
                    f"{members[0][2]}: encounter `{key}` comes back after another:"
                    " sort the file so that its notes stand together"
                )
            closed.add(key)
        yield joined([row for _, row, _ in members])


def joined(rows: list[Row]) -> Row:
    """One row of the rows of an encounter, in order."""
    first = rows[0]
    if len(rows) == 1:
        return first
    notes: list[Note] = []
    gold: list[Any] | None = None
    for row in rows:
        if isinstance(row.gold, list):
            gold = (gold or []) + [_moved(mention, len(notes)) for mention in row.gold]
        notes += row.encounter.notes
    shared = {name: _known(name, (row.encounter for row in rows)) for name in _SHARED}
    return Row(replace(first.encounter, notes=tuple(notes), **shared), gold)


def _keyed(number: int, where: str, note: dict[str, Any], stem: str) -> tuple[object, Row, str]:
    key: object = None
    if is_flat(note):
        key = note.get("encounter_id")
        if note.get("note_id") in (None, ""):
            note = {**note, "note_id": f"{stem}-{number}"}
    row = from_dict(note, where)
    # A fresh object equals nothing, so it keeps its row apart.
    return (object() if key in (None, "") else row.encounter.encounter_id), row, where


def _known(name: str, encounters: Iterable[Encounter]) -> Any:
    values = (getattr(encounter, name) for encounter in encounters)
    return next((value for value in values if value is not None), None)


def _moved(mention: dict[str, Any], by: int) -> dict[str, Any]:
    evidence = [
        [{**span, "note": span["note"] + by} for span in spans] for spans in mention["evidence"]
    ]
    return {**mention, "evidence": evidence}
