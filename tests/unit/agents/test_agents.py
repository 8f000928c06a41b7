"""Each agent against answers written for it."""

import pytest

from clhcode.agents.analyse import analyse
from clhcode.agents.assign import assign
from clhcode.agents.locate import PASSED_OVER, locate
from clhcode.agents.tools import Tools
from clhcode.agents.verify import ACCEPTED, REJECTED, verify
from clhcode.policy import GUIDELINES, MENTIONS
from clhcode.records import Candidate, Condition, Encounter, Note, Span
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.talk import drive
from clhcode.tasks import Choose, Chosen, Extracted, Fault, Finding

TEXT = "PMH: asthma. Asthma attack today; no fever.\nFracture of the shaft of the left tibia."
FAULT = Fault("timeout", "no answer in 60 s")


@pytest.fixture
def tools(finder):
    return Tools(finder.store, finder)


@pytest.fixture
def with_index(indexed_finder):
    return Tools(indexed_finder.store, indexed_finder)


def encounter(*texts, **fields):
    notes = tuple(Note(f"n{n}", text) for n, text in enumerate(texts or (TEXT,)))
    return Encounter("e1", notes, **fields)


def run(agent, before, tools, *answers):
    """The encounter after the agent, and what it asked."""
    engine = ScriptedEngine(answers)
    (after,) = drive([agent(before, tools)], engine)
    return after, engine.asked


def at(quote, text=TEXT, note=0):
    begin = text.index(quote)
    return Span(note, begin, begin + len(quote))


def condition(quote, *candidates, text=TEXT, **fields):
    found = tuple(candidates) or None
    return Condition(quote, (at(quote, text),), candidates=found, **fields)


def candidate(code, verdict=None, score=1.0):
    return Candidate(code, ("path",), "index", score, verdict=verdict)


class TestAnalyse:
    def test_a_quote_is_pinned_to_its_place(self, tools):
        after, asked = run(
            analyse, encounter(), tools, Extracted((Finding("no fever", "negated"),))
        )
        (found,) = after.conditions
        assert found.evidence == (at("no fever"),)
        assert found.assertion == "negated"
        assert [task.agent for task in asked] == ["analyse"]

    def test_the_same_words_twice_are_two_places(self, tools):
        findings = (Finding("asthma"), Finding("Asthma"))
        after, _ = run(analyse, encounter(), tools, Extracted(findings))
        assert [c.evidence[0].begin for c in after.conditions] == [
            TEXT.index("asthma"),
            TEXT.index("Asthma"),
        ]
        assert after.conditions[0].section == "past_history"

    def test_fragments_are_joined(self, tools):
        finding = Finding("Fracture ... left tibia")
        after, _ = run(analyse, encounter(), tools, Extracted((finding,)))
        assert after.conditions[0].evidence == (at("Fracture"), at("left tibia"))
        assert after.conditions[0].quote == "Fracture ... left tibia"

    def test_words_that_are_not_in_the_note_are_no_evidence(self, tools):
        findings = (Finding("pneumonia"), Finding("asthma"))
        after, _ = run(analyse, encounter(), tools, Extracted(findings))
        assert [c.quote for c in after.conditions] == ["asthma"]
        assert [(e.stage, e.kind) for e in after.errors] == [("analyse", "no-quote")]
        assert "pneumonia" not in after.errors[0].message

    def test_a_note_without_an_answer_costs_that_note(self, tools):
        before = encounter("Gout.", "Asthma.")
        after, _ = run(analyse, before, tools, FAULT, Extracted((Finding("Asthma"),)))
        assert [c.evidence[0].note for c in after.conditions] == [1]
        assert [e.kind for e in after.errors] == ["timeout"]

    def test_places_an_engine_gives_are_checked(self, tools):
        wrong = Finding("asthma", places=((0, 6),))
        after, _ = run(analyse, encounter(), tools, Extracted((wrong,)))
        assert after.conditions[0].evidence == (at("asthma"),)

    def test_without_assertion_all_are_present(self, finder):
        tools = Tools(finder.store, finder, GUIDELINES.less("assertion"))
        answer = Extracted((Finding("no fever", "negated"),))
        after, _ = run(analyse, encounter(), tools, answer)
        assert after.conditions[0].assertion == "present"

    def test_the_lead_term_is_the_index_main_term(self, with_index):
        after, _ = run(
            analyse, encounter("Kidney stone."), with_index, Extracted((Finding("Kidney stone"),))
        )
        assert after.conditions[0].lead_term.startswith("Stone")


class TestLocate:
    @pytest.mark.parametrize(
        ("assertion", "policy", "setting", "asked"),
        [
            ("present", GUIDELINES, None, 1),
            ("historical", GUIDELINES, None, 1),
            ("negated", GUIDELINES, None, 0),
            ("family", GUIDELINES, None, 0),
            ("hypothetical", GUIDELINES, None, 0),
            ("possible", GUIDELINES, "outpatient", 0),
            ("possible", GUIDELINES, "inpatient", 1),
            ("negated", MENTIONS, None, 1),
        ],
    )
    def test_the_policy_says_what_is_looked_up(self, finder, assertion, policy, setting, asked):
        before = encounter(conditions=(condition("asthma", assertion=assertion),), setting=setting)
        after, tasks = run(locate, before, Tools(finder.store, finder, policy), Chosen(()))
        assert len(tasks) == asked
        assert (after.conditions[0].candidates is None) == (asked == 0)

    def test_the_chosen_come_first_and_the_others_are_passed_over(self, tools):
        before = encounter(conditions=(condition("asthma"),))
        after, (task,) = run(locate, before, tools, Chosen((2, 1), (0.6, 0.3)))
        found = after.conditions[0].candidates
        assert [c.code for c in found[:2]] == [task.options[1].code, task.options[0].code]
        assert [c.confidence for c in found[:2]] == [0.6, 0.3]
        assert [c.verdict for c in found] == [None, None] + [PASSED_OVER] * (len(found) - 2)
        assert len(found) == len(task.options) == 10

    def test_nothing_chosen_is_an_answer(self, tools):
        before = encounter(conditions=(condition("asthma"),))
        after, _ = run(locate, before, tools, Chosen(()))
        assert {c.verdict for c in after.conditions[0].candidates} == {PASSED_OVER}
        assert after.errors == ()

    def test_without_an_answer_all_are_passed_over_and_it_is_told(self, tools):
        before = encounter(conditions=(condition("asthma"),))
        after, _ = run(locate, before, tools, FAULT)
        assert {c.verdict for c in after.conditions[0].candidates} == {PASSED_OVER}
        assert [e.kind for e in after.errors] == ["timeout"]

    def test_modifiers_belong_to_the_phrase(self, tools):
        before = encounter(conditions=(condition("asthma", modifiers=("severe",)),))
        _, (task,) = run(locate, before, tools, Chosen(()))
        assert task.phrase == "severe asthma"

    def test_conditions_are_asked_side_by_side(self, tools):
        before = encounter(conditions=(condition("asthma"), condition("fever")))
        engine = ScriptedEngine([])
        talk = locate(before, tools)
        assert len(next(talk)) == 2
        assert engine.asked == []

    def test_without_retrieval_there_are_no_candidates(self, finder):
        tools = Tools(finder.store, finder, GUIDELINES.less("retrieval"))
        after, tasks = run(locate, encounter(conditions=(condition("asthma"),)), tools)
        assert (after.conditions[0].candidates, tasks) == ((), [])


class TestVerify:
    def verified(self, tools, code, *answers, quote="Fracture of the shaft of the left tibia"):
        before = encounter(conditions=(condition(quote, candidate(code)),))
        after, asked = run(verify, before, tools, *answers)
        return after.conditions[0].candidates[0], asked, after

    def test_a_header_is_gone_down_one_level_a_question(self, tools):
        # S82.2 shaft of tibia -> S82.20 unspecified -> S82.202 left -> S82.202A closed, initial
        found, asked, _ = self.verified(
            tools, "S82.2", Chosen((1,)), Chosen((2,)), Chosen((1,)), Chosen((1,))
        )
        assert [task.step for task in asked] == ["subdivision", "subdivision", "seventh", "code"]
        assert [len(task.options) > 1 for task in asked] == [True, True, True, False]
        assert (found.code, found.verdict) == ("S82.202A", ACCEPTED)
        assert [step.split(" ")[0] for step in found.applied] == ["S82.20", "S82.202", "S82.202A"]

    def test_the_options_below_are_the_children_and_no_others(self, tools):
        _, (task, *_), _ = self.verified(tools, "S82.22", Chosen(()))
        assert [o.code for o in task.options][:3] == ["S82.221", "S82.222", "S82.223"]
        assert all(o.code.startswith("S82.22") for o in task.options)

    def test_both_sides_are_two_codes_where_no_code_says_both(self, tools):
        before = encounter(conditions=(condition("asthma", candidate("M77.0")),))
        answers = Chosen((2, 3)), Chosen((1, 2))
        after, (first, _) = run(verify, before, tools, *answers)
        found = after.conditions[0].candidates
        assert [c.code for c in found] == ["M77.01", "M77.02"]
        assert first.several
        _, (task, *_), _ = self.verified(tools, "I50", Chosen(()))
        assert not task.several

    def test_a_text_that_does_not_say_is_rejected_with_the_reason(self, tools):
        found, _, after = self.verified(tools, "S82.2", Chosen(()))
        assert found.verdict == REJECTED
        assert "S82.2" in found.reason
        assert after.errors == ()

    def test_a_code_that_is_not_of_the_release(self, tools):
        found, asked, _ = self.verified(tools, "S82.999")
        assert (found.verdict, asked) == (REJECTED, [])

    def test_an_unspecified_code_is_compared_with_its_siblings(self, tools):
        found, (task, *_), _ = self.verified(
            tools, "N18.9", Chosen((4,)), Chosen(()), quote="asthma"
        )
        assert [o.code for o in task.options][:4] == ["N18.1", "N18.2", "N18.3", "N18.4"]
        assert [o.code for o in task.options if o.score] == ["N18.9"]
        assert found.code == "N18.4"

    def test_a_note_of_the_tabular_list_can_send_it_away(self, tools):
        found, (task,), _ = self.verified(tools, "J45.20", Chosen(()), quote="asthma")
        assert task.step == "code"
        assert any(note.startswith("excludes1: ") for note in task.options[0].notes)
        assert found.verdict == REJECTED

    def test_without_an_answer_the_notes_decide_nothing(self, tools):
        found, _, after = self.verified(tools, "J45.20", FAULT, quote="asthma")
        assert found.verdict == ACCEPTED
        assert [e.stage for e in after.errors] == ["verify"]

    def test_without_specificity_a_header_is_rejected(self, finder):
        tools = Tools(finder.store, finder, GUIDELINES.less("specificity"))
        found, asked, _ = self.verified(tools, "S82.2")
        assert (found.verdict, asked) == (REJECTED, [])
        kept, _, _ = self.verified(tools, "J45.20", Chosen((1,)))
        assert kept.verdict == ACCEPTED

    def test_what_was_passed_over_stays_so(self, tools):
        before = encounter(conditions=(condition("asthma", candidate("J45.20", PASSED_OVER)),))
        after, asked = run(verify, before, tools)
        assert (after, asked) == (before, [])


class TestAssign:
    def assigned(self, tools, *coded, answer=None, **fields):
        conditions = tuple(
            condition(quote, candidate(code, ACCEPTED, score), section=section)
            for quote, code, score, section in coded
        )
        numbers = tuple(range(1, len(coded) + 1)) if answer is None else answer
        after, asked = run(
            assign, encounter(conditions=conditions, **fields), tools, Chosen(numbers)
        )
        return after, asked

    def codes(self, after):
        return [(c.code, c.conditions) for c in after.codes]

    def test_one_diagnosis_said_twice_is_one_code(self, tools):
        after, (task,) = self.assigned(
            tools, ("asthma", "J45.20", 1, None), ("Asthma", "J45.20", 0.9, None), answer=(1,)
        )
        assert self.codes(after) == [("J45.20", (0, 1))]
        assert len(task.options) == 1

    def test_the_reason_for_the_encounter_comes_first(self, tools):
        after, _ = self.assigned(
            tools, ("asthma", "J45.20", 1, "past_history"), ("fever", "R50.9", 1, "diagnoses")
        )
        assert [c.code for c in after.codes] == ["R50.9", "J45.20"]
        assert [c.sequence for c in after.codes] == [1, 2]

    def test_what_the_engine_leaves_out_is_kept_in_mind(self, tools):
        after, _ = self.assigned(
            tools, ("asthma", "J45.20", 1, None), ("fever", "R50.9", 1, None), answer=(2,)
        )
        assert self.codes(after) == [("R50.9", (1,))]
        assert [(d.code, d.edit) for d in after.dropped] == [("J45.20", "not-chosen")]

    def test_edits_drop_and_say_for_whom(self, tools):
        after, _ = self.assigned(tools, ("asthma", "E10.9", 1, None), ("fever", "E11.22", 1, None))
        (dropped,) = after.dropped
        assert dropped.edit == "EX101"
        assert {dropped.code, dropped.because_of} == {"E10.9", "E11.22"}
        assert [c.code for c in after.codes] == [dropped.because_of]

    def test_the_policy_of_mentions_drops_nothing(self, finder):
        tools = Tools(finder.store, finder, MENTIONS)
        after, _ = self.assigned(tools, ("asthma", "E10.9", 1, None), ("fever", "E11.22", 1, None))
        assert {c.code for c in after.codes} == {"E10.9", "E11.22"}
        assert after.dropped == ()

    def test_a_header_never_gets_through(self, finder):
        tools = Tools(finder.store, finder, MENTIONS)
        after, _ = self.assigned(tools, ("asthma", "J45", 1, None))
        assert after.codes == ()
        assert [d.code for d in after.dropped] == ["J45"]

    def test_the_cause_stands_before_its_manifestation(self, tools):
        after, _ = self.assigned(tools, ("asthma", "G63", 1, None), ("fever", "E85.1", 1, None))
        assert [c.code for c in after.codes] == ["E85.1", "G63"]

    def test_how_it_happened_stands_behind_what_happened(self, tools):
        after, _ = self.assigned(
            tools, ("asthma", "W19.XXXA", 1, "diagnoses"), ("fever", "S82.202A", 1, "hpi")
        )
        assert [c.code for c in after.codes] == ["S82.202A", "W19.XXXA"]

    def test_without_merging_both_mentions_stand(self, finder):
        tools = Tools(finder.store, finder, GUIDELINES.less("merging"))
        after, _ = self.assigned(
            tools, ("asthma", "J45.20", 1, None), ("Asthma", "J45.20", 1, None)
        )
        assert self.codes(after) == [("J45.20", (0,)), ("J45.20", (1,))]

    def test_nothing_accepted_asks_nothing(self, tools):
        before = encounter(conditions=(condition("asthma", candidate("J45", REJECTED)),))
        after, asked = run(assign, before, tools)
        assert (after.codes, after.dropped, asked) == ((), (), [])

    def test_without_an_answer_the_edits_alone_decide(self, tools):
        conditions = (condition("asthma", candidate("J45.20", ACCEPTED)),)
        after, asked = run(assign, encounter(conditions=conditions), tools, FAULT)
        assert isinstance(asked[0], Choose)
        assert [c.code for c in after.codes] == ["J45.20"]
        assert [e.stage for e in after.errors] == ["assign"]
