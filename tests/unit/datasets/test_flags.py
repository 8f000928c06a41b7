"""Overlaps that `prepare` marks: each set over files whose stays, patients and splits are known."""

import json
from collections import Counter
from dataclasses import replace

import mimic_files as made
import pyarrow.parquet as pq
import pytest
from mimic_files import DIAGNOSES_10, Stay, Style
from noteevents import write

from clhcode.datasets.phenotypes import PHENOTYPES
from clhcode.datasets.registry import Raw, dataset
from tests.cli.run import text
from tests.conftest import shared

STYLE = Style(zipped=False)


def flags(name, folder, tmp_path, **others):
    work = tmp_path / f"work-{name}"
    work.mkdir()
    given = {key.replace("_", "-"): path for key, path in others.items()}
    rows = dataset(name).rows()(Raw(folder, given, Counter(), work))
    return {row.encounter.encounter_id: list(row.encounter.flags) for row in rows}


def stay(number, subject, split, codes=("4019",)):
    return Stay(number, subject, [(number + 500, "2150-01-01", False, "Well.")], [*codes],
                split=split)  # fmt: skip


# Patient 5 has stays in two splits, patient 6 one in a split and one in none.
STAYS = [stay(1, 5, "train"), stay(2, 5, "test"), stay(3, 6, "val"), stay(4, 6, None)]
CLEAN = [replace(s, split=split) for s, split in zip(STAYS, ("test", None, "val", None))]  # noqa: B905


@pytest.fixture
def mimic(tmp_path):
    """MIMIC-III with the splits of two data sets."""
    made.splits(tmp_path / "splits", "mimiciii_full_splits.feather", STAYS)
    made.splits(tmp_path / "splits/deeper", "mimiciii_clean_splits.feather", CLEAN)
    # Splits of another corpus, whose numbers are other people's.
    made.splits(tmp_path / "splits", "mimiciv_icd10_split.feather", STAYS)
    return made.mimic_iii(tmp_path / "raw", STAYS, STYLE), tmp_path / "splits"


def test_stays_of_mimic_iii(mimic, tmp_path):
    raw, splits = mimic
    assert flags("mimic-iii", raw, tmp_path, splits=splits) == {
        "1": ["overlaps:mimic-iii-clean/test", "subject:mimic-iii/test"],
        "2": ["subject:mimic-iii/train"],
        "3": ["overlaps:mimic-iii-clean/val"],
        "4": ["subject:mimic-iii/val"],
    }


def test_stays_of_mimic_iv(tmp_path):
    stays = [replace(s, diagnoses=[next(iter(DIAGNOSES_10))], born=(52, 2148)) for s in STAYS]
    made.mimic_iv(tmp_path / "iv", tmp_path / "note", stays, 10, STYLE)
    made.splits(tmp_path / "splits", "mimiciv_icd10_split.feather", STAYS)
    where = {"mimic_iv_note": tmp_path / "note", "splits": tmp_path / "splits"}
    assert flags("mimic-iv", tmp_path / "iv", tmp_path, **where)["1"] == ["subject:mimic-iv/test"]
    # The fifty codes are cut from the same stays, and have their splits.
    assert flags("mimic-iv-50", tmp_path / "iv", tmp_path, **where) == {
        "1": ["overlaps:mimic-iv/train", "subject:mimic-iv-50/test"],
        "2": ["overlaps:mimic-iv/test", "subject:mimic-iv-50/train"],
        "3": ["overlaps:mimic-iv/val"],
    }


def test_decisions_and_phenotypes_lie_in_the_splits_of_their_stay(mimic, tmp_path):
    raw, splits = mimic
    made.meddec(tmp_path / "m", [("5_1_501", "train", []), ("5_2_502", "val", []),
                                 ("6_4_504", "test", [])])  # fmt: skip
    columns = ("HADM_ID", "SUBJECT_ID", "ROW_ID", *PHENOTYPES, "NONE", "UNSURE", "OPERATOR")
    readings = [[n, 5, 500 + n, *[0] * len(PHENOTYPES), 1, 0, "A"] for n in (1, 2)]
    made.csv_file(tmp_path / "p/ACTdb102003", columns, readings, STYLE, quoted=False)
    own = {"5_1_501": ["subject:meddec/val"], "5_2_502": ["subject:meddec/train"], "6_4_504": []}
    one, two = "overlaps:mimic-iii-clean/test", "overlaps:mimic-iii/train"
    over = {"5_1_501": [two, one], "5_2_502": ["overlaps:mimic-iii/test"], "6_4_504": []}
    found = flags("meddec", tmp_path / "m", tmp_path, mimic_iii=raw, splits=splits)
    assert found == {name: over[name] + own[name] for name in own}
    found = flags("phenotypes", tmp_path / "p", tmp_path, mimic_iii=raw, splits=splits)
    assert found == {name: over[name] for name in ("5_1_501", "5_2_502")}


def test_without_splits_the_corpus_is_told(mimic, tmp_path):
    raw, _ = mimic
    made.meddec(tmp_path / "m", [("6_4_504", "test", [])])
    found = flags("meddec", tmp_path / "m", tmp_path, mimic_iii=raw)
    assert found == {"6_4_504": ["overlaps:mimic-iii"]}


def test_concepts_lie_in_the_split_that_their_note_tells(tmp_path):
    stays = [replace(s, notes=[(f"{s.subject}-DS-{s.number}", *s.notes[0][1:])], born=(52, 2148))
             for s in STAYS]  # fmt: skip
    made.mimic_iv(tmp_path / "iv", tmp_path / "note", stays, 10, STYLE)
    splits = made.splits(tmp_path / "splits", "mimiciv_icd10_split.feather", STAYS)
    texts = [[name, "Well."] for name in ("5-DS-1", "5-DS-2", "6-DS-4", "9-DS-9")]
    place = tmp_path / "s/mimic-iv_notes_training_set"
    made.csv_file(place, ("note_id", "text"), texts, STYLE, quoted=False)
    columns = ("note_id", "start", "end", "concept_id")
    made.csv_file(tmp_path / "s/train_annotations", columns, [], STYLE, quoted=False)
    unknown = ["overlaps:mimic-iv"]
    found = flags("snomed-entity", tmp_path / "s", tmp_path, splits=splits)
    assert found == dict.fromkeys((name for name, _ in texts), unknown)
    work = tmp_path / "again"
    work.mkdir()
    where = {"mimic_iv_note": tmp_path / "note", "splits": splits}
    assert flags("snomed-entity", tmp_path / "s", work, **where) == {
        "5-DS-1": ["overlaps:mimic-iv/train"],
        "5-DS-2": ["overlaps:mimic-iv/test"],
        "6-DS-4": [],
        "9-DS-9": unknown,
    }


def test_mdace_lies_in_the_published_splits(tmp_path):
    """On the real annotations and splits: every chart is a stay of MIMIC-III's."""
    (tmp_path / "mimic").mkdir()
    write(shared("mdace"), tmp_path / "mimic")
    where = ("--from", shared("mdace"), "--mimic-iii", "mimic", "--splits", shared("splits"))
    shown = text("prepare", "mdace", *where, cwd=tmp_path)
    table = tmp_path / "data/mdace/prepared/mdace.parquet"
    rows = {row["encounter_id"]: row for row in pq.read_table(table).to_pylist()}
    told = json.loads(table.with_suffix(".card.json").read_bytes())["flags"]
    found = Counter(each for row in rows.values() for each in row["flags"])
    assert told == found
    for name, count in found.items():
        assert f"- {name}: {count:,}" in shown
    full = [sum(n for name, n in found.items() if name.startswith(f"overlaps:{other}/"))
            for other in ("mimic-iii", "mdace", "mdace-profee")]  # fmt: skip
    # Each profee chart shares its stay with an inpatient one.
    assert full[1:] == [52, 52]
    assert full[0] > 300
    for name, row in rows.items():
        kind, _, number = name.partition("-")
        pair = rows.get(f"{'profee' if kind == 'inpatient' else 'inpatient'}-{number}")
        if pair:
            assert f"overlaps:{pair['dataset']}/{pair['split']}" in row["flags"]
