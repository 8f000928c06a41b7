"""Analyse: what an engine reports is pinned to the words of the notes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clhcode.agents.analyse import analyse
from clhcode.agents.tools import Tools
from clhcode.records import Encounter, Failure, Note, Span, quoted
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.talk import drive
from clhcode.tasks import Extracted, Fault, Finding

TEXT = "HPI: gout in the left\nknee. Crohn’s disease.\nAssessment: Gout."


@pytest.fixture
def tools(finder):
    return Tools(finder.store, finder)


def analysed(tools, before, *answers):
    """The encounter after the agent, and what it asked."""
    engine = ScriptedEngine(answers)
    (after,) = drive([analyse(before, tools)], engine)
    return after, engine.asked


def encounter(*texts, **fields):
    notes = tuple(Note(f"n{number}", text) for number, text in enumerate(texts))
    return Encounter("e1", notes, **fields)


def report(*findings):
    return Extracted(tuple(findings))


def test_each_note_is_one_question_beside_all_notes(tools):
    before = encounter("Gout.", "", "Asthma.")
    _, asked = analysed(tools, before, report(), report(), report())
    assert [task.note for task in asked] == [0, 1, 2]
    assert {task.notes for task in asked} == {before.notes}


def test_an_encounter_without_notes_has_no_conditions_and_asks_nothing(tools):
    after, asked = analysed(tools, encounter())
    assert (after.conditions, after.errors, asked) == ((), (), [])


def test_a_condition_points_at_its_own_note(tools):
    answers = report(Finding("Gout")), report(Finding("Asthma"))
    after, _ = analysed(tools, encounter("Gout.", "Asthma."), *answers)
    assert [c.evidence for c in after.conditions] == [(Span(0, 0, 4),), (Span(1, 0, 6),)]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("GOUT IN THE LEFT KNEE", "gout in the left\nknee"),
        ("gout in the left knee", "gout in the left\nknee"),
        ("Crohn's disease", "Crohn’s disease"),
        ('"Crohn’s disease."', "Crohn’s disease"),
        ("Assessment: Gout", "Assessment: Gout"),
    ],
)
def test_the_quote_is_as_the_note_has_it(tools, written, words):
    after, _ = analysed(tools, encounter(TEXT), report(Finding(written)))
    (found,) = after.conditions
    begin = TEXT.index(words)
    assert (found.quote, found.evidence) == (words, (Span(0, begin, begin + len(words)),))


def test_a_part_of_a_word_is_no_place_while_the_word_stands_elsewhere(tools):
    after, _ = analysed(tools, encounter("Goutweed tea for gout."), report(Finding("gout")))
    assert after.conditions[0].evidence == (Span(0, 17, 21),)


def test_places_that_hold_the_quote_are_kept_though_it_stands_earlier(tools):
    text = "gout, then gout"
    after, _ = analysed(tools, encounter(text), report(Finding("gout", places=((11, 15),))))
    assert after.conditions[0].evidence == (Span(0, 11, 15),)


@pytest.mark.parametrize("places", [((0, 4),), ((900, 904),), ((5, 9), (11, 13))])
def test_places_that_do_not_hold_the_quote_give_way_to_its_words(tools, places):
    after, _ = analysed(tools, encounter(TEXT), report(Finding("gout", places=places)))
    assert after.conditions[0].evidence == (Span(0, 5, 9),)


def test_fragments_with_places_are_one_quote(tools):
    finding = Finding("gout ... knee", places=((5, 9), (22, 26)))
    after, _ = analysed(tools, encounter(TEXT), report(finding))
    assert after.conditions[0].evidence == (Span(0, 5, 9), Span(0, 22, 26))


@pytest.mark.parametrize(
    "quote", ["", " ", " ... ", "gout ... asthma", "knee ... gout in", "tophi"]
)
def test_what_does_not_stand_in_the_note_is_an_error_without_its_words(tools, quote):
    after, _ = analysed(tools, encounter(TEXT), report(Finding(quote)))
    assert after.conditions == ()
    assert after.errors == (Failure("analyse", "no-quote", "a quote is not in note n0"),)


def test_a_quote_of_another_note_is_no_evidence(tools):
    answers = report(Finding("Asthma")), report(Finding("Gout"))
    after, _ = analysed(tools, encounter("Gout.", "Asthma."), *answers)
    assert after.conditions == ()
    assert [e.message for e in after.errors] == [
        "a quote is not in note n0",
        "a quote is not in note n1",
    ]


def test_the_section_is_that_of_the_place(tools):
    findings = Finding("gout in the left"), Finding("Gout")
    after, _ = analysed(tools, encounter(TEXT), report(*findings))
    assert [c.section for c in after.conditions] == ["hpi", "assessment_plan"]


def test_lead_term_and_modifiers_of_the_engine_stand(tools):
    finding = Finding("Gout", "possible", lead_term="Gout, gouty", modifiers=("left",))
    after, _ = analysed(tools, encounter(TEXT), report(finding))
    (found,) = after.conditions
    assert (found.assertion, found.lead_term, found.modifiers) == (
        "possible",
        "Gout, gouty",
        ("left",),
    )


def test_without_an_index_there_is_no_lead_term(tools):
    after, _ = analysed(tools, encounter(TEXT), report(Finding("Gout")))
    assert after.conditions[0].lead_term is None


def test_conditions_are_not_looked_up_yet(tools):
    after, _ = analysed(tools, encounter(TEXT), report(Finding("Gout")))
    assert after.conditions[0].candidates is None


def test_earlier_errors_stay_and_the_words_of_an_engine_are_raw(tools):
    earlier = Failure("read", "encoding", "one byte")
    before = encounter("Gout.", errors=(earlier,))
    after, _ = analysed(tools, before, Fault("unreadable", "no JSON", raw="Sure! Gout"))
    assert after.errors == (earlier, Failure("analyse", "unreadable", "no JSON", "Sure! Gout"))
    assert after.conditions == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60), st.data())
def test_any_words_of_a_note_are_found_in_it(tools, text, data):
    begin = data.draw(st.integers(0, len(text)))
    quote = text[begin : data.draw(st.integers(begin, len(text)))]
    before = encounter(text)
    after, _ = analysed(tools, before, report(Finding(quote)))
    if quote.strip():
        assert [c.quote for c in after.conditions] == [quote]
        assert quoted(before.notes, after.conditions[0].evidence) == quote
    else:
        assert [e.kind for e in after.errors] == ["no-quote"]
