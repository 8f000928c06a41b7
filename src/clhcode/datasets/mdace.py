"""MDACE: code evidence in notes of MIMIC-III, inpatient and profee charts.

Layout of the annotations (`data` and `splits` of the published repository):

    data/{Inpatient,Profee}/ICD-{10,9}/1.0/HADM-ICD-{10,9}.json
        hadm_id, comment, notes: note_id, category, description, annotations: begin, end, code,
        code_system, description, type
    splits/{Inpatient,Profee}/MDace-ev-{train,val,test}.csv
        hadm_id; no header: the first line is a chart like the others

Layout of the text: see `clhcode.datasets.noteevents`. `note_id` is ROW_ID; offsets count code
points of TEXT as it stands between the quotes, line ends included.

A profee chart shares its stay with an inpatient one, so the kind is part of the encounter's name.
Both code years stand side by side in `gold`, told apart by their system. CPT codes are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clhcode.datasets.gold import Mention, golden, place
from clhcode.datasets.noteevents import Event, texts
from clhcode.datasets.overlap import OVERLAPS, flag, with_subjects
from clhcode.datasets.registry import Raw, lacking
from clhcode.datasets.splits import flags_of
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


def rows(raw: Raw) -> Iterator[Row]:
    """One encounter a chart: inpatient charts first, then profee ones, by number."""
    return with_subjects(list(_rows(raw)))


def _rows(raw: Raw) -> Iterator[Row]:
    folder, left_out = raw.folder, raw.left_out
    charts = {kind: _charts(folder, kind) for kind in _KINDS}
    if not any(charts.values()):
        raise lacking(folder, "`data/Inpatient/ICD-10/1.0/*.json`")
    wanted = {n["note_id"] for c in charts.values() for years in c.values() for n in _notes(years)}
    notes = texts(raw.others["mimic-iii"], wanted, left_out)
    splits = {kind: _splits(folder, kind) for kind in _KINDS}
    placed = flags_of(raw.others.get("splits"), "mdace")
    for kind, other in (("Inpatient", "Profee"), ("Profee", "Inpatient")):
        for number, years in sorted(charts[kind].items()):
            if number not in splits[kind]:
                left_out["charts of no split"] += 1
            split = splits[kind].get(number)
            row = _row(kind, number, years, split=split, texts=notes, left_out=left_out)
            flags = placed(number)
            if number in charts[other]:
                flags = (*flags, flag(OVERLAPS, _KINDS[other][1], splits[other].get(number)))
            yield replace(row, encounter=replace(row.encounter, flags=flags))


def _row(
    kind: str,
    number: int,
    years: list[dict[str, Any]],
    *,
    split: str | None,
    texts: Mapping[int, Event],
    left_out: Counter[str],
) -> Row:
    prefix, dataset, setting = _KINDS[kind]
    name = f"{prefix}-{number}"
    about = {note["note_id"]: note for note in _notes(years)}
    position = {note_id: i for i, note_id in enumerate(about)}
    mentions: list[tuple[str, str, Mention]] = []
    for note in _notes(years):
        text = texts[note["note_id"]].text
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
        Note(str(note_id), texts[note_id].text, note.get("category"))
        for note_id, note in about.items()
    ]
    subject = next((texts[note_id].subject for note_id in about), None)
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
