"""ACI-Bench: visit notes with their dialogue, and expert codes where they lie beside the notes.

Layout (`data/challenge_data` of the published repository):

    train.csv, valid.csv, ..._test1.csv ...   dataset, encounter_id, dialogue, note
    train_metadata.csv ...                    dataset, encounter_id, patient_gender, patient_age ...
    icd10cm_gold.csv                          encounter_id, code

The last is not published with the notes. Encounters without a code in it have no gold.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from clhcode.datasets.gold import golden
from clhcode.datasets.registry import Raw, lacking
from clhcode.errors import UserError
from clhcode.records import Encounter, Note, Sex
from clhcode.table.convert import Row

GOLD = "icd10cm_gold.csv"
_SEXES: dict[str, Sex] = {"male": "male", "female": "female"}


def rows(raw: Raw) -> Iterator[Row]:
    """One encounter a note, in the order of the files."""
    folder, left_out = raw.folder, raw.left_out
    files = [f for f in sorted(folder.glob("*.csv")) if _split(f)]
    if not files:
        raise lacking(folder, "`train.csv` and its like")
    codes: dict[str, list[str]] = {}
    if (folder / GOLD).exists():
        for row in _read(folder / GOLD, "encounter_id", "code"):
            codes.setdefault(row["encounter_id"], []).append(row["code"].strip().upper())
    seen = set()
    for path in files:
        about = {}
        metadata = path.with_name(f"{path.stem}_metadata.csv")
        if metadata.exists():
            about = {row["encounter_id"]: row for row in _read(metadata, "encounter_id")}
        for row in _read(path, "encounter_id", "note"):
            name = row["encounter_id"]
            seen.add(name)
            person = about.get(name, {})
            age = (person.get("patient_age") or "").strip()
            encounter = Encounter(
                name,
                (Note(name, row["note"]),),
                dataset="aci-bench",
                split=_split(path),
                sex=_SEXES.get((person.get("patient_gender") or "").strip().lower()),
                age=int(age) if age.isdigit() else None,
                setting="outpatient",
            )
            gold = golden(("icd10cm", code, []) for code in codes.get(name, ()))
            yield Row(encounter, gold or None)
    strays = len(codes.keys() - seen)
    if strays:
        left_out["coded encounters whose note is not there"] += strays


def add_codes(path: Path, folder: Path) -> str:
    """Puts a file of expert codes where `rows` finds it.

    Returns:
        What was done, for people.

    Raises:
        UserError: It lacks a column, or holds no code.
    """
    rows = [(row["encounter_id"], row["code"]) for row in _read(path, "encounter_id", "code")]
    if not rows:
        raise UserError(f"{path}: no codes in it")
    target = folder / GOLD
    part = target.with_name(f"{GOLD}.part")
    part.write_bytes(path.read_bytes())
    part.replace(target)
    encounters = len({encounter for encounter, _ in rows})
    return f"{len(rows):,} expert codes of {encounters:,} encounters -> {target}"


def _split(path: Path) -> str:
    """`train`, `valid`, `test1` ...; empty for files that hold no notes."""
    match = re.search(r"(train|valid|test\d*)$", path.stem)
    return match[1] if match else ""


def _read(path: Path, *needed: str) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise UserError(f"{path}: no column `{missing[0]}`")
        yield from reader
