"""NOTEEVENTS of MIMIC-III 1.4: the notes that several data sets lie over.

Layout (`NOTEEVENTS.csv.gz` or `.csv`), a header and 2,083,180 rows: ROW_ID, SUBJECT_ID, HADM_ID,
CHARTDATE, CHARTTIME, STORETIME, CATEGORY, DESCRIPTION, CGID, ISERROR, TEXT. HADM_ID is empty for
notes outside a stay; ISERROR is `1` where a physician called the note an error. Offsets of others
count code points of TEXT as it stands between the quotes, line ends included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from clhcode.datasets.csvfile import find, rows
from clhcode.errors import UserError


class Event(NamedTuple):
    """A row; dates as written."""

    row_id: str
    subject: str
    stay: str
    date: str
    category: str
    description: str
    error: str
    text: str


COLUMNS = (
    *("ROW_ID", "SUBJECT_ID", "HADM_ID", "CHARTDATE"),
    *("CATEGORY", "DESCRIPTION", "ISERROR", "TEXT"),
)


def events(folder: Path, left_out: Counter[str], option: str = "--mimic-iii") -> Iterator[Event]:
    """Every row, as a stream.

    Raises:
        UserError: The file is missing or damaged.
    """
    path = find(folder, "NOTEEVENTS", option)
    for values in rows(path, COLUMNS, left_out):
        yield Event(*values)


def texts(folder: Path, wanted: Collection[int], left_out: Counter[str]) -> dict[int, Event]:
    """The notes of some ROW_IDs; the file is read no further than the last of them.

    Raises:
        UserError: Some are not there.
    """
    missing = {str(number) for number in wanted}
    found: dict[int, Event] = {}
    if missing:
        for event in events(folder, left_out):
            if event.row_id in missing:
                found[int(event.row_id)] = event
                missing.discard(event.row_id)
                if not missing:
                    break
    if missing:
        raise UserError(
            f"{find(folder, 'NOTEEVENTS', '--mimic-iii')}: {len(missing):,} of {len(wanted):,}"
            f" annotated notes are not there (the first: ROW_ID {min(map(int, missing))})"
        )
    return found
