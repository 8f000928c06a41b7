"""Conversations: merged, played and driven, without any agent or model."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.talk import drive, play, together
from clhcode.tasks import Choose, Chosen, Fault


def task(name):
    return Choose("locate", "entry", (), name, (), (), several=False)


def echo(task):
    return Fault("echo", task.phrase)


def asker(name, rounds):
    heard = []
    for number, width in enumerate(rounds):
        replies = yield [task(f"{name}.{number}.{i}") for i in range(width)]
        heard.append([reply.message for reply in replies])
    return name, heard


def expected(name, rounds):
    return name, [[f"{name}.{n}.{i}" for i in range(width)] for n, width in enumerate(rounds)]


class Immediate:
    """Answers when asked to."""

    def __init__(self):
        self.waiting = []

    def submit(self, ticket, task):
        self.waiting.append((ticket, echo(task)))

    def ready(self):
        waiting, self.waiting = self.waiting, []
        return waiting


class Shuffled(Immediate):
    """Hands back one answer at a time, in any order."""

    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.most = 0

    def ready(self):
        self.most = max(self.most, len(self.waiting))
        return [self.waiting.pop(self.random.randrange(len(self.waiting)))]


talks = st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=12)


@given(talks, st.integers(0, 99), st.integers(1, 5))
def test_drive_gives_every_talk_its_own_answers_in_input_order(shapes, seed, width):
    results = list(drive((asker(i, r) for i, r in enumerate(shapes)), Shuffled(seed), width))
    assert results == [expected(i, rounds) for i, rounds in enumerate(shapes)]


@given(talks)
def test_together_is_the_same_as_one_after_the_other(shapes):
    both = together(asker(i, rounds) for i, rounds in enumerate(shapes))
    assert play(both, echo) == [expected(i, rounds) for i, rounds in enumerate(shapes)]


def test_together_asks_the_questions_of_a_round_side_by_side():
    talk = together([asker("a", [2]), asker("b", [1, 1])])
    assert [t.phrase for t in next(talk)] == ["a.0.0", "a.0.1", "b.0.0"]
    assert [t.phrase for t in talk.send([Chosen(())] * 0 + [echo(task("x"))] * 3)] == ["b.1.0"]


def test_drive_holds_no_more_talks_than_its_width():
    begun = []

    def talks():
        for i in range(10):
            begun.append(i)
            yield asker(i, [1])

    stream = drive(talks(), Immediate(), width=3)
    next(stream)
    assert len(begun) <= 3


def test_an_exception_in_a_talk_is_not_swallowed():
    def broken():
        yield [task("x")]
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(drive([broken()], Immediate()))
