"""What every engine must do. A new engine is one more line in `ENGINES`."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_server import serving

from clhcode.agents.tools import Tools
from clhcode.agents.verify import ACCEPTED
from clhcode.pipeline import Workplace, code, run_stages
from clhcode.records import FRAGMENTS, Encounter, Note, Span, quoted
from clhcode.runtime.openai import ServedModel, Speech
from clhcode.runtime.pick import rules_only
from clhcode.runtime.rules import RulesEngine
from clhcode.runtime.scripted import ScriptedEngine
from clhcode.runtime.speak import written
from clhcode.runtime.text import TextEngine
from clhcode.table.convert import Row
from clhcode.talk import drive
from clhcode.tasks import AGENTS, Choose, Chosen, Extract, Extracted, Fault, Finding, Option
from tests.cli.table import DEMO

TEXT = (
    "Assessment:\n1. Asthma.\n2. No chest pain.\n3. Fracture of the lower end of the left radius."
)
NOTES = (Note("n1", TEXT), Note("n2", "Hypertension and gout."))
OPTIONS = (
    Option("J45", "Asthma", score=1.0),
    Option("J44", "Other chronic obstructive pulmonary disease", score=0.4),
    Option("J20", "Acute bronchitis", score=0.2),
)


def choose(step, *, several):
    return Choose("locate", step, NOTES, "asthma", (Span(0, 15, 21),), OPTIONS, several)


TASKS = (
    Extract("analyse", NOTES, 0),
    Extract("analyse", NOTES, 1),
    *(choose(step, several=True) for step in ("entry", "code", "set")),
    *(choose(step, several=False) for step in ("subdivision", "seventh")),
)


def scripted(finder, tasks):
    """A script with an answer for each of these tasks, in their order."""
    findings = (Finding("Asthma"), Finding("chest pain", "negated")), (Finding("gout"),)
    return ScriptedEngine(
        Extracted(findings[task.note]) if isinstance(task, Extract) else Chosen((1,))
        for task in tasks
    )


ENGINES = {
    "rules": lambda finder, tasks, request: RulesEngine(finder),
    "scripted": lambda finder, tasks, request: scripted(finder, tasks),
    "openai": lambda finder, tasks, request: served(SERVER.url),
    "llamacpp": lambda finder, tasks, request: in_llamacpp(request.getfixturevalue("gguf")),
    "vllm": lambda finder, tasks, request: TextEngine(
        request.getfixturevalue("vllm_model"), keep_raw=True
    ),
    "openai to llama.cpp": lambda finder, tasks, request: served(
        request.getfixturevalue("llama_server")
    ),
    "openai to vLLM": lambda finder, tasks, request: served(request.getfixturevalue("vllm_server")),
}
REAL = ("llamacpp", "vllm", "openai to llama.cpp", "openai to vLLM")
"""Engines that run a model; of random weights, so that nothing it says makes sense."""


def served(url):
    """A language model behind a server."""
    return TextEngine(ServedModel(url, Speech(attempts=2, pause=0.01)), keep_raw=True)


def in_llamacpp(path):
    from clhcode.runtime.llamacpp import LlamaModel

    return TextEngine(LlamaModel(path), keep_raw=True)


@pytest.fixture(scope="module", autouse=True)
def server():
    global SERVER
    with serving() as SERVER:
        yield


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.engines] if name in REAL else []) for name in ENGINES
    ]
)
def start(request, finder):
    """Starts the engine for tasks it will be asked."""
    started = []

    def make(tasks):
        started.append(ENGINES[request.param](finder, tasks, request))
        return started[-1]

    make.real = request.param in REAL
    make.form = request.param in ("llamacpp", "vllm", "openai to vLLM")
    # Rules take every encounter in no time; whoever speaks gets a few.
    make.most = 2 if make.real else 8 if request.param == "openai" else None
    yield make
    # vLLM's model is shared by all tests.
    for engine in started if request.param != "vllm" else ():
        if hasattr(engine, "close"):
            engine.close()


def collected(engine, tickets):
    """The answers of submitted tickets, each of which must come exactly once."""
    found = {}
    while len(found) < len(tickets):
        ready = list(engine.ready())
        assert ready, "ready() returns with at least one answer"
        for ticket, reply in ready:
            assert ticket not in found
            found[ticket] = reply
    assert set(found) == set(tickets)
    return found


def test_every_ticket_is_answered_once_whatever_its_number(start):
    engine = start(TASKS)
    tickets = [70, 3, 41, 8, 0, 99, 12]
    for ticket, task in zip(tickets, TASKS, strict=True):
        engine.submit(ticket, task)
    assert len(collected(engine, tickets)) == len(TASKS)


def test_questions_may_be_asked_while_others_wait(start):
    engine = start(TASKS)
    for ticket, task in enumerate(TASKS):
        engine.submit(ticket, task)
        if ticket % 3 == 2:
            collected(engine, [ticket - 2, ticket - 1, ticket])
    collected(engine, [len(TASKS) - 1])


def test_an_answer_fits_its_question(start):
    engine = start(TASKS)
    for ticket, task in enumerate(TASKS):
        engine.submit(ticket, task)
    for ticket, reply in collected(engine, range(len(TASKS))).items():
        task = TASKS[ticket]
        if isinstance(reply, Fault):
            continue
        if start.form:
            # One form whoever decodes: what a model learned under one must not be odd to another.
            assert reply.said.answer == written(json.loads(reply.said.answer))
        if isinstance(task, Extract):
            assert isinstance(reply, Extracted)
            assert reply.findings or start.real
            for finding in reply.findings:
                assert start.real or finding.quote in task.notes[task.note].text
        else:
            assert isinstance(reply, Chosen)
            assert len(set(reply.numbers)) == len(reply.numbers)
            assert all(1 <= number <= len(task.options) for number in reply.numbers)
            assert task.several or len(reply.numbers) <= 1
            assert reply.confidence is None or len(reply.confidence) == len(reply.numbers)


def test_the_same_question_has_the_same_answer(start):
    tasks = [task for task in TASKS for _ in range(2)]
    engine = start(tasks)
    for ticket, task in enumerate(tasks):
        engine.submit(ticket, task)
    found = collected(engine, range(len(tasks)))
    for ticket in range(0, len(tasks), 2):
        assert found[ticket] == found[ticket + 1]


def encounters(most=None):
    for line in DEMO.read_text("utf-8").splitlines()[:most]:
        row = json.loads(line)
        notes = tuple(Note(n["note_id"], n["text"]) for n in row["notes"])
        yield Encounter(row["encounter_id"], notes, setting=row["setting"])


@pytest.mark.parametrize("width", [1, 3, 64])
def test_whole_encounters_come_back_in_order_and_sound(start, finder, width):
    tools = Tools(finder.store, finder)
    asked = list(encounters(start.most))
    done = list(drive((code(e, tools) for e in asked), start([]), width))
    assert [e.encounter_id for e in done] == [e.encounter_id for e in asked]
    for encounter in done:
        for condition in encounter.conditions:
            assert quoted(encounter.notes, condition.evidence) == condition.quote
        assert encounter.codes is not None
        for each in encounter.codes:
            assert finder.store.node(each.code).billable
            assert all(0 <= n < len(encounter.conditions) for n in each.conditions)


def test_the_width_of_a_run_changes_nothing(finder):
    tools = Tools(finder.store, finder)
    runs = [
        list(drive((code(e, tools) for e in encounters()), RulesEngine(finder), width))
        for width in (1, 5, 64)
    ]
    assert runs[0] == runs[1] == runs[2]


def test_an_engine_without_answers_costs_questions_and_no_row(finder):
    tools = Tools(finder.store, finder)
    asked = list(encounters())
    done = list(drive((code(e, tools) for e in asked), ScriptedEngine([])))
    assert [e.encounter_id for e in done] == [e.encounter_id for e in asked]
    for before, after in zip(asked, done, strict=True):
        assert after.codes == ()
        assert [f.kind for f in after.errors] == ["script-ended"] * len(before.notes)


@given(st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_submitting_and_collecting_may_be_mixed_in_any_way(start, data):
    order = data.draw(st.permutations(range(len(TASKS))))
    engine, found = start([TASKS[n] for n in order]), {}
    waiting = 0
    for ticket in order:
        engine.submit(ticket, TASKS[ticket])
        waiting += 1
        if data.draw(st.booleans()):
            ready = list(engine.ready())
            assert 1 <= len(ready) <= waiting
            assert not found.keys() & dict(ready).keys()
            found |= dict(ready)
            waiting -= len(ready)
    while waiting:
        ready = list(engine.ready())
        assert ready, "ready() returns with at least one answer"
        found |= dict(ready)
        waiting -= len(ready)
    assert found.keys() == set(order)


def test_places_an_engine_gives_hold_its_quotes(start):
    tasks = [task for task in TASKS if isinstance(task, Extract)]
    engine = start(tasks)
    for ticket, task in enumerate(tasks):
        engine.submit(ticket, task)
    for ticket, reply in collected(engine, range(len(tasks))).items():
        text = tasks[ticket].notes[tasks[ticket].note].text
        for finding in getattr(reply, "findings", ()):
            spoken = FRAGMENTS.join(text[begin:end] for begin, end in finding.places)
            assert spoken == (finding.quote if finding.places else "")


def workplace(finder, sources, engine):
    tools = Tools(finder.store, finder)
    return Workplace(tools, engine, rules_only(), sources, "run-1", {})


@pytest.mark.parametrize("stages", [AGENTS, AGENTS[:1], AGENTS[:2], AGENTS[:3]])
def test_rows_come_out_in_order_with_their_gold(start, finder, packaged, stages):
    some = encounters(start.most)
    rows = [Row(e, gold=[{"code": str(n)}]) for n, e in enumerate(some)]
    done = list(run_stages(iter(rows), stages, workplace(finder, packaged, start([])), width=2))
    assert [(r.encounter.encounter_id, r.gold) for r in done] == [
        (r.encounter.encounter_id, r.gold) for r in rows
    ]
    for row in done:
        assert row.encounter.runs == ("run-1",)
        assert (row.encounter.codes is None) == ("assign" not in stages)
        assert [f.kind for f in row.encounter.errors if f.kind == "internal"] == []


def test_stages_one_after_another_are_the_same_as_all_at_once(finder, packaged):
    place = workplace(finder, packaged, RulesEngine(finder))
    rows = [Row(e) for e in encounters()]
    whole = list(run_stages(rows, AGENTS, place))
    for stage in AGENTS:
        rows = list(run_stages(rows, [stage], place))
    assert rows == whole


def test_what_was_dropped_points_at_its_conditions(start, finder):
    tools = Tools(finder.store, finder)
    some = encounters(start.most)
    for encounter in drive((code(e, tools) for e in some), start([])):
        given = {c.code for c in encounter.codes}
        for out in encounter.dropped:
            assert out.code not in given
            for number in out.conditions:
                found = encounter.conditions[number].candidates
                assert out.code in [c.code for c in found if c.verdict == ACCEPTED]


class Flaky:
    """Passes questions on to the rules, and faults each one of some kinds."""

    def __init__(self, finder, *agents):
        self.rules, self.agents, self.lost = RulesEngine(finder), agents, []

    def submit(self, ticket, task):
        if task.agent in self.agents:
            self.lost.append((ticket, Fault("lost", "the line went dead")))
        else:
            self.rules.submit(ticket, task)

    def ready(self):
        lost, self.lost = self.lost, []
        return [*lost, *self.rules.ready()]


@pytest.mark.parametrize("agent", AGENTS)
def test_one_agent_without_answers_costs_no_row(finder, packaged, agent):
    place = workplace(finder, packaged, Flaky(finder, agent))
    rows = [Row(e) for e in encounters()]
    done = [row.encounter for row in run_stages(rows, AGENTS, place)]
    assert [e.encounter_id for e in done] == [r.encounter.encounter_id for r in rows]
    assert all(e.codes is not None for e in done)
    failures = [f for e in done for f in e.errors]
    assert failures
    assert {(f.stage, f.kind) for f in failures} == {(agent, "lost")}
    # Without analysis or look-up there is nothing to code; the rest only says less.
    assert any(e.codes for e in done) == (agent in ("verify", "assign"))
