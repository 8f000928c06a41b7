"""Locate: what is looked up, what is offered, and what becomes of the choice."""

import pytest

from clhcode.agents.locate import PASSED_OVER, locate
from clhcode.agents.tools import Tools
from clhcode.icd.sources import choose, identify
from clhcode.icd.store import open_store
from clhcode.policy import MENTIONS
from clhcode.records import Candidate, Condition, Encounter, Failure, Note, Span
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.search.find import open_finder
from clhcode.talk import drive
from clhcode.tasks import Chosen, Fault

# A list and an index of our own, since the rebuilt index prints no codes in brackets.
TABULAR = """<ICD10CM.tabular><version>2031</version><chapter><name>1</name><desc>One</desc>
<section id="A00-A09"><desc>Section</desc>
<diag><name>A01</name><desc>Glimmer disease</desc></diag>
<diag><name>A02</name><desc>Neuropathy in diseases classified elsewhere</desc></diag>
</section></chapter></ICD10CM.tabular>"""
INDEX = """<ICD10CM.index><version>2031</version><letter><title>N</title>
<mainTerm><title>Neuropathy</title>
<term level="1"><title>in glimmer disease</title><code>A01</code><manif>[A02]</manif></term>
</mainTerm></letter></ICD10CM.index>"""


@pytest.fixture
def tools(finder):
    return Tools(finder.store, finder)


@pytest.fixture
def with_index(indexed_finder):
    return Tools(indexed_finder.store, indexed_finder)


@pytest.fixture(scope="module")
def glimmer(tmp_path_factory):
    """Tools over the small list and index above."""
    folder, files = tmp_path_factory.mktemp("glimmer"), []
    for name, text in (("tabular.xml", TABULAR), ("index.xml", INDEX)):
        path = folder / name
        path.write_text(text)
        files.append(identify(path))
    finder = open_finder(*open_store(choose(files), say=lambda _: None), say=lambda _: None)
    return Tools(finder.store, finder)


def stated(*quotes, **fields):
    """An encounter whose one note is these conditions, a line each."""
    text = "\n".join(f"{quote}." for quote in quotes)
    conditions = tuple(
        Condition(quote, (Span(0, begin, begin + len(quote)),), **fields)
        for quote in quotes
        for begin in (text.index(quote),)
    )
    return Encounter("e1", (Note("n0", text),), conditions=conditions)


def located(tools, before, *answers):
    """The candidates of each condition, what was asked, and the encounter."""
    engine = ScriptedEngine(answers)
    (after,) = drive([locate(before, tools)], engine)
    return [c.candidates for c in after.conditions], engine.asked, after


def test_the_question_is_about_the_words_and_where_they_stand(tools):
    before = stated("Gout", modifiers=("acute",))
    _, (task,), _ = located(tools, before, Chosen(()))
    assert (task.agent, task.step, task.phrase) == ("locate", "entry", "acute Gout")
    assert (task.evidence, task.notes) == (before.conditions[0].evidence, before.notes)
    assert task.several


def test_an_entry_shows_its_path_and_what_its_code_says(with_index):
    _, (task,), _ = located(with_index, stated("Hypertension"), Chosen(()))
    shown = {option.code: option.text for option in task.options}
    assert shown["I10"] == "Hypertension, hypertensive: Essential (primary) hypertension"


def test_options_come_best_first_and_each_code_once(tools):
    _, (task,), _ = located(tools, stated("Asthma"), Chosen(()))
    scores = [option.score for option in task.options]
    assert scores == sorted(scores, reverse=True)
    assert len({option.code for option in task.options}) == len(task.options) > 1


def test_no_more_is_offered_than_the_tools_say(finder):
    tools = Tools(finder.store, finder, candidates=3, widen=True)
    # Looked up with its modifier and without: each way finds more than three.
    _, (task,), _ = located(tools, stated("Fracture", modifiers=("pathological",)), Chosen(()))
    assert len(task.options) == 3


@pytest.mark.parametrize(("setting", "asked"), [("inpatient", 1), ("outpatient", 0), (None, 0)])
def test_the_setting_of_a_run_goes_before_that_of_the_row(finder, setting, asked):
    tools = Tools(finder.store, finder, setting=setting)
    _, tasks, _ = located(tools, stated("Gout", assertion="possible"), Chosen(()))
    assert len(tasks) == asked
    assert [task.setting for task in tasks] == [setting] * asked


def test_what_is_over_is_looked_up_as_its_history(tools):
    ((first, *_),), (task,), _ = located(
        tools, stated("pneumonia", assertion="historical"), Chosen((1,))
    )
    assert [option.code for option in task.options] == ["Z87.01"]
    assert first.code == "Z87.01"
    assert first.path[:2] == ("History", "personal")


def test_a_symptom_that_is_over_is_looked_up_and_not_found(tools):
    found, tasks, after = located(tools, stated("chest pain", assertion="historical"))
    assert (found, tasks, after.errors) == ([()], [], ())


def test_the_policy_of_mentions_codes_the_past_as_what_it_was(finder):
    tools = Tools(finder.store, finder, MENTIONS)
    _, (task,), _ = located(tools, stated("pneumonia", assertion="historical"), Chosen(()))
    assert "J18.9" in [option.code for option in task.options]


def test_a_code_in_brackets_is_reported_behind_its_etiology(glimmer):
    (found,), (task,), _ = located(
        glimmer, stated("Neuropathy in glimmer disease"), Chosen((1,), (0.8,))
    )
    assert task.options[0].code == "A01"
    etiology, manifestation, *others = found
    assert (etiology.code, etiology.source, etiology.verdict) == ("A01", "index", None)
    assert manifestation == Candidate(
        "A02",
        ("Neuropathy", "in glimmer disease", "[A02]"),
        "manifestation",
        etiology.score,
        0.8,
    )
    assert {c.verdict for c in others} <= {PASSED_OVER}


def test_an_etiology_passed_over_brings_no_manifestation(glimmer):
    (found,), _, _ = located(glimmer, stated("Neuropathy in glimmer disease"), Chosen(()))
    assert "manifestation" not in {c.source for c in found}
    assert {c.verdict for c in found} == {PASSED_OVER}


def test_a_question_without_answer_costs_its_condition_alone(tools):
    fault = Fault("timeout", "no answer")
    (gout, asthma), _, after = located(tools, stated("Gout", "Asthma"), fault, Chosen((1,)))
    assert {c.verdict for c in gout} == {PASSED_OVER}
    assert asthma[0].verdict is None
    assert after.errors == (Failure("locate", "timeout", "no answer"),)


def test_words_that_nothing_shares_have_no_candidates_and_no_question(tools):
    found, tasks, _ = located(tools, stated("Xyzzyx"))
    assert (found, tasks) == ([()], [])


def test_nothing_but_the_candidates_changes(tools):
    before = stated("Gout", section="hpi", lead_term="Gout", modifiers=("acute",))
    _, _, after = located(tools, before, Chosen((1,)))
    (was,), (now,) = before.conditions, after.conditions
    assert (now.quote, now.evidence, now.section, now.lead_term, now.modifiers, now.assertion) == (
        was.quote,
        was.evidence,
        was.section,
        was.lead_term,
        was.modifiers,
        was.assertion,
    )
    assert after.notes == before.notes
