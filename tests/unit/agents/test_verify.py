"""Verify: down to a billable code, and what the Tabular List says of it."""

from dataclasses import replace

import pytest

from clhcode.agents.locate import PASSED_OVER
from clhcode.agents.tools import Tools
from clhcode.agents.verify import ACCEPTED, REJECTED, verify
from clhcode.icd.guidelines import open_guidelines
from clhcode.policy import GUIDELINES, MENTIONS
from clhcode.records import Candidate, Condition, Encounter, Failure, Note, Span
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.talk import drive
from clhcode.tasks import Chosen, Fault

TEXT = "Sprain of the left ankle, healing."
FAULT = Fault("timeout", "no answer")


@pytest.fixture
def tools(finder):
    return Tools(finder.store, finder)


def candidate(code, verdict=None, **fields):
    return Candidate(code, ("lead", "sub"), "index", 0.9, verdict=verdict, **fields)


def stated(*candidates, **fields):
    """An encounter with one condition that has these candidates."""
    condition = Condition("Sprain", (Span(0, 0, 6),), candidates=candidates, **fields)
    return Encounter("e1", (Note("n0", TEXT),), conditions=(condition,))


def verified(tools, before, *answers):
    """The candidates after the agent, what it asked, and the encounter."""
    engine = ScriptedEngine(answers)
    (after,) = drive([verify(before, tools)], engine)
    return after.conditions[0].candidates, engine.asked, after


def test_a_header_ends_at_the_seventh_character(tools):
    # S93.4 ankle -> S93.40 ligament not named -> S93.402 left -> D subsequent
    answers = Chosen((1,)), Chosen((2,)), Chosen((2,)), Chosen((1,))
    (found,), asked, _ = verified(tools, stated(candidate("S93.4")), *answers)
    assert [task.step for task in asked] == ["subdivision", "subdivision", "seventh", "code"]
    assert (found.code, found.verdict) == ("S93.402D", ACCEPTED)
    assert found.applied == (
        "S93.40 Sprain of unspecified ligament of ankle",
        "S93.402 Sprain of unspecified ligament of left ankle",
        "S93.402D subsequent encounter",
    )


def test_both_sides_are_two_codes_where_no_code_says_both(tools):
    answers = Chosen((2, 3)), Chosen((1, 2))
    found, (sides, _), _ = verified(tools, stated(candidate("M77.0")), *answers)
    assert [c.code for c in found] == ["M77.01", "M77.02"]
    assert sides.several
    _, (kinds, *_), _ = verified(tools, stated(candidate("I50")), Chosen(()))
    assert not kinds.several


def test_a_code_keeps_the_way_it_was_found(tools):
    before = stated(candidate("S93.40", confidence=0.7))
    (found,), _, _ = verified(tools, before, Chosen((2,)), Chosen((1,)), Chosen((1,)))
    assert (found.path, found.source, found.score, found.confidence) == (
        ("lead", "sub"),
        "index",
        0.9,
        0.7,
    )


def test_an_encounter_is_told_by_what_it_adds(tools):
    _, (task, *_), _ = verified(tools, stated(candidate("W19")), Chosen((1,)), Chosen((1,)))
    assert task.step == "seventh"
    assert [(option.code, option.text) for option in task.options] == [
        ("W19.XXXA", "initial encounter"),
        ("W19.XXXD", "subsequent encounter"),
        ("W19.XXXS", "sequela"),
    ]


def test_seven_characters_are_not_always_an_encounter(tools):
    # The upper and the lower eyelid: told apart as any children are.
    _, (task, *_), _ = verified(tools, stated(candidate("C44.102")), Chosen((1,)), Chosen((1,)))
    assert task.step == "subdivision"
    assert task.options[0].code == "C44.1021"


def test_an_only_child_is_no_question(tools):
    # F17 has F17.2 alone below it.
    _, (task, *_), _ = verified(tools, stated(candidate("F17")), Chosen(()))
    assert [option.code for option in task.options][:2] == ["F17.20", "F17.21"]


def test_a_billable_code_is_read_at_once(tools):
    (found,), (task,), _ = verified(tools, stated(candidate("I10")), Chosen((1,)))
    assert (task.step, task.options[0].text) == ("code", "Essential (primary) hypertension")
    assert (found.code, found.applied, found.verdict) == ("I10", (), ACCEPTED)


def test_what_search_found_is_marked_among_the_children(tools):
    # An unspecified code is compared with its siblings; it stands where it was found.
    before = stated(candidate("M17.10"))
    (found,), (task, *_), _ = verified(tools, before, Chosen((1,)), Chosen((1,)))
    assert {option.code: option.score for option in task.options} == {
        "M17.10": 0.9,
        "M17.11": 0.0,
        "M17.12": 0.0,
    }
    assert (found.code, found.applied) == ("M17.10", ())


def test_candidates_go_down_side_by_side_and_are_read_together(tools):
    before = stated(candidate("M17.1"), candidate("W19"))
    answers = Chosen((2,)), Chosen((1,)), Chosen((1, 2))
    found, asked, _ = verified(tools, before, *answers)
    assert [task.step for task in asked] == ["subdivision", "seventh", "code"]
    assert [option.code for option in asked[2].options] == ["M17.11", "W19.XXXA"]
    assert [(c.code, c.verdict) for c in found] == [("M17.11", ACCEPTED), ("W19.XXXA", ACCEPTED)]


def test_of_two_codes_the_notes_reject_the_one_that_is_not_chosen(tools):
    before = stated(candidate("I10"), candidate("E11.9"))
    found, _, _ = verified(tools, before, Chosen((2,)))
    assert [(c.code, c.verdict) for c in found] == [("I10", REJECTED), ("E11.9", ACCEPTED)]
    assert "note of the Tabular List" in found[0].reason


def test_an_unknown_code_is_rejected_beside_one_that_stands(tools):
    found, (task,), _ = verified(
        tools, stated(candidate("E11.222"), candidate("I10")), Chosen((1,))
    )
    assert [option.code for option in task.options] == ["I10"]
    assert [c.verdict for c in found] == [REJECTED, ACCEPTED]
    assert found[0].reason == "E11.222 is not a code of this release"


def test_a_lost_answer_on_the_way_down_costs_that_code_alone(tools):
    before = stated(candidate("M17.1"), candidate("I10"))
    found, _, after = verified(tools, before, FAULT, Chosen((1,)))
    assert [(c.code, c.verdict) for c in found] == [("M17.1", REJECTED), ("I10", ACCEPTED)]
    assert after.errors == (Failure("verify", "timeout", "no answer"),)


def test_a_lost_answer_costs_no_other_condition(tools):
    before = stated(candidate("S93.4"))
    other = Condition("ankle", (Span(0, 19, 24),), candidates=(candidate("I10"),))
    both = Encounter("e1", before.notes, conditions=(*before.conditions, other))
    _, _, after = verified(tools, both, FAULT, Chosen((1,)))
    assert [c.candidates[0].verdict for c in after.conditions] == [REJECTED, ACCEPTED]
    assert len(after.errors) == 1


def test_what_was_passed_over_stands_behind_what_was_read(tools):
    before = stated(candidate("J45.20", PASSED_OVER), candidate("I10"))
    found, _, _ = verified(tools, before, Chosen((1,)))
    assert [(c.code, c.verdict) for c in found] == [("I10", ACCEPTED), ("J45.20", PASSED_OVER)]


@pytest.mark.parametrize(
    "before",
    [
        Encounter("e1", (), conditions=()),
        stated(candidate("I10", ACCEPTED), candidate("S93.4", REJECTED)),
        Encounter("e1", (), conditions=(Condition("x", (), candidates=None),)),
        Encounter("e1", (), conditions=(Condition("x", (), candidates=()),)),
    ],
    ids=["no condition", "verified", "not looked up", "not found"],
)
def test_where_nothing_is_chosen_nothing_is_asked(tools, before):
    (after,) = drive([verify(before, tools)], engine := ScriptedEngine([]))
    assert (after, engine.asked) == (before, [])


def test_without_specificity_no_unspecified_code_is_reconsidered(finder):
    tools = Tools(finder.store, finder, GUIDELINES.less("specificity"))
    before = stated(candidate("M17.10"), candidate("M17.1"))
    found, asked, _ = verified(tools, before, Chosen((1,)))
    assert [task.step for task in asked] == ["code"]
    assert [(c.code, c.verdict) for c in found] == [("M17.10", ACCEPTED), ("M17.1", REJECTED)]
    assert found[1].reason == "M17.1 is a header"


@pytest.mark.parametrize("policy", [GUIDELINES, MENTIONS])
def test_whatever_is_accepted_is_billable(finder, policy):
    tools = Tools(finder.store, finder, policy)
    codes = ["A00", "S93.4", "M17", "W19", "F17", "E11.2", "O33.3", "G43.0"]
    first = [Chosen((1,))] * 100
    found, _, _ = verified(tools, stated(*map(candidate, codes)), *first)
    accepted = [c.code for c in found if c.verdict == ACCEPTED]
    assert accepted
    assert all(finder.store.node(code).billable for code in accepted)


def test_the_question_says_which_condition_and_whose_rules(finder):
    tools = Tools(finder.store, finder, setting="inpatient")
    before = stated(candidate("M17.1"), modifiers=("severe",))
    _, asked, _ = verified(tools, before, Chosen((1,)), Chosen((1,)))
    assert {task.phrase for task in asked} == {"severe Sprain"}
    assert {task.evidence for task in asked} == {(Span(0, 0, 6),)}
    assert {task.setting for task in asked} == {"inpatient"}


def test_the_last_question_quotes_the_guidelines_of_its_options_chapters(tools):
    answers = Chosen((1,)), Chosen((2,)), Chosen((2,)), Chosen((1,)), Chosen((1, 2))
    before = stated(candidate("S93.4"), candidate("I10"))
    _, asked, _ = verified(tools, before, *answers)
    assert {task.guidance for task in asked} == {""}
    guidelines = open_guidelines(None)
    _, asked, _ = verified(replace(tools, guidelines=guidelines), before, *answers)
    assert [bool(task.guidance) for task in asked] == [task.step == "code" for task in asked]
    injuries, heart = guidelines.section("I.C.19"), guidelines.section("I.C.9")
    assert asked[-1].guidance == f"{injuries}\n{heart}"
    # Who reads guidelines is shown what a code includes, too.
    kinds = {note.split(": ")[0] for option in asked[-1].options for note in option.notes}
    assert {"includes", "excludes1"} <= kinds
