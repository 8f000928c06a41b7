"""Questions in words, and answers out of words."""

import json

import pytest

from clhcode.records import Note, Span
from clhcode.runtime.speak import prompt, read, schema
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Fault, Finding, Option

NOTES = (Note("a", "HPI: asthma {not} a format field\n", "Clinic note"), Note("b", "Gout."))
OPTIONS = (Option("J45.909", "Asthma", ("excludes1: wood asthma",)), Option("M10.9", "Gout"))
STEPS = ("entry", "subdivision", "seventh", "code", "set")


def choose(step="entry", several=True):
    return Choose(
        AGENT.get(step, "verify"), step, NOTES, "asthma", (Span(0, 5, 11),), OPTIONS, several
    )


AGENT = {"entry": "locate", "set": "assign"}
ALL = (Extract("analyse", NOTES, 0), *(choose(s, m) for s in STEPS for m in (True, False)))


def test_the_notes_stand_first_and_alike_in_every_question():
    spoken = [prompt(task) for task in ALL]
    assert len({each.system for each in spoken}) == 1
    texts = [each.user for each in spoken]
    until = {text[: text.index("Question:")] for text in texts}
    assert len(until) == 1
    assert "Note 1 (Clinic note):\n<<<\nHPI: asthma {not} a format field\n>>>" in until.pop()


def test_options_are_numbered_with_their_notes():
    text = prompt(choose("code")).user
    assert "1. J45.909 Asthma\n   excludes1: wood asthma\n2. M10.9 Gout" in text


@pytest.mark.parametrize("task", ALL)
def test_everything_in_a_schema_is_bounded(task):
    def check(part):
        if part.get("type") == "array":
            assert part["maxItems"] <= 100
            check(part["items"])
        elif part.get("type") == "object":
            assert part["additionalProperties"] is False
            for each in part["properties"].values():
                check(each)
        else:
            assert "enum" in part or part["maxLength"] <= 300

    check(schema(task))


@pytest.mark.parametrize(
    ("task", "values", "answer"),
    [
        (
            ALL[0],
            {
                "conditions": [
                    {
                        "quote": "asthma",
                        "lead_term": "Asthma",
                        "modifiers": ["mild"],
                        "assertion": "negated",
                    }
                ]
            },
            Extracted((Finding("asthma", "negated", "Asthma", ("mild",)),)),
        ),
        (choose(), {"choices": [2, 1, 2]}, Chosen((2, 1))),
        (choose(), {"choices": []}, Chosen(())),
        (choose(several=False), {"choice": 2}, Chosen((2,))),
        (choose(several=False), {"choice": 0}, Chosen(())),
    ],
)
def test_answers_are_read(task, values, answer):
    assert read(task, json.dumps(values), "stop") == answer


@pytest.mark.parametrize(
    ("task", "text", "kind"),
    [
        (choose(), '{"choices": [1', "ill-formed"),
        (choose(), '{"choices": [3]}', "ill-formed"),
        (choose(), '{"choices": [true]}', "ill-formed"),
        (choose(), '{"choices": ["1"]}', "ill-formed"),
        (choose(), '{"choices": 1}', "ill-formed"),
        (choose(), '{"choice": 1}', "ill-formed"),
        (choose(several=False), '{"choice": -1}', "ill-formed"),
        (choose(), "[]", "ill-formed"),
        (ALL[0], '{"conditions": [{"quote": 1, "assertion": "present"}]}', "ill-formed"),
        (ALL[0], '{"conditions": [{"quote": "a", "assertion": "maybe"}]}', "ill-formed"),
        (
            ALL[0],
            '{"conditions": [{"quote": "a", "modifiers": [1], "assertion": "present"}]}',
            "ill-formed",
        ),
        (ALL[0], '{"conditions": [{"quote": "a\nb", "assertion": "present"}]}', "ill-formed"),
    ],
)
def test_anything_else_is_a_fault_that_keeps_its_text(task, text, kind):
    fault = read(task, text, "stop")
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.raw) == (kind, text)
    assert "maybe" not in fault.message


def test_what_was_cut_is_no_answer():
    assert read(choose(), '{"choices": [1]}', "length").kind == "cut"
