"""MDACE over a NOTEEVENTS file whose text is known at every span."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from noteevents import write

MDACE = Path(__file__).parents[4] / "shared/data/mdace"
pytestmark = pytest.mark.skipif(not MDACE.is_dir(), reason="the annotations are not here")


def clh(*arguments, cwd):
    command = [sys.executable, "-m", "clhcode", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The texts written, and the rows and card that came of them."""
    folder = tmp_path_factory.mktemp("mdace")
    (folder / "mimic").mkdir()
    texts = write(MDACE, folder / "mimic", zipped=True)
    done = clh("prepare", "mdace", "--from", MDACE, "--mimic-iii", "mimic", cwd=folder)
    assert done.returncode == 0, done.stderr
    table = folder / "data/mdace/prepared/mdace.parquet"
    card = json.loads(table.with_suffix(".card.json").read_bytes())
    return texts, pq.read_table(table).to_pylist(), card


def test_every_chart_is_a_row(made):
    _, rows, card = made
    kinds = Counter(row["dataset"] for row in rows)
    assert kinds == {"mdace": 302, "mdace-profee": 52}
    inpatient = Counter(row["split"] for row in rows if row["dataset"] == "mdace")
    assert inpatient == {"train": 181, "val": 60, "test": 61}
    profee = Counter(row["split"] for row in rows if row["dataset"] == "mdace-profee")
    assert profee == {"train": 31, "val": 10, "test": 11}
    assert len({row["encounter_id"] for row in rows}) == card["encounters"] == 354
    assert {row["encounter_id"] for row in rows if row["dataset"] == "mdace"} >= {
        "inpatient-100197",  # the first line of the train file, which has no header
        "inpatient-106851",
        "inpatient-102763",
    }


def test_notes_of_an_encounter_stand_in_one_row(made):
    texts, rows, _ = made
    assert sum(len(row["notes"]) for row in rows if row["dataset"] == "mdace") == 604
    assert sum(len(row["notes"]) for row in rows if row["dataset"] == "mdace-profee") == 588
    for row in rows:
        for note in row["notes"]:
            assert note["text"] == texts[int(note["note_id"])]


def test_every_span_reads_its_own_words(made):
    texts, rows, _ = made
    wanted = Counter()
    for path in MDACE.glob("data/*/*/*/*.json"):
        chart = json.loads(path.read_text())
        name = f"{path.parts[-4].lower()}-{chart['hadm_id']}"
        for note in chart["notes"]:
            for a in note["annotations"]:
                if a["code_system"] != "CPT":
                    said = texts[note["note_id"]][a["begin"] : a["end"]]
                    wanted[name, a["code_system"], a["code"], said] = 1
    found = Counter(
        (row["encounter_id"], system(gold), gold["code"], words(row, mention))
        for row in rows
        for gold in row["gold"]
        for mention in gold["evidence"]
    )
    assert found == wanted


def system(gold):
    return {
        "icd10cm": "ICD-10-CM",
        "icd10pcs": "ICD-10-PCS",
        "icd9cm": "ICD-9-CM",
        "icd9pcs": "ICD-9-PCS",
    }[gold["system"]]


def words(row, mention):
    (one,) = mention
    return row["notes"][one["note"]]["text"][one["begin"] : one["end"]]


def test_procedures_of_a_licensed_book_are_left_out(made):
    _, rows, card = made
    assert card["left_out"] == {"CPT annotations": 692}
    assert {gold["system"] for row in rows for gold in row["gold"]} == {
        *("icd10cm", "icd10pcs", "icd9cm", "icd9pcs"),
    }


def test_a_note_that_is_not_there_is_named(tmp_path):
    (tmp_path / "mimic").mkdir()
    write(MDACE, tmp_path / "mimic")
    path = tmp_path / "mimic/NOTEEVENTS.csv"
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")
    done = clh("prepare", "mdace", "--from", MDACE, "--mimic-iii", "mimic", cwd=tmp_path)
    assert done.returncode == 2
    assert "annotated notes are not there (the first: ROW_ID " in done.stderr
    assert not (tmp_path / "data/mdace/prepared/mdace.parquet").exists()


def test_offsets_beyond_the_text_tell_of_another_release(tmp_path):
    (tmp_path / "mimic").mkdir()
    write(MDACE, tmp_path / "mimic", text=lambda *_: "short")
    done = clh("prepare", "mdace", "--from", MDACE, "--mimic-iii", "mimic", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "which has 5 characters: is this MIMIC-III 1.4?" in done.stderr


def test_what_lies_elsewhere_is_asked_for(tmp_path):
    done = clh("prepare", "mdace", "--from", MDACE, cwd=tmp_path)
    assert "--mimic-iii names MIMIC-III" in done.stderr
    assert done.returncode == 2
