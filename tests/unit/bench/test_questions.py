"""Questions for the judgement alone: read, asked, scored; the figures by hand."""

import gzip
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.bench.questions import (
    Question,
    alone,
    ask_all,
    exchanged,
    figures,
    number,
    ranked,
    read_questions,
)
from clhcode.errors import UserError
from clhcode.runtime.rules import RulesEngine
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.search.normalise import words
from clhcode.tasks import Choose, Chosen, Fault


def question(category, right, query="pain of the knee"):
    pairs = [(f"{category}.{n}", f"Title {n}") for n in range(1, 9)]
    return Question(query, f"{category}.{right}", ranked(pairs))


def top(best, *answer):
    """The reply of a model that likes `best` by itself and answers `answer`."""
    scores = [-3.0 - n / 10 for n in range(8)]
    scores[best - 1] = -1.0
    return Chosen(answer, scores=tuple(scores))


ASKED = (
    question("A00", 1),
    question("A00", 3),
    question("B00", 2),
    question("B00", 1),
    question("B00", 5),
    question("B00", 8),
)
REPLIES = (top(2, 1), top(3, 1), top(2), top(1, 1), top(5, 5), Fault("cut", "too long"))
#          first 1 alone 0 with 1 | 0 1 0 | 0 1 0 | 1 1 1 | 0 1 1 | 0 0 0


def test_shares_by_hand():
    found = figures(ASKED, REPLIES)
    assert (found["n"], found["categories"], found["chance"]) == (6, 2, 0.125)
    assert found["lexical"] == pytest.approx(2 / 6)
    assert found["model"] == pytest.approx(4 / 6)
    assert found["both"] == pytest.approx(3 / 6)
    assert found["shuffled"] is None
    assert found["differences"] == pytest.approx(
        {"model-lexical": 2 / 6, "both-lexical": 1 / 6},
    )
    assert found["chosen"] == {"0": 1, "1": 3, "5": 1} | dict.fromkeys("234678", 0)
    assert found["faults"] == {"cut": 1}


def test_intervals_draw_whole_categories():
    # Two categories are drawn twice the one, both, or twice the other: the first and last
    # quarter of the draws are the ends of the intervals.
    found = figures(ASKED, REPLIES)["intervals"]
    assert found["lexical"] == pytest.approx((1 / 4, 1 / 2))
    assert found["model"] == pytest.approx((1 / 2, 3 / 4))
    assert found["both"] == pytest.approx((1 / 2, 1 / 2))
    assert found["model-lexical"] == pytest.approx((0, 1 / 2))
    assert found["both-lexical"] == pytest.approx((0, 1 / 4))


def test_one_category_has_no_interval():
    assert figures(ASKED[:2], REPLIES[:2])["intervals"] == {}


def test_an_engine_without_scores_has_no_figure_with_the_order():
    found = figures(ASKED[:3], (Chosen((1,)), Chosen((2,)), Chosen((2,))))
    assert (found["model"], found["both"]) == (pytest.approx(2 / 3), None)
    assert set(found["differences"]) == {"model-lexical"}
    assert "both" not in found["intervals"]


def test_the_control_is_judged_by_the_model_alone():
    found = figures(ASKED, REPLIES, (*[top(1, 3)] * 4, *[Fault("gone", "")] * 2))
    assert found["shuffled"] == pytest.approx(2 / 6)
    assert found["shuffled_faults"] == {"gone": 2}
    assert found["faults"] == {"cut": 1}
    assert found["intervals"]["shuffled"] == pytest.approx((1 / 4, 1 / 2))


def test_numbers_of_replies():
    assert [number(r) for r in (Chosen((4, 2)), Chosen(()), Fault("x", ""))] == [4, 0, 0]
    assert [alone(r) for r in (Chosen((4,)), top(2, 4), top(2), Fault("x", ""))] == [4, 2, 2, 0]


def test_what_is_asked_is_what_locate_asks():
    engine, told = ScriptedEngine([Chosen((1,)), Fault("x", ""), Chosen(())]), []
    replies = ask_all(ASKED[:3], engine, told.append)
    assert replies == [Chosen((1,)), Fault("x", ""), Chosen(())]
    assert told == [1, 1, 1]
    task = engine.asked[1]
    assert task == Choose("locate", "entry", (), "pain of the knee", (), ASKED[1].options, False)
    assert [option.score for option in task.options[:4]] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert task.options[2].code == "A00.3"


def test_the_rules_take_the_first(finder):
    replies = ask_all(ASKED, RulesEngine(finder), lambda _: None)
    found = figures(ASKED, replies)
    assert found["model"] == found["lexical"]


class Overlap:
    """Scores options by the words they share with the phrase; answers by the order too."""

    def __init__(self):
        self.answered = []

    def submit(self, ticket, task):
        said = set(words(task.phrase))
        scores = [float(len(said & set(words(option.text)))) for option in task.options]
        both = [score + 10 * o.score for score, o in zip(scores, task.options, strict=True)]
        self.answered.append((ticket, Chosen((both.index(max(both)) + 1,), scores=tuple(scores))))

    def ready(self):
        answered, self.answered = self.answered, []
        return answered


def test_a_model_that_reads_the_words_falls_without_them():
    # The right title, never the first, is the only one that shares a word with its question.
    asked = []
    for n, category in enumerate(["A00", "B00", "C00", "D00"] * 3):
        plain = question(category, 2 + n % 7, f"word{n} of knee")
        right = replace(plain.options[plain.right - 1], text=f"Title word{n}")
        options = (*plain.options[: plain.right - 1], right, *plain.options[plain.right :])
        asked.append(replace(plain, options=options))
    replies = ask_all(asked, Overlap(), lambda _: None)
    control = ask_all(exchanged(asked), Overlap(), lambda _: None)
    found = figures(asked, replies, control)
    assert (found["lexical"], found["model"], found["both"], found["shuffled"]) == (0, 1, 0, 0)
    assert found["chosen"]["1"] == 12


@given(st.lists(st.sampled_from(["A00", "B00", "C00", "D00"]), max_size=40), st.integers(0, 5))
def test_words_are_exchanged_among_categories(categories, seed):
    asked = [question(c, 1 + n % 8, f"query {n} of {c}") for n, c in enumerate(categories)]
    found = exchanged(asked, seed)
    most = max(Counter(categories).values(), default=0)
    if not asked or 2 * most > len(asked):
        assert found is None
        return
    assert [(q.gold, q.options) for q in found] == [(q.gold, q.options) for q in asked]
    assert sorted(q.query for q in found) == sorted(q.query for q in asked)
    assert all(q.query.split()[-1] != q.category for q in found)
    assert found == exchanged(asked, seed)


def test_another_seed_exchanges_otherwise():
    asked = [question(f"{c}0{n}", 1, f"{c}{n}") for c in "ABCDE" for n in range(4)]
    assert exchanged(asked, 1) != exchanged(asked, 2)


LINE = ASKED[0].as_dict()


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.gz"])
def test_a_file_is_read_as_written(tmp_path, name):
    data = "".join(json.dumps(q.as_dict()) + "\n" for q in ASKED).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert read_questions(tmp_path / name) == list(ASKED)
    assert read_questions(tmp_path / name, 2) == list(ASKED[:2])


OPTIONS = LINE["options"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("{", "broken JSON"),
        ("[1]", "a JSON object is needed"),
        ({**LINE, "query": " "}, "`query` is empty"),
        ({**LINE, "query": 3}, "`query` must be a string"),
        ({"query": "a", "options": OPTIONS}, "`gold` is missing"),
        ({**LINE, "gold": "C00"}, "`gold` must be one of the options"),
        ({**LINE, "options": OPTIONS[:7]}, "`options` must be 8, not 7"),
        ({**LINE, "options": [*OPTIONS[:7], OPTIONS[0]]}, "`options` name a code twice"),
        ({**LINE, "options": [*OPTIONS[:7], {"code": "A00.8"}]}, "`options[7].title` is missing"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, cause):
    path = tmp_path / "q.jsonl"
    bad = line if isinstance(line, str) else json.dumps(line)
    path.write_text(f"{json.dumps(LINE)}\n{bad}\n")
    with pytest.raises(UserError) as raised:
        read_questions(path)
    assert str(raised.value).startswith(f"{path}: line 2: ")
    assert cause in str(raised.value)
    assert read_questions(path, 1) == [ASKED[0]]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "the file is empty"),
        (gzip.compress(json.dumps(LINE).encode())[:-12], "the gzip data is damaged or cut short"),
        (b"\x1f\x8bno", "the gzip data is damaged or cut short"),
        (b'{"query": "\xff"}\n', "not UTF-8"),
    ],
)
def test_a_bad_file_is_named(tmp_path, data, cause):
    path = tmp_path / "q.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(UserError) as raised:
        read_questions(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert cause in str(raised.value)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_questions(tmp_path / "q.jsonl")
