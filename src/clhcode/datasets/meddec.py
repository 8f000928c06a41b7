"""MedDEC 1.0.0: medical decisions in discharge summaries of MIMIC-III.

Layout (PhysioNet `meddec/1.0.0`):

    data/SUBJECT_HADM_ROWID.json   discharge_summary_id, annotations: annotation_id, start_offset,
                                   end_offset, category, decision
    train.txt, val.txt             names of such files, with or without suffix, a line each

All other files are of the test split. Offsets count code points of TEXT in NOTEEVENTS, half-open;
they stand as numbers or as text. The text of a decision may hold raw control characters, which
JSON does not allow.

An encounter is a note. The code is the category as written, without blanks around it (`Category 3:
Defining problem`). Ours: annotations that are still `TBD` or outside their text are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clhcode.datasets.gold import Mention, golden, place
from clhcode.datasets.noteevents import Event, texts
from clhcode.datasets.overlap import with_subjects
from clhcode.datasets.registry import Raw, lacking
from clhcode.datasets.splits import flags_of
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row

SPLITS = ("train", "val")
OPEN = "TBD"


def rows(raw: Raw) -> Iterator[Row]:
    """One encounter a note, by subject, stay and ROW_ID."""
    return with_subjects(list(_rows(raw)))


def _rows(raw: Raw) -> Iterator[Row]:
    files = {_name(path): path for path in sorted(raw.folder.rglob("*_*_*.json"))}
    if not files:
        raise lacking(raw.folder, "`data/SUBJECT_HADM_ROWID.json`")
    splits = _splits(raw.folder)
    notes = texts(raw.others["mimic-iii"], {row for _, _, row in files}, raw.left_out)
    placed = flags_of(raw.others.get("splits"), "meddec")
    for name, path in sorted(files.items()):
        subject, stay, row = name
        event = notes[row]
        if (event.subject.strip(), event.stay.strip().removesuffix(".0")) != (
            str(subject),
            str(stay),
        ):
            raise UserError(
                f"{path}: ROW_ID {row} is of another stay in NOTEEVENTS: is this MIMIC-III 1.4?"
            )
        gold = golden(_mentions(path, event, raw.left_out))
        encounter = Encounter(
            path.stem,
            (Note(str(row), event.text, event.category),),
            dataset="meddec",
            split=splits.get(path.stem, "test"),
            subject_id=str(subject),
            setting="inpatient",
            flags=placed(stay),
        )
        yield Row(encounter, gold)


def _name(path: Path) -> tuple[int, int, int]:
    try:
        subject, stay, row = map(int, path.stem.split("_"))
    except ValueError:
        raise UserError(f"{path}: the name is not SUBJECT_HADM_ROWID.json") from None
    return subject, stay, row


def _splits(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for split in SPLITS:
        lists = sorted(folder.rglob(f"{split}.txt"))
        if not lists:
            raise lacking(folder, f"`{split}.txt`")
        for line in lists[0].read_text("utf-8").split():
            found[Path(line).name.removesuffix(".json")] = split
    return found


def _mentions(
    path: Path, event: Event, left_out: Counter[str]
) -> Iterator[tuple[str, str, Mention]]:
    for one in _annotations(path):
        try:
            begin, end = int(one["start_offset"]), int(one["end_offset"])
            category = str(one["category"]).strip()
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: an annotation lacks offsets or a category") from None
        if category in ("", OPEN):
            left_out["annotations without a category (TBD)"] += 1
        elif not 0 <= begin < end <= len(event.text):
            left_out["annotations outside their text"] += 1
        else:
            yield "meddec", category, [place(0, begin, end)]


def _annotations(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8"), strict=False)["annotations"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: not a MedDEC file (no `annotations` in it)") from None
    return list(found)
