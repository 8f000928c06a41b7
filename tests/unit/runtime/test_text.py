"""The text engine on a model whose answers are known: what is asked, and what comes of it."""

import json
import math
import os
import stat

import pytest
from unit.runtime.canned import Canned, ask

from clhcode.errors import UserError
from clhcode.records import Note, Span
from clhcode.runtime.cache import Answers
from clhcode.runtime.model import Rate, Rated, Write, Written
from clhcode.runtime.sampling import Manner, Sampling
from clhcode.runtime.text import THINK, TextEngine, combined
from clhcode.tasks import AGENTS, Choose, Chosen, Extract, Extracted, Fault, Option

NOTES = (Note("a", "Asthma. No gout."), Note("b", "Gout."))
OPTIONS = (Option("J45", "Asthma", score=1.0), Option("J44", "COPD", score=0.5))


def choose(
    step="entry", agent="locate", notes=NOTES, phrase="asthma", options=OPTIONS, evidence=()
):
    return Choose(agent, step, notes, phrase, evidence, options, several=True)


def manners(**values):
    return dict.fromkeys(AGENTS, Manner(**values))


def first(request):
    """An answer of the form asked for."""
    if isinstance(request, Rate):
        return Rated(tuple(-float(n) for n in range(len(request.endings))))
    properties = request.schema["properties"]
    if "conditions" in properties:
        found = {"quote": "Gout", "lead_term": "Gout", "modifiers": [], "assertion": "present"}
        return Written(json.dumps({"conditions": [found]}), "stop")
    return Written('{"choices": [1]}' if "choices" in properties else '{"choice": 1}', "stop")


def test_questions_become_requests_under_their_schema():
    model = Canned(first)
    replies = ask(
        TextEngine(model), [Extract("analyse", NOTES, 1), choose(), choose("code", "verify")]
    )
    assert [type(r) for r in replies] == [Extracted, Chosen, Chosen]
    assert replies[0].findings[0].quote == "Gout"
    assert all(isinstance(r, Write) and r.schema for r in model.asked)
    beginnings = {r.prompt.user[: r.prompt.user.index("Question")] for r in model.asked}
    assert len(beginnings) == 1
    assert len({r.prompt.group for r in model.asked}) == 1


def test_equal_questions_are_asked_once():
    model = Canned(first)
    replies = ask(TextEngine(model), [choose(), choose(), choose(phrase="gout")])
    assert replies == [Chosen((1,))] * 3
    assert len(model.asked) == 2


def test_a_fault_costs_its_question_and_is_counted():
    def answer(request):
        if "gout" in request.prompt.user.split("Question")[1]:
            return Fault("refused", "no")
        return first(request)

    engine = TextEngine(Canned(answer))
    replies = ask(engine, [choose(), choose(phrase="gout"), choose(phrase="gouts")])
    assert [getattr(r, "kind", None) for r in replies] == [None, "refused", "refused"]
    assert engine.usage.faults == {"refused": 2}


def test_thought_comes_before_the_answer_on_the_same_prompt():
    def answer(request):
        return Written("It is asthma.", "length") if request.schema is None else first(request)

    model = Canned(answer)
    engine = TextEngine(model, manners(reasoning=50), keep_raw=True)
    (reply,) = ask(engine, [choose()])
    thought, final = model.asked
    assert (thought.most, thought.schema) == (50, None)
    assert thought.prompt.user.endswith(THINK)
    assert (final.prompt.user, final.prompt.answer) == (thought.prompt.user, "It is asthma.\n")
    assert (reply.said.thought, reply.said.answer) == ("It is asthma.", '{"choices": [1]}')


def test_each_agent_has_its_own_manner():
    own = {
        **manners(),
        "verify": Manner("alone", sampling=Sampling(temperature=0.7, max_tokens=9)),
    }
    model = Canned(first)
    ask(TextEngine(model, own), [choose(), choose("code", "verify")])
    locate, verify = model.asked
    assert "Note 1" in locate.prompt.user
    assert "Note 1" not in verify.prompt.user
    assert (verify.sampling.temperature, verify.most) == (0.7, 9)
    assert locate.sampling.temperature == 0.0


# Rating


def test_options_are_rated_by_the_phrase_for_a_base_model():
    model = Canned(lambda _: Rated((-5.0, -3.0, -9.0)), chat=False)
    (reply,) = ask(TextEngine(model, manners(choose="score", rank_weight=0.5)), [choose()])
    (request,) = model.asked
    assert request.prompts[0].user == "ICD-10-CM diagnosis: Asthma\nIndexed under:"
    assert request.prompts[0].plain
    assert set(request.endings) == {" asthma"}
    # -5 and, one rank down, -3 - 0.5; none of these has -9.
    assert reply.numbers == (2,)
    assert reply.scores == (-5.0, -3.0)
    whole = math.exp(-5.0) + math.exp(-3.5) + math.exp(-9.0)
    assert reply.confidence[0] == pytest.approx(math.exp(-3.5) / whole)


def test_options_are_rated_by_their_number_for_a_chat_model():
    model = Canned(lambda _: Rated((-1.0, -3.0, -2.0)))
    (reply,) = ask(TextEngine(model, manners(choose="score")), [choose()])
    (request,) = model.asked
    assert len(set(request.prompts)) == 1
    assert request.prompts[0].answer == '{"choice":'
    assert request.endings == ("1}", "2}", "0}")
    assert reply.numbers == (1,)


@pytest.mark.parametrize(
    ("logs", "none", "weight", "numbers"),
    [
        ((-2.0, -1.9), -5.0, 0.0, (2,)),
        ((-2.0, -1.9), -5.0, 0.5, (1,)),
        ((-2.0, -2.0), -5.0, 0.0, (1,)),
        ((-2.0, -1.0), -0.5, 0.0, ()),
    ],
)
def test_the_choice_weighs_likelihood_and_rank(logs, none, weight, numbers):
    assert combined(choose(), logs, none, weight).numbers == numbers


def test_a_base_model_is_not_asked_for_a_set():
    model = Canned(first, chat=False)
    (reply,) = ask(TextEngine(model, manners(choose="score")), [choose("set", "assign")])
    assert reply.numbers == (1, 2)
    assert model.asked == []
    chat = Canned(first)
    ask(TextEngine(chat, manners(choose="score")), [choose("set", "assign")])
    assert isinstance(chat.asked[0], Write)


# What does not fit


def finding_all(request):
    """Every `conditionN` of the note that the prompt shows."""
    import re

    note = request.prompt.user.split("<<<")[1].split(">>>")[0]
    found = [
        {"quote": q, "lead_term": "", "modifiers": [], "assertion": "present"}
        for q in re.findall(r"condition\d+", note)
    ]
    return Written(json.dumps({"conditions": found}), "stop")


def test_a_long_note_is_read_in_windows_and_nothing_is_lost():
    sentences = [f"The patient also has condition{n} for some time now." for n in range(400)]
    notes = (Note("a", " ".join(sentences)), Note("b", "x " * 5_000))
    model = Canned(finding_all, context=2_000)
    engine = TextEngine(model)
    (reply,) = ask(engine, [Extract("analyse", notes, 0)])
    assert [f.quote for f in reply.findings] == [f"condition{n}" for n in range(400)]
    for finding in reply.findings:
        ((begin, end),) = finding.places
        assert notes[0].text[begin:end] == finding.quote
    assert len(model.asked) > 2
    assert engine.usage.windows == 1
    for request in model.asked:
        assert model.count(request.prompt.user) + request.most <= 2_000


def test_a_choice_on_a_long_note_sees_what_stands_around_its_evidence():
    text = "word " * 3_000 + "He has asthma now. " + "word " * 3_000
    at = text.index("asthma")
    engine = TextEngine(model := Canned(first, context=800))
    ask(engine, [choose(notes=(Note("a", text),), evidence=(Span(0, at, at + 6),))])
    (request,) = model.asked
    assert "He has asthma now." in request.prompt.user
    assert "[...]" in request.prompt.user
    assert model.count(request.prompt.user) + request.most <= 800
    assert engine.usage.excerpts == 1


def test_what_cannot_fit_at_all_is_a_fault():
    (reply,) = ask(TextEngine(Canned(first, context=60)), [Extract("analyse", NOTES, 0)])
    assert (reply.kind, "60 tokens" in reply.message) == ("too-long", True)


# Answers kept


def test_what_was_answered_is_not_asked_again(tmp_path):
    path = tmp_path / "out.answers"
    tasks = [Extract("analyse", NOTES, 0), choose(), choose(phrase="gout")]
    first_engine = TextEngine(Canned(first), answers=Answers(path))
    before = ask(first_engine, tasks[:2])
    first_engine.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    model = Canned(first)
    engine = TextEngine(model, answers=Answers(path))
    assert ask(engine, tasks)[:2] == before
    assert len(model.asked) == 1
    assert engine.usage.remembered == 2


@pytest.mark.parametrize(
    "other",
    [
        {"name": "another"},
        {"manners": manners(sampling=Sampling(temperature=0.5))},
        {"manners": manners(prompt="alone")},
    ],
)
def test_another_model_prompt_or_sampling_is_another_question(tmp_path, other):
    path = tmp_path / "a"
    ask(TextEngine(Canned(first), answers=Answers(path)), [choose()])
    model = Canned(first, name=other.get("name", "canned"))
    ask(TextEngine(model, other.get("manners", manners()), Answers(path)), [choose()])
    assert len(model.asked) == 1


def test_faults_are_not_kept(tmp_path):
    path = tmp_path / "a"
    ask(TextEngine(Canned(lambda _: Fault("refused", "no")), answers=Answers(path)), [choose()])
    assert ask(TextEngine(Canned(first), answers=Answers(path)), [choose()]) == [Chosen((1,))]


def test_only_refuses_what_is_not_kept(tmp_path):
    path = tmp_path / "a"
    ask(TextEngine(Canned(first), answers=Answers(path)), [choose()])
    engine = TextEngine(Canned(first), answers=Answers(path, only=True))
    assert ask(engine, [choose()]) == [Chosen((1,))]
    with pytest.raises(UserError, match="not among its answers"):
        engine.submit(9, choose(phrase="gout"))
    with pytest.raises(UserError, match="no answers kept here"):
        Answers(tmp_path / "nothing", only=True)


def test_a_file_that_holds_no_answers_is_told(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(os.urandom(4_096))
    with pytest.raises(UserError, match="no file of answers"):
        Answers(path)
