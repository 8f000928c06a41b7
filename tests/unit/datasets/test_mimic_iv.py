"""MIMIC-IV over files of the official shape, whose stays are known."""

from collections import Counter
from dataclasses import replace

import mimic_files as made
import pytest
from mimic_files import DIAGNOSES_9, DIAGNOSES_10, PROCEDURES_9, PROCEDURES_10, Stay, Style

from clhcode.datasets.registry import Raw, dataset
from clhcode.errors import UserError
from clhcode.table.convert import to_dict

OFFICIAL = Style()
CODES = (DIAGNOSES_10, PROCEDURES_10)
SYSTEMS = ("icd10cm", "icd10pcs")
PERSON = {"born": (52, 2148), "came": "2150-03-01 01:02:03", "age": 54, "sex": "male"}
ICD10 = "mimiciv_icd10_split.feather"


def prepared(name, raw):
    kept = ("encounter_id", "dataset", "split", "subject_id", "sex", "age", "setting")
    rows = [to_dict(row) for row in dataset(name).rows()(raw)]
    return [{key: row[key] for key in (*kept, "notes", "gold")} for row in rows], raw.left_out


def files(tmp_path, stays, version=10, style=OFFICIAL, name=ICD10, **more):
    folder, notes, work = tmp_path / "iv", tmp_path / "iv-note", tmp_path / "work"
    made.mimic_iv(folder, notes, stays, version, style, **more)
    work.mkdir()
    splits = made.splits(tmp_path / "splits", name, stays)
    return Raw(folder, {"mimic-iv-note": notes, "splits": splits}, Counter(), work)


@pytest.mark.parametrize(
    "style",
    [Style(), Style(zipped=False, tree=False, upper=True), Style(shuffled=True)],
    ids=["official", "flat", "shuffled"],
)
def test_stays_come_out_as_they_are(tmp_path, style):
    stays = made.many(30, CODES, **PERSON)
    rows, left_out = prepared("mimic-iv", files(tmp_path, stays, style=style))
    wanted = made.table_of(stays, "mimic-iv", SYSTEMS, {**DIAGNOSES_10, **PROCEDURES_10})
    assert rows == wanted
    assert left_out == {}


def test_versions_are_told_apart(tmp_path):
    nine = made.many(6, **PERSON)
    ten = [replace(stay, number=stay.number + 1) for stay in made.many(6, CODES, **PERSON)]
    ten = [replace(s, notes=[(f"t{n}", *rest) for n, *rest in s.notes], split="test") for s in ten]
    more = [[s.subject, s.number, 1, "I10", 10] for s in ten]
    raw = files(tmp_path, nine, version=9, name="mimiciv_icd9_split.feather", codes=more)
    rows, left_out = prepared("mimic-iv-icd9", raw)
    known = {**DIAGNOSES_9, **PROCEDURES_9}
    assert rows == made.table_of(nine, "mimic-iv-icd9", printed=known)
    assert left_out == {"codes of diagnoses_icd.csv.gz of another version than ICD-9": 6}


def test_a_stay_of_the_other_version_is_counted(tmp_path):
    stays = made.many(4, CODES, **PERSON)
    raw = files(tmp_path, stays, name="mimiciv_icd9_split.feather")
    rows, left_out = prepared("mimic-iv-icd9", raw)
    assert rows == []
    diagnoses = sum(len(stay.diagnoses) for stay in stays)
    procedures = sum(len(stay.procedures) for stay in stays)
    assert left_out == {
        "codes of diagnoses_icd.csv.gz of another version than ICD-9": diagnoses,
        "codes of procedures_icd.csv.gz of another version than ICD-9": procedures,
        "stays with a discharge summary and no code of ICD-9": 4,
        "stays of the split file that are not here": 4,
    }


@pytest.mark.parametrize(
    ("born", "came", "age"),
    [
        ((52, 2148), "2148-12-31 00:00:00", 52),
        ((52, 2148), "2150-01-01 00:00:00", 54),
        ((91, 2148), "2148-05-01 00:00:00", 90),
        ((89, 2148), "2148-05-01 00:00:00", 89),
        ((89, 2148), "2149-05-01 00:00:00", 90),
        ((0, 2148), "2148-05-01 00:00:00", 0),
        ((52, None), "2148-05-01 00:00:00", None),
        ((52, 2148), None, None),
    ],
)
def test_age_is_counted_from_the_anchor(tmp_path, born, came, age):
    stay = Stay(20_000_001, 5, [("5-DS-1", "2150-06-20", False, "Well.")], ["I10"], born=born)
    stay = replace(stay, came=came, age=age, sex=None)
    rows, _ = prepared("mimic-iv", files(tmp_path, [stay]))
    assert rows == made.table_of([stay], "mimic-iv", SYSTEMS, DIAGNOSES_10)


def test_fifty_codes_are_those_of_train(tmp_path):
    # 51 diagnoses in train, the last of them in one stay and all others in two; a code of test
    # that train does not have; a stay in no split.
    codes = [f"A{n:02}" for n in range(51)]
    notes = [[(f"{n}-DS-1", "2150-06-20", False, f"Note {n}.")] for n in range(5)]
    stays = [
        Stay(1, 1, notes[0], codes),
        Stay(2, 2, notes[1], codes[:50]),
        Stay(3, 3, notes[2], ["A01", "B99"], split="test"),
        Stay(4, 4, notes[3], ["B99", "A50"], split="test"),
        Stay(5, 5, notes[4], ["A01"], split=None),
    ]
    stays = [replace(stay, **PERSON) for stay in stays]
    rows, left_out = prepared("mimic-iv-50", files(tmp_path, stays))
    assert {row["encounter_id"]: len(row["gold"]) for row in rows} == {"1": 50, "2": 50, "3": 1}
    assert left_out == {
        "stays that are in no split": 1,
        "codes that the data set is not of": 4,
        "stays without a code that the data set is of": 1,
        "stays of the split file that are not here": 1,
    }


def test_a_code_of_the_same_letters_is_a_diagnosis_or_a_procedure(tmp_path):
    stay = Stay(1, 1, [("1-DS-1", "2150-06-20", False, "A.")], ["I10", "I10"], ["02703ZZ"])
    ((row,), left_out) = prepared("mimic-iv", files(tmp_path, [replace(stay, **PERSON)]))
    assert [(g["system"], g["code"]) for g in row["gold"]] == [
        ("icd10cm", "I10"),
        ("icd10pcs", "02703ZZ"),
    ]
    assert left_out == {"rows of diagnoses_icd.csv.gz that repeat a code of their stay": 1}


def test_missing_notes_are_told(tmp_path):
    raw = files(tmp_path, made.many(2, CODES, **PERSON))
    raw.others["mimic-iv-note"].joinpath("note/discharge.csv.gz").unlink()
    with pytest.raises(UserError, match=r"no discharge\.csv.* \(--mimic-iv-note names the folder"):
        prepared("mimic-iv", raw)
