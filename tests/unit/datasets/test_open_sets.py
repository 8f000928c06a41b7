"""Open data sets: published layouts made on the spot, and the real ones where they are."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from clhcode.datasets.gold import golden, place, trimmed
from clhcode.datasets.registry import DATASETS, Raw, dataset, fetched
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row

DATA = Path(__file__).parents[4] / "shared/data"


def rows(name, folder):
    raw = Raw(folder, {"mimic-iii": folder})
    return list(dataset(name).rows()(raw)), raw.left_out


@pytest.fixture
def spanish(tmp_path):
    """A split of two documents, one with a mention of two fragments."""
    split = tmp_path / "inner/dev"
    for texts in ("text_files", "text_files_en"):
        (split / texts).mkdir(parents=True)
    (split / "text_files/a.txt").write_text("Fiebre y dolor en el tórax.\n")
    (split / "text_files_en/a.txt").write_text("Fever and chest pain.\n")
    (split / "text_files/b.txt").write_text("Sano.\n")
    (split / "text_files_en/b.txt").write_text("Healthy.\n")
    (split / "devD.tsv").write_text("a\tr50.9\na\tr07.9\n")
    (split / "devP.tsv").write_text("a\tbw03zzz\n")
    (split / "devX.tsv").write_text(
        "a\tDIAGNOSTICO\tr50.9\tFiebre\t0 6\n"
        "a\tDIAGNOSTICO\tr07.9\tdolor tórax\t9 14;21 26\n"
        "a\tDIAGNOSTICO\tr99\tnada\t0 6\n"
        "a\tPROCEDIMIENTO\tbw03zzz\ttórax\t21 99\n"
    )
    return tmp_path


def test_spanish_text_has_its_evidence(spanish):
    (a, b), left_out = rows("codiesp-es", spanish)
    assert (a.encounter.encounter_id, a.encounter.split, b.gold) == ("a", "dev", None)
    text = a.encounter.notes[0].text
    read = {
        g["code"]: [[text[s["begin"] : s["end"]] for s in m] for m in g["evidence"]] for g in a.gold
    }
    assert read == {"R50.9": [["Fiebre"]], "R07.9": [["dolor", "tórax"]], "BW03ZZZ": []}
    assert left_out == {
        "evidence of a code that the document does not have": 1,
        "evidence outside its text": 1,
    }


def test_english_text_has_codes_alone(spanish):
    (a, _), _ = rows("codiesp", spanish)
    assert a.encounter.notes[0].text == "Fever and chest pain.\n"
    assert [(g["code"], g["system"], g["evidence"]) for g in a.gold] == [
        ("R50.9", "icd10cm", []),
        ("R07.9", "icd10cm", []),
        ("BW03ZZZ", "icd10pcs", []),
    ]


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("devD.tsv", "a\tb\tc\n", "devD.tsv: line 1: 3 columns, 2 are wanted"),
        ("devX.tsv", "a\tDIAGNOSTICO\tr1\tx\t5 6 7\n", "devX.tsv: line 1: `DIAGNOSTICO`, `5 6 7`"),
    ],
)
def test_a_wrong_line_is_named(spanish, name, line, says):
    (spanish / "inner/dev" / name).write_text(line)
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        rows("codiesp-es", spanish)


def visits(folder, *names):
    with (folder / "valid.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["dataset", "encounter_id", "dialogue", "note"])
        table.writerows(["x", name, "[doctor] hi", f"{name}\n\nGout."] for name in names)


def test_visits_without_a_code_have_no_gold(tmp_path):
    visits(tmp_path, "D1", "D2")
    (tmp_path / "valid_metadata.csv").write_text(
        "dataset,encounter_id,patient_gender,patient_age\nx,D1,female,61\n"
    )
    (tmp_path / "icd10cm_gold.csv").write_text("encounter_id,code\nD1,m10.9\nD9,I10\n")
    (one, two), left_out = rows("aci-bench", tmp_path)
    assert [g["code"] for g in one.gold] == ["M10.9"]
    assert (two.gold, one.encounter.split) == (None, "valid")
    assert (one.encounter.sex, one.encounter.age, two.encounter.age) == ("female", 61, None)
    assert left_out == {"coded encounters whose note is not there": 1}


def test_demo_is_whole(tmp_path):
    found, _ = rows("demo", tmp_path)
    assert len(found) == 43


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"demo"}))
def test_an_empty_folder_is_told(name, tmp_path):
    with pytest.raises(UserError, match="--from names the folder"):
        rows(name, tmp_path)


def test_what_is_fetched_has_all_its_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("codiesp", "mdace", "mimic-iii", "mimic-iv", "splits"):
        (tmp_path / f"data/{name}/raw").mkdir(parents=True)
    wanted = ["codiesp", "codiesp-es", "mdace", "mimic-iii", "mimic-iii-50", "mimic-iii-clean"]
    assert fetched() == wanted


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UserError, match="no data set `mimic`: known are demo, codiesp"):
        dataset("mimic")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not here")
@pytest.mark.parametrize(
    ("name", "splits", "spans"),
    [
        ("codiesp", {"codiesp train": 500, "codiesp dev": 250}, 0),
        ("codiesp-es", {"codiesp-es train": 500, "codiesp-es dev": 250}, 13_000),
        ("aci-bench", {"aci-bench train": 67, "aci-bench valid": 20}, 0),
    ],
)
def test_real_ones_are_prepared_with_a_card(name, splits, spans, tmp_path):
    command = [sys.executable, "-m", "clhcode", "prepare", name, "--from"]
    command.append(str(DATA / name.removesuffix("-es")))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    folder = tmp_path / f"data/{name}/prepared"
    card = json.loads((folder / f"{name}.card.json").read_bytes())
    assert card["splits"] == splits
    assert card["spans"] >= spans
    assert done.stdout == (folder / f"{name}.card.md").read_text()
    assert sorted(p.name for p in folder.iterdir()) == [
        f"{name}.card.json",
        f"{name}.card.md",
        f"{name}.parquet",
    ]


def test_spans_are_trimmed_on_demand():
    note = Note("n", " (CHF), - gout.")
    gold = golden([("icd10cm", "I50.9", [place(0, 0, 8)]), ("icd10cm", "R99", [place(0, 6, 9)])])
    (row,) = trimmed([Row(Encounter("e", (note,)), gold)])
    first, second = (g["evidence"][0][0] for g in row.gold)
    # "(CHF" keeps its opening bracket on the left, as in the published scorer.
    assert note.text[first["begin"] : first["end"]] == "(CHF)"
    assert second == place(0, 6, 9)
    (none,) = trimmed([Row(Encounter("e", (note,)), None)])
    assert none.gold is None
