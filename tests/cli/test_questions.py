"""`clh bench --questions` end to end, with the rules and with a model behind HTTP."""

import json

import pytest
from openai_server import answered, serving

from clhcode.bench.questions import Question, ranked
from tests.cli.run import clh, complaint, text
from tests.conftest import shared


def questions(folder, count=12):
    """Questions of four categories; every title and every query is of one question alone."""
    found = []
    for n in range(count):
        category = f"{'ABCD'[n % 4]}0{n % 4}"
        pairs = [(f"{category}.{k}", f"Title {k} of number {n}.") for k in range(1, 9)]
        gold = f"{category}.{1 + n % 3}"
        found.append(Question(f"Query, of number {n}.", gold, ranked(pairs)))
    lines = "".join(json.dumps(question.as_dict()) + "\n" for question in found)
    (folder / "q.jsonl").write_text(lines)
    return found


def scored(folder, *arguments):
    return json.loads(text("bench", "--questions", "q.jsonl", "--json", *arguments, cwd=folder))


def test_the_rules_take_the_first_option(tmp_path):
    questions(tmp_path)
    found = scored(tmp_path, "--engine", "rules")
    assert (found["n"], found["categories"]) == (12, 4)
    assert found["lexical"] == found["model"] == found["shuffled"] == pytest.approx(4 / 12)
    assert found["both"] is None
    assert found["chosen"] == {"1": 12} | dict.fromkeys("02345678", 0)
    assert found["intervals"]["model-lexical"] == [0, 0]
    assert found["seconds_per_question"] > 0
    assert (found["run"]["engine"], found["run"]["questions"]) == ("rules", "q.jsonl")


def test_the_rules_on_the_real_questions():
    path = shared("locate-questions", "questions.jsonl.gz")
    found = json.loads(text("bench", "--questions", path, "--engine", "rules", "--json"))
    assert (found["n"], found["categories"]) == (1343, 71)
    assert found["lexical"] == found["model"] == pytest.approx(760 / 1343)
    low, high = found["intervals"]["lexical"]
    assert low < found["lexical"] < high


def reads(asked, misread=()):
    """A server that finds the right option where words and options are of one question."""

    def before(_, body):
        content = body["messages"][-1]["content"]
        words = next(n for n, each in enumerate(asked) if each.query in content)
        options = next(n for n, each in enumerate(asked) if each.options[0].text in content)
        if words in misread:
            return answered("no JSON")
        return answered(json.dumps({"choice": asked[words].right if words == options else 0}))

    return before


def test_a_model_behind_http(tmp_path):
    asked = questions(tmp_path)
    with serving() as server:
        server.before = reads(asked)
        found = scored(tmp_path, "--model", server.url)
        assert len(server.bodies) == 24
        few = scored(tmp_path, "--model", server.url, "--limit", "5", "--no-shuffled")
        assert len(server.bodies) == 29
    assert (found["lexical"], found["model"]) == (pytest.approx(4 / 12), 1)
    assert (found["shuffled"], found["both"]) == (0, None)
    assert found["chosen"] == {"1": 4, "2": 4, "3": 4} | dict.fromkeys("045678", 0)
    assert (found["run"]["engine"], found["run"]["model"]) == ("openai", "stand-in")
    assert (few["n"], few["model"], few["shuffled"]) == (5, 1, None)
    assert few["chosen"] == {"1": 2, "2": 2, "3": 1} | dict.fromkeys("045678", 0)


def test_faults_count_as_wrong_and_are_told(tmp_path):
    asked = questions(tmp_path)
    with serving() as server:
        server.before = reads(asked, misread=(1, 2, 3))
        found = scored(tmp_path, "--model", server.url)
        shown = text("bench", "--questions", "q.jsonl", "--model", server.url, cwd=tmp_path)
    assert found["faults"] == found["shuffled_faults"] == {"ill-formed": 3}
    assert found["model"] == pytest.approx(9 / 12)
    assert sum(found["chosen"].values()) == 9
    assert "ill-formed 3; they count as wrong" in shown


def test_the_view_for_people(tmp_path):
    questions(tmp_path)
    shown = text("bench", "--questions", "q.jsonl", "--plain", cwd=tmp_path)
    shown = " ".join(shown.split())
    for words in (
        "12 of 4 categories · q.jsonl · engine rules · chance 0.125",
        "the first option 0.333",
        "alone - first +0.000",
        "none: 0 · 1: 12 · 2: 0",
        "the order of the options answers",
        "Research use only.",
    ):
        assert words in shown


def test_a_bad_line_is_one_line(tmp_path):
    questions(tmp_path, 2)
    path = tmp_path / "q.jsonl"
    line = json.dumps({"query": "a", "gold": "I10", "options": []})
    path.write_text(f"{path.read_text()}{line}\n")
    told = complaint("bench", "--questions", "q.jsonl", cwd=tmp_path, unsaid="Query, of number")
    assert told == "clh: q.jsonl: line 3: `options` must be 8, not 0"


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--questions", "no.jsonl"), "no.jsonl: no such file"),
        (("--questions", "q.jsonl", "--dataset", "demo"), "--dataset is for encounters"),
        (("--questions", "q.jsonl", "--split", "dev"), "--split is for encounters"),
        (("--questions", "q.jsonl", "-o", "r.json"), "--output is for encounters"),
        (("--questions", "q.jsonl", "--engine", "oracle"), "--engine oracle: the gold"),
        (("--questions", "q.jsonl", "--engine", "no"), "no engine `no`"),
        (("--questions", "q.jsonl", "--limit", "0"), "--limit"),
        (("--dataset", "demo", "--no-shuffled"), "--shuffled goes with --questions"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, arguments, cause):
    questions(tmp_path, 2)
    assert cause in complaint("bench", *arguments, cwd=tmp_path)


def test_no_control_where_one_category_holds_more_than_half(tmp_path):
    questions(tmp_path, 1)
    assert scored(tmp_path)["shuffled"] is None
    assert clh("bench", "--questions", "q.jsonl", cwd=tmp_path).returncode == 0
