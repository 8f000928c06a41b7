"""Examples: the questions of a run, answered from gold; none, orders, negatives, splits."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from clhcode.errors import UserError
from clhcode.pipeline import Retrieval, open_workplace, run_stages
from clhcode.policy import POLICIES
from clhcode.records import Note
from clhcode.runtime.pick import rules_only
from clhcode.runtime.speak import prompt, read, schema
from clhcode.table.read import read as read_table
from clhcode.tasks import AGENTS, Choose, Chosen, Extract, Extracted, Finding, Option
from clhcode.train.examples import (
    Example,
    Recipe,
    balanced,
    limited,
    of_rows,
    share_of_none,
    shuffled,
)
from clhcode.train.wording import fitted, written
from tests.unit.train.demo import made, silent, table


@pytest.fixture(scope="module")
def place():
    return open_workplace(POLICIES["guidelines"], rules_only(), retrieval=Retrieval(), say=silent)


@pytest.fixture(scope="module")
def rows(demo_table):
    return [row for batch in read_table(demo_table) for row in batch]


def choice(name="e#1", options=6, right=(2,), step="entry"):
    given = tuple(Option(f"A0{n}", f"title {n}", score=1 / n) for n in range(1, options + 1))
    task = Choose("locate", step, (), "words", (), given, several=True)
    return Example(name, task, Chosen(right))


@pytest.mark.parametrize("agent", AGENTS)
def test_answers_are_what_a_run_reads_back(agent, demo_table):
    for example in made(agent, demo_table).train:
        text = written(example.task, example.answer)
        reply = read(example.task, text, "stop")
        if isinstance(example.answer, Chosen):
            assert reply == example.answer
        else:
            said = [(f.quote, f.assertion, f.lead_term) for f in example.answer.findings]
            assert [(f.quote, f.assertion, f.lead_term) for f in reply.findings] == said
        assert set(json.loads(text)) == set(schema(example.task)["properties"])


def questions_of_a_run(place, rows, stages):
    """What the rules are asked in a run."""
    asked = []

    class Engine:
        def submit(self, ticket, task):
            asked.append(task)
            place.engine.submit(ticket, task)

        def ready(self):
            return place.engine.ready()

    list(run_stages(rows, stages, replace(place, engine=Engine())))
    return [task for task in asked if task.agent == stages[-1]]


def test_the_questions_to_analyse_are_those_of_a_run(place, rows):
    asked = questions_of_a_run(place, rows[:6], ("analyse",))
    examples = of_rows(rows[:6], place.tools, Recipe("analyse"))
    assert [e.task for e in examples] == asked


def test_the_questions_to_locate_are_those_of_a_run_but_for_their_order(place, rows):
    def by_phrase(tasks):
        return {(t.phrase, t.evidence): sorted((o.code, o.text) for o in t.options) for t in tasks}

    run = by_phrase(questions_of_a_run(place, rows[:12], ("analyse", "locate")))
    examples = of_rows(rows[:12], place.tools, Recipe("locate", negatives=0))
    ours = by_phrase(e.task for e in examples)
    same = run.keys() & ours.keys()
    # The others are of gold that the rules do not find.
    assert len(same) > len(ours) / 2
    assert all(run[key] == ours[key] for key in same)


def test_verify_is_asked_with_what_a_language_model_is_shown(demo_table):
    users = [prompt(e.task).user for e in made("verify", demo_table).train]
    assert any("Of the guidelines:" in user for user in users)
    assert any("\n   inclusion: " in user for user in users)


def test_locate_has_the_candidates_of_retrieval_and_siblings(place, rows):
    bare = list(of_rows(rows, place.tools, Recipe("locate", negatives=0)))
    more = list(of_rows(rows, place.tools, Recipe("locate", negatives=3)))
    assert [e.name for e in bare] == [e.name for e in more]
    added = Counter()
    for one, other in zip(bare, more, strict=True):
        found = {o.code for o in one.task.options}
        assert found <= {o.code for o in other.task.options}
        put = [o for o in other.task.options if o.code not in found]
        added[len(put)] += 1
        gold = [other.task.options[n - 1].code for n in other.answer.numbers]
        assert {o.code for o in put}.isdisjoint(gold)
    assert max(added) == 3
    assert added[3] > len(bare) / 2


def test_gold_is_put_in_only_when_asked(place, rows):
    def right(**options):
        examples = list(of_rows(rows, place.tools, Recipe("locate", **options)))
        return {e.name: not e.none for e in examples}

    plain, put = right(), right(oracle_candidates=True)
    assert plain.keys() == put.keys()
    assert all(put[name] for name, there in plain.items() if there)
    assert sum(put.values()) > sum(plain.values())


@pytest.mark.parametrize("agent", ["verify", "assign"])
def test_gold_put_in_comes_to_the_later_agents(agent, place, rows):
    def offered(**options):
        examples = of_rows(rows, place.tools, Recipe(agent, **options))
        return sum(len(e.answer.numbers) for e in examples)

    assert offered(oracle_candidates=True) > offered()


def test_wrong_candidates_reach_verify_and_assign(demo_table):
    for agent in ("verify", "assign"):
        examples = [e for e in made(agent, demo_table).train if isinstance(e.answer, Chosen)]
        wrong = sum(len(e.task.options) - len(e.answer.numbers) for e in examples)
        assert wrong > len(examples) / 2


def test_orders_are_stable_and_tell_nothing():
    many = [choice(f"e#{n}", right=(1, 3)) for n in range(400)]
    once, again = ([shuffled(e, 1) for e in many] for _ in range(2))
    assert once == again
    assert once != [shuffled(e, 2) for e in many]
    for before, after in zip(many, once, strict=True):
        assert sorted(o.code for o in after.task.options) == [f"A0{n}" for n in range(1, 7)]
        # The best stays the best, wherever it stands.
        codes = [after.task.options[n - 1].code for n in after.answer.numbers]
        assert codes == [before.task.options[n - 1].code for n in before.answer.numbers]
    first = Counter(e.answer.numbers[0] for e in once)
    assert set(first) == set(range(1, 7))
    assert max(first.values()) < 2 * 400 / 6


def test_what_is_right_stands_anywhere_among_siblings(place, rows):
    """With real siblings beside it; were both drawn by one hash, it would mostly be the last."""
    found = of_rows(rows, place.tools, Recipe("locate"))
    four = [e for e in found if len(e.task.options) == 4 and len(e.answer.numbers) == 1]
    places = Counter(e.answer.numbers[0] for e in four)
    assert len(four) > 100
    # Four standard deviations of a fair draw.
    allowed = 4 * (len(four) * 0.25 * 0.75) ** 0.5
    assert all(abs(places[n] - len(four) / 4) < allowed for n in range(1, 5)), places


def test_children_stay_in_the_order_of_the_tabular_list():
    for step in ("subdivision", "seventh"):
        example = choice(step=step)
        assert shuffled(example, 1) == example


@pytest.mark.parametrize("none", [0, 50, 200])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_the_share_of_none_is_the_set_one(none, share):
    some = [choice(f"a#{n}") for n in range(200)]
    nones = [choice(f"b#{n}", right=()) for n in range(none)]
    found = balanced([*some, *nones], Recipe("locate", none_share=share))
    assert share_of_none(found) == pytest.approx(share, abs=0.01)
    assert found == balanced([*some, *nones], Recipe("locate", none_share=share))
    for example in found:
        assert example.none or example.answer == Chosen((2,))
        if example.none and example.name.startswith("a"):
            assert "A02" not in {o.code for o in example.task.options}


def test_how_many_options_there_are_does_not_tell(place, rows):
    found = list(of_rows(rows, place.tools, Recipe("locate", none_share=0.6)))
    before = {e.name: e for e in found}
    after = balanced(found, Recipe("locate", none_share=0.6))
    made_none = [e for e in after if e.none and not before[e.name].none]
    assert len(made_none) > 50
    same = sum(len(e.task.options) == len(before[e.name].task.options) for e in made_none)
    assert same > 0.9 * len(made_none)
    for example in made_none:
        old = before[example.name]
        right = {old.task.options[n - 1].code for n in old.answer.numbers}
        codes = [option.code for option in example.task.options]
        assert right.isdisjoint(codes)
        assert len(set(codes)) == len(codes)


def test_other_steps_keep_their_answers():
    sides = [choice(f"s#{n}", step="subdivision", right=()) for n in range(9)]
    assert balanced(sides, Recipe("verify", none_share=0.0)) == sides


def test_a_limit_draws_the_same_each_time():
    many = [choice(f"e#{n}") for n in range(50)]
    few = limited(many, 7, 1)
    assert len(few) == 7
    assert few == limited(many[::-1], 7, 1)[::-1]
    assert few != limited(many, 7, 2)
    assert limited(many, None, 1) == many


def test_analyse_is_told_what_the_rules_believe_of_gold(place):
    text = "Denies gout. History of asthma. Mother had diabetes."
    places = {"M10.9": (7, 11), "J45.909": (24, 30), "E11.9": (43, 51)}
    gold = [
        {"code": code, "system": "icd10cm", "evidence": [[{"note": 0, "begin": b, "end": e}]]}
        for code, (b, e) in places.items()
    ]
    from clhcode.records import Encounter
    from clhcode.table.convert import Row

    row = Row(Encounter("e", (Note("n", text),)), gold)
    (example,) = of_rows([row], place.tools, Recipe("analyse"))
    said = {f.quote: f.assertion for f in example.answer.findings}
    # What was coded is not denied.
    assert said == {"gout": "present", "asthma": "present", "diabetes": "family"}


def test_splits_are_respected(demo_table):
    found = made("locate", demo_table)
    splits = {
        row["encounter_id"]: row["split"]
        for row in map(json.loads, demo_table.read_text("utf-8").splitlines())
    }
    for split, part in (("train", found.train), ("dev", found.dev)):
        assert part
        assert {splits[e.name.rpartition("#")[0]] for e in part} == {split}


def faulty(path, change):
    rows = [json.loads(line) for line in table(path, few=8).read_text("utf-8").splitlines()]
    for number, row in enumerate(rows):
        change(number, row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _same(number, row):
    row["encounter_id"] = "twice" if number in (0, 1) else row["encounter_id"]


def _no_split(_, row):
    row["split"] = None


def _no_gold(_, row):
    row["gold"] = None


def _no_marks(_, row):
    row["gold"] = [{**gold, "evidence": []} for gold in row["gold"]]


@pytest.mark.parametrize(
    ("change", "agent", "cause"),
    [
        (_same, "locate", "1 by the stay or note.*the first is twice"),
        (_no_split, "locate", "no row names a split"),
        (_no_gold, "locate", "no encounter has gold codes"),
        (_no_marks, "analyse", "its gold marks no evidence in the text"),
    ],
)
def test_a_wrong_table_is_told(tmp_path, change, agent, cause):
    path = faulty(tmp_path / "t.jsonl", change)
    with pytest.raises(UserError, match=cause):
        made(agent, path)


def test_a_policy_that_asks_assign_nothing_is_told(demo_table):
    with pytest.raises(UserError, match="the policy mentions asks it nothing: --policy guidelines"):
        made("assign", demo_table, policy="mentions")


def test_without_marks_the_other_agents_can_learn(tmp_path):
    path = faulty(tmp_path / "t.jsonl", _no_marks)
    assert all(made(agent, path).train for agent in AGENTS[1:])


def test_a_long_note_is_learned_by_windows_and_a_long_question_by_an_excerpt():
    line = "The patient has gout and was seen today in the office for it. "
    text = line * 60
    places = tuple(
        Finding("gout", places=((n * len(line) + 16, n * len(line) + 20),)) for n in range(60)
    )
    notes = (Note("n", text),)
    example = Example("e#1", Extract("analyse", notes, 0), Extracted(places))
    windows = fitted(example, "alone", 3_000, lambda t: len(t) // 4)
    assert len(windows) > 1
    assert {w.whole for w in windows} == {"e#1"}
    found = 0
    for window in windows:
        own = window.task.notes[0].text
        assert own in text
        assert len(own) < len(text)
        for finding in window.answer.findings:
            ((begin, end),) = finding.places
            assert own[begin:end] == "gout"
        found += len(window.answer.findings)
    assert found >= 60
    long = replace(choice(), task=replace(choice().task, notes=notes))
    (excerpt,) = fitted(long, "context", 1_000, lambda t: len(t) // 4)
    assert len(prompt(excerpt.task).user) < 4_000
    assert excerpt.answer == long.answer
