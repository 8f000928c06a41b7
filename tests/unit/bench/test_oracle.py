"""The oracle: answers by hand from a small gold standard."""

import pytest

from clhcode.records import Note, Span
from clhcode.runtime.oracle import Oracle
from clhcode.talk import helped, play
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Finding, Option

NOTES = (Note("n", "CHF and gout, CHF."),)
MARKED = [
    {
        "code": "I50.9",
        "system": "icd10cm",
        "evidence": [
            [{"note": 0, "begin": 0, "end": 3}],
            [{"note": 0, "begin": 14, "end": 17}],
        ],
    },
    {"code": "M10.9", "system": "icd10cm", "evidence": [[{"note": 0, "begin": 8, "end": 12}]]},
    {"code": "428.0", "system": "icd9cm", "evidence": [[{"note": 0, "begin": 0, "end": 3}]]},
]
PLAIN = [{**gold, "evidence": []} for gold in MARKED]
AGENTS = ("analyse", "locate", "verify", "assign")


def choice(*codes, evidence=((0, 3),), step="entry", several=True, agent="locate"):
    return Choose(
        agent=agent,
        step=step,
        notes=NOTES,
        phrase="CHF",
        evidence=tuple(Span(0, b, e) for b, e in evidence),
        options=tuple(Option(code, code) for code in codes),
        several=several,
    )


def test_every_marked_mention_is_found():
    answer = Oracle(MARKED, AGENTS).answer(Extract("analyse", NOTES, 0))
    assert answer == Extracted(
        (
            Finding("CHF", places=((0, 3),)),
            Finding("gout", places=((8, 12),)),
            Finding("CHF", places=((14, 17),)),
        )
    )


@pytest.mark.parametrize(
    ("task", "numbers"),
    [
        (choice("M10.9", "I50.9"), (2,)),
        (choice("M10.9", "I50.9", evidence=((8, 12),)), (1,)),
        (choice("M10.9", "I50.9", evidence=((4, 7),)), ()),
        (choice("I50", "I51"), (1,)),  # on the way down
        (choice("I50.9", "I50.22", step="subdivision", several=False), (1,)),
        (choice("M10.9", "E11.9", "I50.9", step="set", evidence=()), (1, 3)),
        (choice("428.0"), ()),  # of another book
    ],
)
def test_chooses_what_bears_on_the_evidence(task, numbers):
    assert Oracle(MARKED, AGENTS).answer(task) == Chosen(numbers)


def test_without_marks_any_gold_of_the_encounter_will_do():
    oracle = Oracle(PLAIN, AGENTS)
    assert oracle.answer(choice("M10.9", "E11.9", "I50.9")) == Chosen((1, 3))
    # Nobody marked where conditions stand: another engine must find them.
    assert oracle.answer(Extract("analyse", NOTES, 0)) is None


def test_a_code_below_an_older_gold_code_will_do():
    older = [{"code": "M54.5", "system": "icd10cm", "evidence": []}]
    assert Oracle(older, AGENTS).answer(choice("M54.50", "M54.2", step="set")) == Chosen((1,))


def test_other_agents_are_left_to_their_engine():
    oracle = Oracle(MARKED, ("locate",))
    assert oracle.answer(choice("I50.9", agent="verify", step="code")) is None

    def talk():
        return (yield [choice("I50.9"), choice("M10.9", agent="verify"), choice("I50")])

    asked = []

    def engine(task):
        asked.append(task.agent)
        return Chosen((7,))

    assert play(helped(talk(), oracle.answer), engine) == [Chosen((1,)), Chosen((7,)), Chosen((1,))]
    assert asked == ["verify"]
