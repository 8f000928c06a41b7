"""From a file of single notes to encounters.

Flat notes are what people have: one note a row, ids as numbers, codes as a word list.
Consecutive notes of one `encounter_id` make a row; a note without one is its own encounter.
Only one encounter is held, so its notes must stand together; one that comes back after
another is told, since its codes would be those of half an encounter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, bad_row, is_bad, of_dict
from clhcode.table.flat import is_flat
from clhcode.table.plain import WrongError
from clhcode.table.texts import Named

_SHARED = ("dataset", "split", "subject_id", "sex", "age", "setting")


def lift(notes: Iterable[Named], stem: str) -> Iterator[Row]:
    """Rows from flat notes, as a stream.

    Of what describes an encounter (`sex`, `split`, ...) its first known value counts. The
    gold of its notes is joined, each span pointing at its own note. Dicts that are rows of
    the table already go through by themselves.

    A note that cannot be read makes its encounter a bad row (`clhcode.table.convert.is_bad`):
    the codes of what is left would be those of another encounter. One without a name belongs
    to the encounter it stands within, else it is a row of its own.

    Args:
        notes: Pairs of what to call a note in an error and the note.
        stem: Notes without a `note_id` are called `STEM-1`, `STEM-2`, ... by their number.

    Raises:
        UserError: An encounter's notes stand apart.
    """
    closed: set[str] = set()
    held: list[Row] = []
    strays: list[Row] = []
    last: str | None = None
    for number, (where, note) in enumerate(notes, 1):
        key, row = _keyed(where, note, f"{stem}-{number}")
        if key is not None and key == last:
            held += [*strays, row]
            strays = []
            continue
        if last is not None and key is None and is_bad(row):
            strays.append(row)
            continue
        if held:
            yield joined(held)
        yield from strays
        held, strays, last = [row], [], key
        if key in closed:
            raise UserError(
                f"{where}: encounter `{key}` comes back after another:"
                " sort the file so that its notes stand together"
            )
        if key is not None:
            closed.add(key)
    if held:
        yield joined(held)
    yield from strays


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
    errors = tuple(error for row in rows for error in row.encounter.errors)
    return Row(replace(first.encounter, notes=tuple(notes), errors=errors, **shared), gold)


def _keyed(where: str, note: dict[str, Any] | WrongError, name: str) -> tuple[str | None, Row]:
    """The encounter that a note says it belongs to, and the note as a row."""
    if isinstance(note, WrongError):
        return None, bad_row(name, where, note)
    named = not is_flat(note)
    try:
        if named or note.get("note_id") not in (None, ""):
            row = of_dict(note)
        else:
            row = of_dict({**note, "note_id": name})
    except WrongError as wrong:
        own = note.get("encounter_id")
        key = str(own) if isinstance(own, str | int) and own != "" else None
        return (None if named else key), bad_row(key or name, where, wrong)
    blank = named or note.get("encounter_id") in (None, "")
    return (None if blank else row.encounter.encounter_id), row


def _known(name: str, encounters: Iterable[Encounter]) -> Any:
    values = (getattr(encounter, name) for encounter in encounters)
    return next((value for value in values if value is not None), None)


def _moved(mention: dict[str, Any], by: int) -> dict[str, Any]:
    evidence = [
        [{**span, "note": span["note"] + by} for span in spans] for spans in mention["evidence"]
    ]
    return {**mention, "evidence": evidence}
