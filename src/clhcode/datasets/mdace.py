"""MDACE: code evidence in notes of MIMIC-III, inpatient and profee charts.

Layout of the annotations (`data` and `splits` of the published repository):

    data/{Inpatient,Profee}/ICD-{10,9}/1.0/HADM-ICD-{10,9}.json
        hadm_id, comment, notes: note_id, category, description, annotations: begin, end, code,
        code_system, description, type
    splits/{Inpatient,Profee}/MDace-ev-{train,val,test}.csv
        hadm_id; no header: the first line is a chart like the others

Layout of the text (MIMIC-III 1.4, `NOTEEVENTS.csv` or `.csv.gz`): ROW_ID, SUBJECT_ID, HADM_ID,
CHARTDATE, CHARTTIME, STOREDATE, CATEGORY, DESCRIPTION, CGID, ISERROR, TEXT. `note_id` is ROW_ID;
offsets count code points of TEXT as it stands between the quotes, line ends included.

A profee chart shares its stay with an inpatient one, so the kind is part of the encounter's name.
Both code years stand side by side in `gold`, told apart by their system. CPT codes are left out.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clhcode.datasets.gold import Mention, golden, place
from clhcode.datasets.registry import lacking
from clhcode.errors import UserError
from clhcode.records import Encounter, Note, Setting
from clhcode.table.convert import Row

SPLITS = ("train", "val", "test")
SYSTEMS = {
    "ICD-10-CM": "icd10cm",
    "ICD-10-PCS": "icd10pcs",
    "ICD-9-CM": "icd9cm",
    "ICD-9-PCS": "icd9pcs",
}
_KINDS: dict[str, tuple[str, str, Setting | None]] = {
    "Inpatient": ("inpatient", "mdace", "inpatient"),
    # A professional bills for services in and out of hospital: the chart does not say which.
    "Profee": ("profee", "mdace-profee", None),
}


def rows(folder: Path, others: Mapping[str, Path], left_out: Counter[str]) -> Iterator[Row]:
    """One encounter a chart: inpatient charts first, then profee ones, by number."""
    charts = {kind: _charts(folder, kind) for kind in _KINDS}
    if not any(charts.values()):
        raise lacking(folder, "`data/Inpatient/ICD-10/1.0/*.json`")
    wanted = {n["note_id"] for c in charts.values() for years in c.values() for n in _notes(years)}
    source = _noteevents(others["mimic-iii"])
    texts = _texts(source, wanted)
    absent = sorted(wanted - texts.keys())
    if absent:
        raise UserError(
            f"{source}: {len(absent):,} of {len(wanted):,} annotated notes are not there"
            f" (the first: ROW_ID {absent[0]})"
        )
    for kind in _KINDS:
        splits = _splits(folder, kind)
        for number, years in sorted(charts[kind].items()):
            if number not in splits:
                left_out["charts of no split"] += 1
            split = splits.get(number)
            yield _row(kind, number, years, split=split, texts=texts, left_out=left_out)


def _row(
    kind: str,
    number: int,
    years: list[dict[str, Any]],
    *,
    split: str | None,
    texts: Mapping[int, tuple[str, str]],
    left_out: Counter[str],
) -> Row:
    prefix, dataset, setting = _KINDS[kind]
    name = f"{prefix}-{number}"
    about = {note["note_id"]: note for note in _notes(years)}
    position = {note_id: i for i, note_id in enumerate(about)}
    mentions: list[tuple[str, str, Mention]] = []
    for note in _notes(years):
        text = texts[note["note_id"]][1]
        for one in note["annotations"]:
            system = SYSTEMS.get(one["code_system"])
            if system is None:
                left_out[f"{one['code_system']} annotations"] += 1
                continue
            begin, end = one["begin"], one["end"]
            if not 0 <= begin < end <= len(text):
                raise UserError(
                    f"{name}: an annotation at {begin}-{end} of note {note['note_id']},"
                    f" which has {len(text):,} characters: is this MIMIC-III 1.4?"
                )
            where = place(position[note["note_id"]], begin, end)
            mentions.append((system, one["code"], [where]))
    notes = [
        Note(str(note_id), texts[note_id][1], note.get("category"))
        for note_id, note in about.items()
    ]
    subject = next((texts[note_id][0] for note_id in about), None)
    encounter = Encounter(
        name,
        tuple(notes),
        dataset=dataset,
        split=split,
        subject_id=subject,
        setting=setting,
    )
    return Row(encounter, golden(mentions))


def _notes(years: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for year in years:
        yield from year["notes"]


def _charts(folder: Path, kind: str) -> dict[int, list[dict[str, Any]]]:
    """hadm_id -> its annotations, those of ICD-10 before those of ICD-9."""
    found: dict[int, list[dict[str, Any]]] = {}
    for year in ("ICD-10", "ICD-9"):
        for path in sorted((folder / "data" / kind / year).glob("*/*.json")):
            try:
                chart = json.loads(path.read_text("utf-8"))
                found.setdefault(int(chart["hadm_id"]), []).append(chart)
            except (ValueError, KeyError, TypeError):
                raise UserError(f"{path}: not an MDACE chart") from None
    return found


def _splits(folder: Path, kind: str) -> dict[int, str]:
    found = {}
    for split in SPLITS:
        path = folder / "splits" / kind / f"MDace-ev-{split}.csv"
        if path.exists():
            for line in path.read_text("utf-8").split():
                found[int(line)] = split
    return found


def _noteevents(folder: Path) -> Path:
    for root in (folder, *sorted(folder.glob("*/")), *sorted(folder.glob("*/*/"))):
        for path in sorted(root.glob("*.csv*")):
            if path.name.lower() in ("noteevents.csv", "noteevents.csv.gz"):
                return path
    raise UserError(f"{folder}: no NOTEEVENTS.csv or NOTEEVENTS.csv.gz here")


def _texts(path: Path, wanted: set[int]) -> dict[int, tuple[str, str]]:
    """ROW_ID -> (SUBJECT_ID, TEXT) of the notes wanted; the file is read as a stream."""
    csv.field_size_limit(sys.maxsize)
    found: dict[int, tuple[str, str]] = {}
    opener = gzip.open if path.suffix == ".gz" else open
    row = 0
    try:
        # The csv module must see the line ends inside quotes as they are.
        with opener(path, "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = [name.upper() for name in next(reader, [])]
            columns = [names.index(name) for name in ("ROW_ID", "SUBJECT_ID", "TEXT")]
            for values in reader:
                row += 1
                number, subject, text = (values[i] for i in columns)
                if int(number) in wanted:
                    found[int(number)] = (subject, text)
                    if len(found) == len(wanted):
                        break
    except UnicodeDecodeError:
        raise UserError(f"{path}: row {row + 1}: not UTF-8") from None
    except (ValueError, IndexError, csv.Error, EOFError, OSError) as error:
        reason = "a column ROW_ID, SUBJECT_ID or TEXT is missing" if row == 0 else str(error)
        raise UserError(f"{path}: row {row + 1}: {reason}") from None
    return found
