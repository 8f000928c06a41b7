"""`clh bench` across books, years and splits: ICD-9, the official table, and what overlaps."""

import json
import shutil
from dataclasses import replace

import mimic_files as made
import pytest

from tests.cli.run import clh, complaint, text
from tests.conftest import shared

SAID = {
    "4019": "Essential hypertension.",
    "25000": "Type 2 diabetes mellitus without complications.",
    "486": "Pneumonia.",
    "5849": "Acute kidney failure.",
}
PRINTED = {"4019": "401.9", "25000": "250.00", "486": "486", "5849": "584.9"}
PROCEDURES = {"3893": "38.93", "9604": "96.04"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """MIMIC-III prepared, its problems in the words of the book, and no GEM."""
    folder = tmp_path_factory.mktemp("desk")
    stays = made.many(40, (PRINTED, PROCEDURES))
    for stay in stays:
        row, when, addendum, _ = stay.notes[0]
        words = "\n".join(SAID[code] for code in stay.diagnoses)
        stay.notes[0] = (row, when, addendum, f"Assessment:\n{words}\n")
    made.mimic_iii(folder / "raw", stays)
    made.splits(folder / "splits", "mimiciii_full_splits.feather", stays)
    text("prepare", "mimic-iii", "--from", "raw", "--splits", "splits", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def with_gem(desk, tmp_path_factory):
    """The same with the real GEM where `clh fetch gem` puts it."""
    folder = tmp_path_factory.mktemp("gem")
    shutil.copytree(desk / "data", folder / "data")
    shutil.copytree(shared("terms", "gem"), folder / "data/gem/raw")
    return folder


def scored(folder, *arguments, **options):
    return json.loads(text("bench", *arguments, "--json", cwd=folder, **options))


NINE = ("--dataset", "mimic-iii")


def test_gold_of_icd_9_needs_the_gem_or_a_baseline_that_learns(desk):
    assert complaint("bench", *NINE, cwd=desk) == (
        "clh: data/gem/raw: gold is icd9cm, and the GEM that takes predictions there is not here:"
        " `clh fetch gem`, or --gem FILE (--baseline frequent or tfidf needs none)"
    )


def test_predictions_go_through_the_gem_and_say_so(with_gem):
    found = scored(with_gem, *NINE, "-o", "a.json")
    protocol = found["protocol"]
    assert (protocol["codes"], protocol["encounters"]) == ("icd9cm", 10)
    assert protocol["mapping"] == (
        "GEM icd10cmtoicd9gem.csv.gz (59e4027f), code years: approximate"
    )
    assert protocol["label_space"] == "all (11,602 codes that the GEM leads to)"
    # Each note says its diagnoses in the book's own words, and nothing else.
    assert found["metrics"]["micro"]["f1"] == 1
    assert "strict" not in found["metrics"]
    assert found["stages"]["locate"]["recall"] == found["stages"]["assign"]["recall"] == 1
    carried = found["approximate"]
    assert carried["gold"] == sum(carried["predictions"].values())
    assert (carried["unreached"], carried["predictions"]["no_map"]) == (0, 0)
    shown = text("bench", *NINE, cwd=with_gem, env={"COLUMNS": "120"})
    assert "taken to ICD-9-CM by the GEM icd10cmtoicd9gem.csv.gz" in " ".join(shown.split())
    lines = [line for line in shown.splitlines() if line.split()[:1] in (["micro"], ["macro"])]
    assert len(lines) == 3
    assert all(line.rstrip().endswith("approximate") for line in lines)
    assert json.loads((with_gem / "a.json").read_bytes())["approximate"] == carried


def test_a_result_through_the_gem_scores_and_compares_again(with_gem, tmp_path):
    first = scored(with_gem, *NINE, "--level", "category", "-o", "b.json")
    again = scored(with_gem, *NINE, "--result", "b.json")
    assert again == first
    same = json.loads(text("compare", "b.json", "b.json", "--json", cwd=with_gem))
    assert same["micro_f1"] == [first["metrics"]["micro"]["f1"]] * 2
    result = with_gem / "b.json"
    assert "data/gem/raw: gold is icd9cm" in complaint("compare", result, result, cwd=tmp_path)
    (tmp_path / "2018_I10gem.txt").write_text("I10      4019    10000\n")
    said = complaint("compare", result, result, "--gem", "2018_I10gem.txt", cwd=tmp_path)
    assert said.startswith("clh: mapping is GEM icd10cmtoicd9gem.csv.gz (59e4027f), code years")
    given = ("--gem", shared("terms", "gem"))
    assert text("compare", result, result, *given, "--json", cwd=tmp_path) == json.dumps(
        same, separators=(",", ":")
    ) + "\n"  # fmt: skip


def test_a_small_gem_by_hand(desk):
    path = desk / "2018_I10gem.txt"
    entries = ("I10 4019 10000", "E119 25000 10000", "J189 NoDx 11000", "N179 5849 10000")
    path.write_text("\n".join(entries))
    found = scored(desk, *NINE, "--gem", path)
    # Pneumonia has no way to ICD-9-CM here: it is wrong, and its gold is not found.
    gold = [g for row in rows_of(desk) if row["split"] == "test" for g in row["gold"]]
    codes = [g["code"] for g in gold if g["system"] == "icd9cm"]
    share = 1 - codes.count("486") / len(codes)
    assert 0 < share < 1
    assert found["metrics"]["micro"]["recall"] == pytest.approx(share)
    assert found["metrics"]["micro"]["precision"] == pytest.approx(share)
    assert found["approximate"]["predictions"]["no_map"] == codes.count("486")
    assert found["approximate"]["unreached"] == codes.count("486")


def rows_of(folder):
    import pyarrow.parquet as pq

    return pq.read_table(folder / "data/mimic-iii/prepared/mimic-iii.parquet").to_pylist()


@pytest.mark.parametrize("baseline", ["frequent", "tfidf"])
@pytest.mark.parametrize("codes", ["diagnoses", "all"])
def test_baselines_learn_the_codes_of_the_data_set(desk, baseline, codes):
    asked = (*NINE, "--baseline", baseline, "--codes", codes)
    found = scored(desk, *asked, "-o", "f.json")
    assert "approximate" not in found
    assert found["protocol"]["mapping"] == "none"
    systems = ["icd9cm", "icd9pcs"] if codes == "all" else ["icd9cm"]
    assert found["protocol"]["codes"] == "+".join(systems)
    train = [g for row in rows_of(desk) if row["split"] == "train" for g in row["gold"]]
    labels = {g["code"] for g in train if g["system"] in systems}
    assert found["protocol"]["label_space"] == f"all ({len(labels)} codes of train)"
    cases = json.loads((desk / "f.json").read_bytes())["cases"]
    assert {code for case in cases for code in case["codes"]} <= labels
    if baseline == "tfidf":
        # A word of each diagnosis tells it.
        assert found["metrics"]["micro"]["recall"] > 0.7
    again = scored(desk, *NINE, "--result", "f.json")
    assert again == found
    same = json.loads(text("compare", "f.json", "f.json", "--json", cwd=desk))
    assert same["micro_f1"][0] == pytest.approx(found["metrics"]["micro"]["f1"])


def test_the_frequent_codes_by_hand(desk):
    rows = rows_of(desk)
    train = [[g["code"] for g in row["gold"] if g["system"] == "icd9cm"]
             for row in rows if row["split"] == "train"]  # fmt: skip
    counts = {code: sum(code in codes for codes in train) for code in PRINTED.values()}
    usual = round(sum(counts.values()) / len(train))
    said = set(sorted(counts, key=lambda code: (-counts[code], code))[:usual])
    test = [{g["code"] for g in row["gold"] if g["system"] == "icd9cm"}
            for row in rows if row["split"] == "test"]  # fmt: skip
    hits = sum(len(said & codes) for codes in test)
    found = scored(desk, *NINE, "--baseline", "frequent")["metrics"]["micro"]
    assert found["precision"] == pytest.approx(hits / (usual * len(test)))
    assert found["recall"] == pytest.approx(hits / sum(map(len, test)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--codes", "all"), "--codes all: the agents predict diagnoses alone"),
        (("--codes", "all", "--baseline", "dictionary"), "--baseline frequent or tfidf proc"),
        (("--engine", "oracle"), "its gold is icd9cm: the oracle and gold+N know icd10cm alone"),
        (("--candidates", "gold+5"), "its gold is icd9cm: the oracle and gold+N know icd10cm"),
        (("--conversion", "2018_I10gem.txt"), "2018_I10gem.txt: no conversion table"),
    ],
)
def test_what_does_not_go_together_is_told(with_gem, arguments, says):
    (with_gem / "2018_I10gem.txt").write_text("I10      4019    10000\n")
    assert says in complaint("bench", *NINE, *arguments, cwd=with_gem)


def own(folder, rows):
    lines = [
        {
            "encounter_id": name,
            "split": split,
            "subject_id": subject,
            "notes": [{"note_id": name, "text": said}],
            "gold": [{"code": code}],
        }
        for name, split, subject, said, code in rows
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_codes_of_other_years_go_by_the_official_table(tmp_path):
    # M10.X is made up: no letter of it begins M10.9, so that only a table can tell.
    own(tmp_path, [("a", "test", "1", "Assessment: Gout.", "M10.X")])
    plain = scored(tmp_path, "--data", "own.jsonl")
    assert (plain["metrics"]["micro"]["f1"], plain["protocol"]["mapping"]) == (0, "code years")
    table = "Current code assignment\tEffective\tPrevious\nM10.9\t2021\tM10.X, M10.Y\n"
    (tmp_path / "table.txt").write_text(table)
    given = scored(tmp_path, "--data", "own.jsonl", "--conversion", "table.txt", "-o", "r.json")
    assert given["metrics"]["micro"]["f1"] == 1
    assert given["metrics"]["strict"]["micro"]["f1"] == 0
    home = tmp_path / "home/clh/icd10cm/2026"
    home.mkdir(parents=True)
    shutil.copy(tmp_path / "table.txt", home / "icd10cm_conversion_table_FY2026.txt")
    env = {"XDG_DATA_HOME": str(tmp_path / "home")}
    fetched = scored(tmp_path, "--data", "own.jsonl", "-o", "f.json", env=env)
    assert fetched["protocol"]["mapping"].startswith("conversion table FY2026 (")
    assert fetched["metrics"] == given["metrics"]
    shown = " ".join(text("bench", "--data", "own.jsonl", cwd=tmp_path, env=env).split())
    assert "mapped by conversion table FY2026 (" in shown
    # A result says what it was mapped with, and nothing else is put in its place.
    said = complaint("bench", "--data", "own.jsonl", "--result", "f.json", cwd=tmp_path)
    assert "mapping is conversion table FY2026 (" in said
    again = scored(tmp_path, "--data", "own.jsonl", "--result", "f.json", env=env)
    assert again["metrics"] == fetched["metrics"]
    scored(tmp_path, "--data", "own.jsonl", "-o", "p.json")
    assert (
        scored(tmp_path, "--data", "own.jsonl", "--result", "p.json", env=env)["metrics"]
        == (plain["metrics"])
    )
    said = complaint("compare", "p.json", "f.json", cwd=tmp_path, env=env)
    assert "different protocols: mapping is code years there and conversion table FY2026" in said
    both = text(
        "compare", "p.json", "f.json", "--allow", "mapping", "--json", cwd=tmp_path, env=env
    )
    assert json.loads(both)["micro_f1"] == [0, 1]


def test_what_a_baseline_has_learned_from_is_not_scored(tmp_path):
    rows = [
        ("a", "train", "1", "Assessment: Gout.", "M10.9"),
        ("b", "train", "2", "Assessment: Asthma.", "J45.909"),
        ("c", "test", "1", "Assessment: Gout.", "M10.9"),
        ("a", "test", None, "Assessment: Gout.", "M10.9"),
        ("d", "test", "3", "Assessment: Gout.", "M10.9"),
    ]
    own(tmp_path, rows)
    asked = ("--data", "own.jsonl", "--baseline", "frequent")
    told = (
        "2 of 3 scored encounters meet the training rows (1 by the stay or note, 1 by the patient)"
    )
    assert complaint("bench", *asked, cwd=tmp_path) == (
        f"clh: own, test: {told}, the first is c: figures would tell of memory"
        " (--allow-overlap scores all the same, and says so)"
    )
    found = scored(tmp_path, *asked, "--allow-overlap", "-o", "r.json")
    assert found["overlap"] == {
        "encounters": 1, "subjects": 1, "flagged": 0, "scored": 3, "first": "c", "told": told,
    }  # fmt: skip
    assert json.loads((tmp_path / "r.json").read_bytes())["overlap"] == found["overlap"]
    assert scored(tmp_path, "--data", "own.jsonl", "--result", "r.json") == found
    shown = text("bench", *asked, "--allow-overlap", cwd=tmp_path)
    assert f"allowed: {told}" in " ".join(shown.split())
    # What learns nothing has nothing to remember.
    for more in (("--baseline", "dictionary"), ()):
        assert "overlap" not in scored(tmp_path, "--data", "own.jsonl", *more)
    own(tmp_path, [*rows[:2], rows[4]])
    assert "overlap" not in scored(tmp_path, *asked, "--allow-overlap")
    # A split is not scored by what was learned from it.
    said = complaint("bench", *asked, "--split", "train", cwd=tmp_path)
    assert "2 of 2 scored encounters meet the training rows (2 by the stay or note)" in said


def test_a_patient_of_two_splits_stops_a_baseline_on_mimic(tmp_path):
    stays = [replace(stay, subject=7) for stay in made.many(4)]
    made.mimic_iii(tmp_path / "raw", stays)
    made.splits(tmp_path / "splits", "mimiciii_full_splits.feather", stays)
    text("prepare", "mimic-iii", "--from", "raw", "--splits", "splits", cwd=tmp_path)
    card = json.loads((tmp_path / "data/mimic-iii/prepared/mimic-iii.card.json").read_bytes())
    # Two stays in train, one in val and one in test, all of one patient.
    assert card["flags"] == {
        "subject:mimic-iii/test": 3,
        "subject:mimic-iii/train": 2,
        "subject:mimic-iii/val": 3,
    }
    said = complaint("bench", *NINE, "--baseline", "frequent", cwd=tmp_path)
    assert "1 of 1 scored encounters meet the training rows (1 by the patient)" in said
    done = clh("bench", *NINE, "--baseline", "frequent", "--allow-overlap", cwd=tmp_path)
    assert done.returncode == 0
