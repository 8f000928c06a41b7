"""Tables for the tests: real notes where they are there, the demonstration always."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.conftest import shared

DEMO = Path(__file__).parents[2] / "data" / "demo" / "demo.jsonl"


def demo_rows():
    return [json.loads(line) for line in DEMO.read_text("utf-8").splitlines()]


def real_rows(most=12):
    """A few notes of each real data set, spread over it, as flat rows."""
    texts = sorted(shared("codiesp", "dev", "text_files_en").glob("*.txt"))
    rows = [{"note_id": p.stem, "text": p.read_text("utf-8")} for p in texts[:: len(texts) // most]]
    with shared("aci-bench", "train.csv").open(newline="") as lines:
        notes = [{"note_id": r["encounter_id"], "text": r["note"]} for r in csv.DictReader(lines)]
    return rows + notes[:: max(1, len(notes) // most)]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path):
    """The rows of a Parquet or JSONL table, as dictionaries."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return pq.read_table(path).to_pylist()


def codes(row):
    return [code["code"] for code in row["codes"]]
