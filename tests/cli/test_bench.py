"""`clh bench` and `clh compare` end to end, on the data sets that are there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from noteevents import write

from tests.conftest import shared

FRUIT = ("micro", "macro", "macro_either", "sample", "weighted")


def clh(*arguments, cwd, code=0):
    command = [sys.executable, "-m", "clhcode", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with every data set prepared that is there."""
    folder = tmp_path_factory.mktemp("desk")
    data = shared()
    for name in ("codiesp", "aci-bench"):
        clh("prepare", name, "--from", data / name, cwd=folder)
    (folder / "mimic").mkdir()
    write(data / "mdace", folder / "mimic")
    clh("prepare", "mdace", "--from", data / "mdace", "--mimic-iii", "mimic", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """What the rules score on the demonstration, and the result file of it."""
    folder = tmp_path_factory.mktemp("base")
    return scored(folder, "--dataset", "demo", "-o", "a.json"), folder / "a.json"


def scored(folder, *arguments):
    return json.loads(clh("bench", *arguments, "--json", cwd=folder).stdout)


def check(found):
    metrics = found["metrics"]
    for figures in (metrics, metrics["category"], metrics["strict"], metrics["strict"]["category"]):
        for name in FRUIT:
            assert set(figures[name]) == {"precision", "recall", "f1"}
            assert all(0 <= value <= 1 for value in figures[name].values())
        assert 0 <= figures["exact_match"] <= 1
    for name in ("micro", "sample"):
        low, high = metrics["intervals"][name]["f1"]
        assert low <= metrics[name]["f1"] <= high
    for stage in ("locate", "verify", "assign"):
        assert set(found["stages"][stage]) == {"recall", "precision"}
    assert found["stages"]["assign"]["recall"] == pytest.approx(metrics["micro"]["recall"])
    assert found["speed"]["encounters_per_s"] > 0
    assert found["speed"]["peak_rss_mb"] > 20


def test_the_demonstration_needs_nothing(base):
    found, _ = base
    check(found)
    protocol = found["protocol"]
    assert (protocol["encounters"], protocol["unit"], protocol["split"]) == (
        43,
        "encounter",
        "test",
    )
    assert protocol["policy"] == "guidelines"
    assert protocol["label_space"].startswith("all (74,")
    assert "warning" not in found
    assert set(found["metrics"]["evidence"]) == {
        *("span_exact", "span_overlap", "span_words", "token_exact", "token_words", "character"),
    }
    assert found["stages"]["analyse"]["recall"] > 0.5


@pytest.mark.parametrize(
    ("name", "split", "encounters", "policy"),
    [
        ("codiesp", "dev", 250, "mentions"),
        ("aci-bench", "valid", 16, "guidelines"),
        ("mdace", "test", 61, "guidelines"),
        ("mdace-profee", "test", 11, "guidelines"),
    ],
)
def test_real_sets_are_scored_under_their_own_policy(desk, name, split, encounters, policy):
    found = scored(desk, "--dataset", name, "--split", split)
    check(found)
    assert found["protocol"]["encounters"] == encounters
    assert found["protocol"]["policy"] == policy
    if name == "codiesp":
        # Gold of 2018: what the code-year map brings stands beside the strict figure.
        assert found["metrics"]["micro"]["f1"] > found["metrics"]["strict"]["micro"]["f1"]
        assert found["metrics"]["micro"]["f1"] > 0.42


def test_the_view_says_what_was_scored(desk):
    shown = clh("bench", "--dataset", "codiesp", "--split", "dev", "--groups", cwd=desk).stdout
    shown = " ".join(shown.split())
    for words in (
        "250 encounters · CodiEsp v4, English, dev · label space all (74,",
        "policy mentions",
        "macro (gold)",
        "strict",
        "gold lost at",
        "not in train",
        "Research use only.",
    ):
        assert words in shown


def test_a_cut_label_space_is_warned_of_everywhere(base, tmp_path):
    arguments = ("bench", "--dataset", "demo", "--label-space", "gold")
    found = scored(tmp_path, *arguments[1:], "-o", "cut.json")
    assert "cut to the codes of the gold standard" in found["warning"]
    assert found["protocol"]["label_space"] == "gold (283 codes)"
    shown = clh("bench", "--dataset", "demo", "--result", "cut.json", cwd=tmp_path).stdout
    assert "warning" in shown
    assert "cut to the codes of the gold standard" in shown
    whole, _ = base
    assert found["metrics"]["micro"]["precision"] > whole["metrics"]["micro"]["precision"]


@pytest.mark.parametrize(
    "arguments", [("--level", "category"), ("--level", "chapter"), ("--unit", "note")]
)
def test_switches_change_the_figure_and_the_protocol(base, tmp_path, arguments):
    plain, other = base[0], scored(tmp_path, "--dataset", "demo", *arguments)
    name = arguments[0].removeprefix("--")
    assert other["protocol"][name] == arguments[1] != plain["protocol"][name]
    assert other["metrics"]["micro"]["f1"] > plain["metrics"]["micro"]["f1"]


def test_a_file_may_be_the_label_space(tmp_path):
    (tmp_path / "codes.txt").write_text("I10\nE11.9\n")
    found = scored(tmp_path, "--dataset", "demo", "--label-space", "codes.txt")
    assert found["protocol"]["label_space"].startswith("codes.txt (2 codes, ")


def test_top_codes_are_counted_in_train(desk):
    found = scored(desk, "--dataset", "codiesp", "--split", "dev", "--label-space", "top50")
    assert found["protocol"]["label_space"] == "top50 (50 codes)"


def test_a_result_scores_the_same_again_and_holds_no_text(base, tmp_path):
    first, path = base
    again = scored(tmp_path, "--dataset", "demo", "--result", path)
    assert again == first
    held = path.read_text()
    demo = Path(__file__).parents[2] / "data/demo/demo.jsonl"
    for line in demo.read_text().splitlines():
        for note in json.loads(line)["notes"]:
            for sentence in note["text"].split("\n"):
                assert len(sentence) < 25 or json.dumps(sentence)[1:-1] not in held


def test_some_encounters_are_another_protocol_that_scores_again(tmp_path):
    arguments = ("bench", "--dataset", "demo", "--limit", "5")
    found = json.loads(clh(*arguments, "--json", "-o", "r.json", cwd=tmp_path).stdout)
    assert (found["protocol"]["first"], found["protocol"]["encounters"]) == (5, 5)
    again = json.loads(
        clh("bench", "--dataset", "demo", "--result", "r.json", "--json", cwd=tmp_path).stdout
    )
    assert again["metrics"] == found["metrics"]
    assert "first 5" in clh(*arguments, cwd=tmp_path).stdout


def test_a_result_of_other_data_is_not_scored(base, tmp_path):
    demo = Path(__file__).parents[2] / "data/demo/demo.jsonl"
    lines = demo.read_text().splitlines(keepends=True)
    (tmp_path / "less.jsonl").write_text("".join(lines[:-1]))
    arguments = ("bench", "--dataset", "demo", "--data", "less.jsonl", "--result", base[1])
    done = clh(*arguments, cwd=tmp_path, code=2)
    assert "encounters is 43 in the result and 42 here" in done.stderr


def test_a_run_beside_itself_and_beside_another(base, tmp_path):
    shutil.copy(base[1], tmp_path)
    clh("bench", "--dataset", "demo", "--engine", "oracle", "-o", "b.json", cwd=tmp_path)
    same = json.loads(clh("compare", "a.json", "a.json", "--json", cwd=tmp_path).stdout)
    assert (same["difference"], same["interval"], same["codes_won"]) == (0, [0, 0], {})
    assert set(same["changed"].values()) == {0}
    shown = clh("compare", "a.json", "a.json", cwd=tmp_path).stdout
    assert "difference none" in " ".join(shown.split())
    found = json.loads(clh("compare", "a.json", "b.json", "--json", cwd=tmp_path).stdout)
    before, after = (
        json.loads((tmp_path / name).read_text())["metrics"]["micro"]["f1"]
        for name in ("a.json", "b.json")
    )
    assert found["difference"] == pytest.approx(after - before)
    assert found["micro_f1"] == pytest.approx([before, after])
    assert found["interval"][0] > 0
    assert found["encounters_worse"] == 0


def test_a_known_difference_is_found(base, tmp_path):
    shutil.copy(base[1], tmp_path)
    other = json.loads((tmp_path / "a.json").read_text())
    case = next(c for c in other["cases"] if set(c["codes"]) & set(c["gold"]))
    lost = next(code for code in case["codes"] if code in case["gold"])
    case["codes"].remove(lost)
    (tmp_path / "b.json").write_text(json.dumps(other))
    found = json.loads(clh("compare", "a.json", "b.json", "--json", cwd=tmp_path).stdout)
    assert found["codes_lost"] == {lost: 1}
    assert (found["encounters_better"], found["encounters_worse"]) == (0, 1)
    assert found["changed"] == {"analyse": 0, "locate": 0, "verify": 0, "assign": 1}
    assert found["difference"] < 0


@pytest.mark.parametrize(
    ("name", "value", "here"), [("policy", "mentions", "guidelines"), ("unit", "note", "encounter")]
)
def test_other_protocols_are_refused_by_name(base, tmp_path, name, value, here):
    other = json.loads(base[1].read_text())
    other["protocol"][name] = value
    (tmp_path / "b.json").write_text(json.dumps(other))
    done = clh("compare", base[1], "b.json", cwd=tmp_path, code=2)
    assert f"different protocols: {name} is {here} there and {value} here" in done.stderr
    clh("compare", base[1], "b.json", "--allow", name, cwd=tmp_path)


def test_the_oracle_shows_how_far_each_step_could_come(base, tmp_path):
    rules = base[0]["metrics"]["micro"]
    spans = scored(tmp_path, "--dataset", "demo", "--engine", "analyse=oracle")
    everything = scored(tmp_path, "--dataset", "demo", "--engine", "oracle")
    assert everything["stages"]["analyse"] == {"recall": 1, "precision": 1}
    assert everything["metrics"]["micro"]["precision"] > 0.98
    assert rules["f1"] < spans["metrics"]["micro"]["f1"] < everything["metrics"]["micro"]["f1"]
    assert spans["run"]["oracle"] == ["analyse"]


def test_given_candidates_leave_two_agents_alone(tmp_path):
    arguments = ("--dataset", "demo", "--candidates", "gold+20", "--limit", "10")
    alone = scored(tmp_path, *arguments, "--engine", "oracle", "--seeds", "1,2")
    assert alone["metrics"]["micro"] == {"precision": 1, "recall": 1, "f1": 1}
    assert (alone["seeds"]["runs"], alone["seeds"]["micro"]["f1_sd"]) == (2, 0)
    rules = scored(tmp_path, *arguments, "--seeds", "1,2")
    assert rules["stages"]["locate"]["recall"] == 1
    assert rules["seeds"]["micro"]["f1_sd"] > 0
    (tmp_path / "top.tsv").write_text("encounter_id\tcode\ndemo-copd\tJ44.1\ndemo-copd\tI10\n")
    given = scored(tmp_path, "--dataset", "demo", "--candidates", "top.tsv", "-o", "g.json")
    assert given["metrics"]["micro"]["recall"] < 0.02
    cases = json.loads((tmp_path / "g.json").read_text())["cases"]
    (copd,) = (case for case in cases if case["codes"])
    assert set(copd["codes"]) == {"J44.1", "I10"}


def test_seeds_of_a_run_without_chance_say_so(tmp_path):
    found = scored(tmp_path, "--dataset", "demo", "--seeds", "1,2,3")
    assert (found["seeds"]["runs"], found["seeds"]["micro"]["f1_sd"]) == (1, 0)
    assert "nothing is drawn" in found["seeds"]["note"]


@pytest.mark.parametrize("name", ["frequent", "dictionary"])
def test_baselines_are_scored_alike(desk, name):
    found = scored(desk, "--dataset", "codiesp", "--split", "dev", "--baseline", name)
    assert found["run"]["engine"] == name
    assert 0.1 < found["metrics"]["micro"]["f1"] < 0.5


def test_the_linear_classifier_learns_from_train(desk):
    found = scored(desk, "--dataset", "aci-bench", "--split", "valid", "--baseline", "tfidf")
    assert found["run"]["engine"] == "tfidf"
    assert found["metrics"]["micro"]["f1"] > 0.1


def test_a_floor_fails_the_command(base, tmp_path):
    arguments = ("bench", "--dataset", "demo", "--result", base[1], "--json", "--fail-under")
    clh(*arguments, "micro.f1=0.1", cwd=tmp_path)
    done = clh(*arguments, "micro.f1=0.99", cwd=tmp_path, code=1)
    assert "micro.f1 is 0." in done.stderr
    done = clh(*arguments, "nano.f1=0.99", cwd=tmp_path, code=2)
    assert "no such figure" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give --dataset NAME, or --data"),
        (("--dataset", "nothing"), "no data set `nothing`: known are demo"),
        (("--dataset", "codiesp"), "data/codiesp/prepared/codiesp.parquet: not there"),
        (("--dataset", "demo", "--split", "dev"), "no split `dev` here: there are test (43)"),
        (("--dataset", "demo", "--engine", "gpt=oracle"), "no agent `gpt`"),
        (("--dataset", "demo", "--engine", "analyse=vllm"), "the engine vllm needs --model"),
        (("--dataset", "demo", "--candidates", "gold+x"), "a number is wanted"),
        (("--dataset", "demo", "--candidates", "no.tsv"), "no.tsv: No such file"),
        (("--dataset", "demo", "--seeds", "a"), "numbers are wanted"),
        (("--dataset", "demo", "--label-space", "no.txt"), "neither all, gold, top50 nor a file"),
        (("--dataset", "demo", "--label-space", "top50"), "the train split, which is not here"),
        (("--dataset", "demo", "--baseline", "frequent"), "learns from the train split"),
        (("--dataset", "demo", "--fail-under", "x"), "METRIC=VALUE is wanted"),
        (("--dataset", "demo", "--result", "no.json"), "no.json: No such file"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, arguments, says):
    done = clh("bench", *arguments, cwd=tmp_path, code=2)
    assert says in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_cut_space_is_kept_with_the_result(tmp_path):
    (tmp_path / "codes.txt").write_text("I10\nE11.9\nE78.5\n")
    arguments = ("--dataset", "demo", "--label-space", "codes.txt", "-o", "r.json")
    first = scored(tmp_path, *arguments)
    (tmp_path / "codes.txt").unlink()
    again = scored(tmp_path, "--dataset", "demo", "--result", "r.json")
    assert again["metrics"] == first["metrics"]
    found = json.loads(clh("compare", "r.json", "r.json", "--json", cwd=tmp_path).stdout)
    assert found["micro_f1"][0] == pytest.approx(first["metrics"]["micro"]["f1"])


def test_a_table_of_ones_own_needs_gold_and_nothing_else(tmp_path):
    rows = [
        {"note_id": "a", "text": "Assessment: Gout.", "gold": ["M10.9"]},
        {"note_id": "b", "text": "Assessment: Asthma.", "gold": ["I10"]},
        {"note_id": "c", "text": "Assessment: Asthma."},
    ]
    lines = [
        {
            "encounter_id": row["note_id"],
            "notes": [{"note_id": row["note_id"], "text": row["text"]}],
            "gold": [{"code": code} for code in row["gold"]] if "gold" in row else None,
        }
        for row in rows
    ]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = scored(tmp_path, "--data", "own.jsonl", "-o", "own.json")
    assert found["protocol"]["dataset"] == "own"
    assert found["protocol"]["encounters"] == 2
    assert found["metrics"]["micro"]["f1"] == 0.5
    again = scored(tmp_path, "--data", "own.jsonl", "--result", "own.json")
    assert again["metrics"] == found["metrics"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "clh-result-0"}', "not json"])
def test_what_is_no_result_is_told(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    done = clh("compare", "r.json", "r.json", cwd=tmp_path, code=2)
    assert done.stderr.startswith("clh: r.json: ")
    assert done.stderr.count("\n") == 1
