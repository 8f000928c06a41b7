"""From published files to a figure of a model in llama.cpp: what the rules do in `tests/cli`."""

import json
import shutil

import mimic_files as made
import pytest

pytest.importorskip("llama_cpp")

from mimic_files import DIAGNOSES_10, PROCEDURES_10
from noteevents import write

from tests.cli.run import complaint, text
from tests.conftest import shared


def scored(folder, name, gguf):
    asked = ("bench", "--dataset", name, "--model", gguf, "--limit", "2")
    found = json.loads(text(*asked, "--json", "-o", "r.json", cwd=folder))
    assert (found["run"]["engine"], found["protocol"]["encounters"]) == ("llamacpp", 2)
    assert found["run"]["model"]
    assert found["run"]["usage"]
    assert 0 <= found["metrics"]["micro"]["f1"] <= 1
    again = json.loads(text("bench", "--dataset", name, "--result", "r.json", "--json", cwd=folder))
    assert again["metrics"] == found["metrics"]
    return found


def test_mdace_with_a_model(gguf, tmp_path):
    (tmp_path / "mimic").mkdir()
    write(shared("mdace"), tmp_path / "mimic")
    where = ("--from", shared("mdace"), "--mimic-iii", "mimic")
    text("prepare", "mdace", *where, cwd=tmp_path)
    found = scored(tmp_path, "mdace", gguf)
    assert found["protocol"]["codes"] == "icd10cm"
    assert found["metrics"]["evidence"]


def test_mimic_iv_with_a_model(gguf, tmp_path):
    pytest.importorskip("duckdb")
    stays = made.many(8, (DIAGNOSES_10, PROCEDURES_10), born=(52, 2148), came="2150-03-01 01:02:03")
    made.mimic_iv(tmp_path / "iv", tmp_path / "note", stays, 10)
    made.splits(tmp_path / "splits", "mimiciv_icd10_split.feather", stays)
    where = ("--from", "iv", "--mimic-iv-note", "note", "--splits", "splits")
    text("prepare", "mimic-iv", *where, cwd=tmp_path)
    found = scored(tmp_path, "mimic-iv", gguf)
    assert found["protocol"]["setting"] is None
    # A model that says what it was trained on is not scored on it.
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(gguf, run / "model.gguf")
    record = {"plan": {"model": "ORG/NAME"}, "learned_from": ["mimic-iv/test"]}
    (run / "train.json").write_text(json.dumps(record))
    asked = ("bench", "--dataset", "mimic-iv", "--model", "locate=run", "--limit", "2", "--json")
    refused = complaint(*asked, cwd=tmp_path)
    assert "2 of 2 scored encounters meet the training rows (2 by their split" in refused
    allowed = json.loads(text(*asked, "--allow-overlap", cwd=tmp_path))
    assert allowed["overlap"]["flagged"] == 2
