"""Assign: one sequenced set, and an account of what was left out."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clhcode.agents.assign import NOT_CHOSEN, assign
from clhcode.agents.locate import PASSED_OVER
from clhcode.agents.tools import Tools
from clhcode.agents.verify import ACCEPTED, REJECTED
from clhcode.edits.claim import claim_of
from clhcode.edits.registry import check
from clhcode.icd.guidelines import open_guidelines
from clhcode.policy import MENTIONS
from clhcode.records import Candidate, Condition, Encounter, Failure, Note, Span
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.talk import drive
from clhcode.tasks import Chosen, Fault

TEXT = "Assessment:\n1. Ulcer\n2. Diabetes\nHPI: fell"
ALL = Chosen(tuple(range(1, 20)))


@pytest.fixture
def tools(finder):
    return Tools(finder.store, finder)


def candidate(code, verdict=ACCEPTED, score=1.0, **fields):
    return Candidate(code, ("lead", "sub"), "index", score, verdict=verdict, **fields)


def stated(*candidates, begin=0, section=None):
    return Condition(
        TEXT[begin : begin + 4],
        (Span(0, begin, begin + 4),),
        section=section,
        candidates=candidates,
    )


def assigned(tools, conditions, *answers, **fields):
    """The encounter after the agent, and what it asked."""
    before = Encounter("e1", (Note("n0", TEXT),), conditions=tuple(conditions), **fields)
    engine = ScriptedEngine(answers)
    (after,) = drive([assign(before, tools)], engine)
    return after, engine.asked


def codes(after):
    return [each.code for each in after.codes]


def test_only_what_was_accepted_is_coded(tools):
    one = stated(candidate("I10"), candidate("E11.9", REJECTED), candidate("J45.20", PASSED_OVER))
    after, _ = assigned(tools, [one], ALL)
    assert (codes(after), after.dropped) == (["I10"], ())


def test_one_condition_may_take_two_codes(tools):
    after, _ = assigned(tools, [stated(candidate("E85.1"), candidate("G63"))], ALL)
    assert [(c.code, c.conditions) for c in after.codes] == [("E85.1", (0,)), ("G63", (0,))]


def test_a_code_of_three_conditions_points_at_all_of_them(tools):
    conditions = [stated(candidate(code)) for code in ("I10", "E11.9", "I10", "I10")]
    after, (task,) = assigned(tools, conditions, ALL)
    assert [(c.code, c.conditions) for c in after.codes] == [("I10", (0, 2, 3)), ("E11.9", (1,))]
    assert [option.code for option in task.options] == ["I10", "E11.9"]


def test_of_merged_candidates_the_surer_one_speaks(tools):
    conditions = [
        stated(candidate("I10", confidence=0.4)),
        stated(candidate("I10", confidence=0.9, applied=("I10 a step",))),
    ]
    after, _ = assigned(tools, conditions, ALL)
    (code,) = after.codes
    assert (code.confidence, code.rationale) == (0.9, "index: lead > sub; I10 a step")


def test_conditions_are_told_by_their_section_first_and_their_order_then(tools):
    sections = ["exam", "past_history", None, "hpi", "chief_complaint", "diagnoses"]
    names = ["R60.9", "I10", "E11.9", "R05.9", "R50.9", "J18.9"]
    conditions = [stated(candidate(c), section=s) for c, s in zip(names, sections, strict=True)]
    _, (task,) = assigned(tools, conditions, ALL)
    assert [option.code for option in task.options] == [
        "J18.9",
        "R50.9",
        "R05.9",
        "E11.9",
        "R60.9",
        "I10",
    ]


def test_the_question_is_about_the_whole_encounter(tools):
    _, (task,) = assigned(tools, [stated(candidate("I10"))], ALL, setting="inpatient")
    assert (task.agent, task.step, task.phrase, task.evidence) == ("assign", "set", "", ())
    assert (task.setting, task.several) == ("inpatient", True)
    assert task.options[0].text == "Essential (primary) hypertension"


def test_an_option_says_where_it_stands_and_who_asks_for_it(tools):
    ulcer = stated(candidate("L97.411"), begin=TEXT.index("Ulcer"), section="assessment_plan")
    diabetes = stated(candidate("E11.621"), begin=TEXT.index("fell"), section="hpi")
    _, (task,) = assigned(tools, [ulcer, diabetes], ALL)
    first, second = task.options
    assert (first.stands, second.stands) == ({"assessment_plan", "problem"}, {"hpi"})
    # "Use additional code to identify site of ulcer (L97.1- ...)" and "code first ... (E11.621)".
    assert (first.asked_by, second.asked_by) == ({"E11.621"}, {"L97.411"})


def test_the_unspecified_code_gives_way_to_what_says_more(tools):
    conditions = [stated(candidate("E11.9")), stated(candidate("E11.22"))]
    after, _ = assigned(tools, conditions, ALL)
    assert codes(after) == ["E11.22"]
    (out,) = after.dropped
    assert (out.code, out.conditions, out.edit, out.because_of) == (
        "E11.9",
        (0,),
        "EX204",
        "E11.22",
    )


def test_each_of_several_dropped_codes_names_its_own_reason(tools):
    conditions = [stated(candidate(c)) for c in ("E11.9", "N18.9", "E11.22", "N18.32")]
    after, _ = assigned(tools, conditions, ALL)
    assert codes(after) == ["E11.22", "N18.32"]
    assert {d.code: d.because_of for d in after.dropped} == {"E11.9": "E11.22", "N18.9": "N18.32"}


@pytest.mark.parametrize(("first", "second", "stays"), [(0.9, 1.0, "E11.9"), (1.0, 0.9, "E10.9")])
def test_of_two_that_exclude_each_other_the_surer_one_stays(tools, first, second, stays):
    conditions = [stated(candidate("E10.9", score=first)), stated(candidate("E11.9", score=second))]
    after, _ = assigned(tools, conditions, ALL)
    assert codes(after) == [stays]
    assert after.dropped[0].because_of == stays


def test_an_edit_about_the_patient_drops_nothing(tools):
    after, _ = assigned(tools, [stated(candidate("N40.0"))], ALL, sex="female", age=70)
    assert (codes(after), after.dropped) == (["N40.0"], ())


def test_the_sequence_counts_what_is_left(tools):
    conditions = [stated(candidate(c)) for c in ("W19.XXXA", "E11.9", "E11.22", "S93.402A")]
    after, _ = assigned(tools, conditions, ALL)
    assert [(c.sequence, c.code) for c in after.codes] == [
        (1, "E11.22"),
        (2, "S93.402A"),
        (3, "W19.XXXA"),
    ]


def test_what_the_engine_leaves_out_is_no_reason_for_an_edit(tools):
    conditions = [stated(candidate("E10.9")), stated(candidate("E11.9"))]
    after, _ = assigned(tools, conditions, Chosen((1,)))
    assert codes(after) == ["E10.9"]
    assert [(d.code, d.edit, d.because_of) for d in after.dropped] == [("E11.9", NOT_CHOSEN, None)]


@pytest.mark.parametrize("policy", [MENTIONS, MENTIONS.less("merging")])
def test_mentions_are_not_put_to_the_question(finder, policy):
    tools = Tools(finder.store, finder, policy)
    after, asked = assigned(tools, [stated(candidate("I10")), stated(candidate("R07.9"))])
    assert (codes(after), asked) == (["I10", "R07.9"], [])


def test_a_lost_answer_is_told_beside_earlier_errors(tools):
    earlier = Failure("locate", "timeout", "none")
    conditions = [stated(candidate("I10")), stated(candidate("R07.9"))]
    after, _ = assigned(tools, conditions, Fault("timeout", "late"), errors=(earlier,))
    assert codes(after) == ["I10", "R07.9"]
    assert after.errors == (earlier, Failure("assign", "timeout", "late"))


def test_no_condition_is_an_empty_set_and_no_unknown_one(tools):
    after, asked = assigned(tools, [])
    assert (after.codes, after.dropped, asked) == ((), (), [])


POOL = (
    "E10.9 E11.9 E11.22 E11.2 E11.621 N18.32 N18.9 I10 I12.9 R05.9 J18.9 J44.1 J44.9 L97.411 G63"
    " E85.1 S93.402A W19.XXXA F03.90 Q99 nonsense"
).split()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(POOL), st.floats(0.5, 1)), max_size=8),
    st.sets(st.integers(1, 8)),
)
def test_no_set_has_an_objection_left_and_no_code_is_lost(tools, claimed, numbers):
    conditions = [stated(candidate(code, score=score)) for code, score in claimed]
    after, _ = assigned(tools, conditions, Chosen(tuple(sorted(numbers))))
    kept, out = after.codes, after.dropped
    given = {code for code, _ in claimed}
    # What hypertension or diabetes may make together with another code of the pool.
    together = {"I12.9", "E10.22", "E10.621", "E11.22", "E11.621"}
    assert {*codes(after), *(d.code for d in out)} - together == given - together
    assert len(kept) + len(out) == len({*codes(after), *(d.code for d in out)})
    assert [c.sequence for c in kept] == list(range(1, len(kept) + 1))
    for each in (*kept, *out):
        theirs = {claimed[number][0] for number in each.conditions}
        assert theirs == {each.code} or each.code in together
    left = check(claim_of([(c.code, 1.0) for c in kept], tools.store))
    assert [f for f in left if f.action in ("drop", "move")] == []
    assert {d.because_of for d in out} <= {None, *given, *together}


def test_a_code_that_was_not_chosen_may_be_what_others_combine_to(tools):
    conditions = [stated(candidate(code)) for code in ("E11.9", "L97.411", "E11.621")]
    after, _ = assigned(tools, conditions, Chosen((1, 2)))
    assert codes(after) == ["E11.621", "L97.411"]
    assert [(d.code, d.edit) for d in after.dropped] == [("E11.9", "CB101")]


def test_diseases_presumed_related_are_coded_as_one(tools):
    conditions = [stated(candidate(c)) for c in ("I10", "J45.20", "N18.30")]
    after, _ = assigned(tools, conditions, ALL)
    assert [(c.code, c.conditions) for c in after.codes] == [
        ("I12.9", (0, 2)),
        ("J45.20", (1,)),
        ("N18.30", (2,)),
    ]
    assert "with N18.30: I12.9 (guideline I.C.9.a)" in after.codes[0].rationale
    assert [(d.code, d.edit, d.because_of) for d in after.dropped] == [("I10", "CB101", "I12.9")]


def test_the_question_quotes_the_guidelines_of_its_setting(tools):
    conditions = [stated(candidate("I10"))]
    _, (plain,) = assigned(tools, conditions, ALL)
    assert plain.guidance == ""
    guided = replace(tools, guidelines=open_guidelines(None))
    _, (outpatient,) = assigned(guided, conditions, ALL)
    _, (inpatient,) = assigned(guided, conditions, ALL, setting="inpatient")
    assert "§ IV.H" in outpatient.guidance
    assert "§ II.H" not in outpatient.guidance
    assert "§ II.H" in inpatient.guidance
    assert "§ IV.H" not in inpatient.guidance
