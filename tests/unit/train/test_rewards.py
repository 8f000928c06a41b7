"""Rewards: by hand, and that no fixed policy is worth what the right answer is."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.records import Note
from clhcode.tasks import AGENTS, Choose, Chosen, Extract, Extracted, Finding, Option
from clhcode.train.rewards import UNREAD, WEIGHTS, Reward, budget, f_measure, reward
from clhcode.train.wording import written
from tests.unit.train.demo import made

NOTE = (Note("n", "CHF and gout, no fever."),)
NOTED = Extract("analyse", NOTE, 0)
CHF_GOUT = Extracted((Finding("CHF", places=((0, 3),)), Finding("gout", places=((8, 12),))))


def choice(count=4, *, several=True, step="entry"):
    options = tuple(Option(f"A0{n}", f"title {n}") for n in range(count))
    return Choose("locate", step, NOTE, "CHF", (), options, several)


def answer(task, right, text, finish="stop", tokens=1, **more):
    return reward(task, right, text, finish, tokens, **more).answer


def findings(*quotes):
    each = [{"quote": q, "lead_term": "", "modifiers": [], "assertion": "present"} for q in quotes]
    return json.dumps({"conditions": each})


# By hand. Gold has 7 characters in 2 places.
@pytest.mark.parametrize(
    ("quotes", "worth"),
    [
        (("CHF", "gout"), 1.0),
        (("gout", "CHF"), 1.0),
        (("CHF",), 2 * 3 / (3 + 7)),
        (("CHF and gout",), 2 * 7 / (12 + 7)),
        (("CHF", "CHF", "gout"), 2 * 7 / (10 + 7)),  # said twice: once right, once wrong
        (("CHF", "gout", "asthma"), 2 / 3),  # all found, but one of three stands nowhere
        (("asthma",), 0.0),
        ((), 0.0),
    ],
)
def test_spans(quotes, worth):
    assert answer(NOTED, CHF_GOUT, findings(*quotes)) == pytest.approx(worth)


def test_a_note_without_conditions_wants_none():
    assert answer(NOTED, Extracted(()), findings()) == 1
    assert answer(NOTED, Extracted(()), findings("CHF")) == 0


@pytest.mark.parametrize(
    ("right", "said", "worth"),
    [
        ((2,), [2], 1.0),
        ((2,), [1], 0.0),
        ((2,), [], 0.0),
        ((2,), [1, 2, 3, 4], 2 * 1 / (4 + 1)),
        ((2, 3), [3, 2], 1.0),
        ((2, 3), [2], 2 * 1 / (1 + 2)),
        ((2,), [2, 2], 2 * 1 / (2 + 1)),  # answered twice
        ((), [], 1.0),
        ((), [1], 0.0),
    ],
)
def test_several_of_the_options(right, said, worth):
    task = choice()
    assert answer(task, Chosen(right), json.dumps({"choices": said})) == pytest.approx(worth)


@pytest.mark.parametrize(
    ("right", "said", "worth"),
    [((2,), 2, 1), ((2,), 1, 0), ((2,), 0, 0), ((), 0, 1), ((), 3, 0)],
)
def test_one_of_the_options(right, said, worth):
    task = choice(several=False)
    assert answer(task, Chosen(right), json.dumps({"choice": said})) == worth


def test_beta_below_one_makes_a_wrong_code_of_the_set_dearer_than_a_missed_one():
    task, right = choice(step="set"), Chosen((1, 2))
    more, less = '{"choices": [1, 2, 3]}', '{"choices": [1]}'
    # One wrong: P 2/3, R 1. One missed: P 1, R 1/2.
    assert answer(task, right, more) == pytest.approx(0.8)
    assert answer(task, right, less) == pytest.approx(2 / 3)
    assert answer(task, right, more, beta=0.5) == pytest.approx(1.25 * 2 / (3 + 0.25 * 2))
    assert answer(task, right, less, beta=0.5) == pytest.approx(1.25 * 1 / (1 + 0.25 * 2))
    assert answer(choice(), right, more, beta=0.5) == pytest.approx(0.8)  # of the set alone


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        ('{"choices": [2]}', "length"),
        ("The right one is 2.", "stop"),
        ('{"choices": [2]}{"choices": [2]}', "stop"),
        ('{"choices": [2]} because', "stop"),
        ('{"choices": [9]}', "stop"),
        ('{"choice": 2}', "stop"),
        ("", "stop"),
    ],
)
def test_the_gate_comes_first(text, finish):
    assert reward(choice(), Chosen((2,)), text, finish, 1) == UNREAD
    assert UNREAD.total() == 0


def test_length_costs_past_the_budget_and_up_to_twice_of_it():
    def brevity(tokens):
        return reward(choice(), Chosen((2,)), '{"choices": [2]}', "stop", tokens, most=20).brevity

    assert [brevity(n) for n in (1, 20, 30, 40, 90)] == [1, 1, 0.5, 0, 0]


def test_the_budget_is_of_the_question_alone():
    assert budget(choice(4)) == (32 + 8 * 4) // 2
    assert budget(choice(4, several=False)) == 16


def test_a_total_is_the_weighted_sum():
    assert Reward(0.5, 1, 1).total() == pytest.approx(0.7)
    assert Reward(0.5, 1, 1).total({"answer": 2}) == 1


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_f_measure_is_between_none_and_all(hits, more, missed):
    value = f_measure(hits, hits + more, hits + missed)
    assert 0 <= value <= 1
    assert (value == 1) == (more == missed == 0)


chance = random.Random(1)


def everything(task):
    if isinstance(task, Extract):
        text = task.notes[task.note].text
        return findings(*(text[n : n + 200] for n in range(0, len(text), 200)))
    numbers = list(range(1, len(task.options) + 1))
    return json.dumps({"choices": numbers} if task.several else {"choice": numbers[-1]})


def nothing(task):
    if isinstance(task, Extract):
        return findings()
    return json.dumps({"choices": []} if task.several else {"choice": 0})


def the_first(task):
    if isinstance(task, Extract):
        return findings(task.notes[task.note].text.split("\n")[0][:200])
    return json.dumps({"choices": [1]} if task.several else {"choice": 1})


def at_random(task):
    if isinstance(task, Extract):
        words = task.notes[task.note].text.split()
        return findings(*chance.sample(words, min(5, len(words))))
    number = chance.randint(1, len(task.options))
    return json.dumps({"choices": [number]} if task.several else {"choice": number})


def ramble(task):
    return "Let me see. " * 200 + nothing(task)


POLICIES = (everything, nothing, the_first, at_random, ramble)


def mean(examples, policy):
    totals = []
    for example in examples:
        text = policy(example)
        found = reward(example.task, example.answer, text, "stop", len(text) // 4)
        totals.append(found.total())
    return sum(totals) / len(totals)


def right(example):
    return written(example.task, example.answer)


@pytest.mark.parametrize("agent", AGENTS)
def test_fixed_policies_are_worth_less_than_the_right_answer(agent, demo_table):
    examples = made(agent, demo_table).train
    best = mean(examples, right)
    assert best == pytest.approx(sum(WEIGHTS.values()), abs=0.02)
    for policy in POLICIES:
        assert mean(examples, lambda e, said=policy: said(e.task)) < 0.85 * best, policy.__name__
    assert mean(examples, lambda e: right(e) + right(e)) == 0


@pytest.mark.parametrize("agent", AGENTS)
def test_saying_each_thing_twice_is_worth_less(agent, demo_table):
    def twice(example):
        values = json.loads(right(example))
        (name,) = values
        both = values[name] * 2 if isinstance(values[name], list) else values[name]
        return json.dumps({name: both})

    examples = [e for e in made(agent, demo_table).train if not e.none]
    several = [e for e in examples if json.loads(twice(e)) != json.loads(right(e))]
    assert several
    assert mean(several, twice) < 0.9 * mean(several, right)
