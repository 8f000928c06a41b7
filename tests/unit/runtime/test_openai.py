"""The engine behind a URL, over real HTTP: order, waiting, retries, faults, keys."""

import threading
import time

import pytest
from openai_server import answered, serving

from clhcode.errors import EngineGoneError, UserError
from clhcode.records import Note
from clhcode.remote import is_remote
from clhcode.runtime.openai import ServedModel, Speech
from clhcode.runtime.pick import choose_engine
from clhcode.runtime.text import TextEngine
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Fault, Option

FAST = Speech(attempts=3, pause=0.01, seconds=5)


@pytest.fixture
def server():
    with serving() as each:
        yield each


def engine_at(url, speech=FAST):
    return TextEngine(ServedModel(url, speech))


def notes(name):
    return (Note(name, f"Assessment of {name}: asthma."),)


def choose(about, count=3):
    options = tuple(Option(f"J4{n}", f"Title {n}") for n in range(count))
    return Choose("locate", "entry", about, "asthma", (), options, several=True)


def ask(engine, tasks):
    for ticket, task in enumerate(tasks):
        engine.submit(ticket, task)
    found = {}
    while len(found) < len(tasks):
        found.update(engine.ready())
    return [found[ticket] for ticket in range(len(tasks))]


def test_answers_find_their_tickets(server):
    def before(number, body):
        # The later a question comes, the sooner it is answered.
        time.sleep(0.02 * (5 - min(number, 5)))

    server.before = before
    about = notes("a")
    tasks = [choose(about), Extract("analyse", about, 0), choose(notes("b"), 2), choose(about, 1)]
    found = ask(engine_at(server.url), tasks)
    assert [type(reply) for reply in found] == [Chosen, Extracted, Chosen, Chosen]
    assert found[1].findings[0].quote == "asthma"


def test_one_question_of_an_encounter_goes_ahead(server):
    gate = threading.Event()
    server.before = lambda number, _: gate.wait(5) and None
    about, others = notes("a"), notes("b")
    engine = engine_at(server.url)
    for ticket, task in enumerate([*(choose(about, n) for n in range(1, 7)), choose(others)]):
        engine.submit(ticket, task)
    time.sleep(0.3)
    assert len(server.bodies) == 2
    gate.set()
    found = {}
    while len(found) < 7:
        found.update(engine.ready())
    assert len(server.bodies) == 7


def test_no_more_are_under_way_than_allowed(server):
    server.before = lambda *_: time.sleep(0.05)
    ask(engine_at(server.url, Speech(side_by_side=3)), [choose(notes(str(n))) for n in range(12)])
    assert server.together == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, status):
    refused = (status, {"Retry-After": "0"}, b"busy")
    server.before = lambda number, _: refused if number < 3 else None
    assert ask(engine_at(server.url), [choose(notes("a"))]) == [Chosen((1,))]
    assert len(server.bodies) == 3


def test_retry_after_is_honoured(server):
    server.before = lambda number, _: (429, {"Retry-After": "1"}, b"") if number == 1 else None
    began = time.monotonic()
    ask(engine_at(server.url), [choose(notes("a"))])
    assert time.monotonic() - began >= 1


def test_a_fault_costs_its_question_only(server):
    def before(number, body):
        text = body["messages"][1]["content"]
        if "of bad" in text:
            return 400, {}, b"too long"
        if "of cut" in text:
            return answered('{"choices": [1', "length")
        return answered("no json") if "of odd" in text else None

    server.before = before
    names = ("a", "bad", "cut", "odd", "b")
    found = ask(engine_at(server.url), [choose(notes(name)) for name in names])
    assert [getattr(reply, "kind", None) for reply in found] == [
        *(None, "refused", "cut", "ill-formed", None),
    ]
    assert "of bad" not in "".join(r.message for r in found if isinstance(r, Fault))


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_knows_the_schema_by_another_name(server, status):
    def before(_, body):
        return (status, {}, b"") if body["response_format"]["type"] == "json_schema" else None

    server.before = before
    about = notes("a")
    assert ask(engine_at(server.url), [choose(about), choose(about, 2)]) == [Chosen((1,))] * 2
    # Once it is known, it is not tried again.
    assert [b["response_format"]["type"] for b in server.bodies] == [
        *("json_schema", "json_object", "json_object"),
    ]


def test_a_key_comes_from_the_environment_alone(server, monkeypatch):
    monkeypatch.delenv("CLH_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server.before = lambda *_: (401, {}, b"secret")
    engine = engine_at(server.url)
    with pytest.raises(EngineGoneError, match="answers 401: it wants a key") as told:
        ask(engine, [choose(notes("a"))])
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in str(told.value)


def test_a_server_that_is_gone_ends_the_run():
    with serving() as server:
        engine = engine_at(server.url)
    with pytest.raises(EngineGoneError, match="no answer after 3 attempts"):
        ask(engine, [choose(notes("a"))])
    with pytest.raises(EngineGoneError, match="no answer after 1 attempt"):
        engine_at(server.url)


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost/v1", False),
        ("http://[::1]:1/v1", False),
        ("https://api.example.com/v1", True),
        ("http://127.0.0.1.example.com/v1", True),
        ("http://10.0.0.1/v1", True),
    ],
)
def test_only_loopback_is_here(url, remote):
    assert is_remote(url) is remote
    assert choose_engine(None, url).remote is remote


@pytest.mark.parametrize(
    ("engine", "model", "says"),
    [
        ("openai", None, "needs --model"),
        ("rules", "http://127.0.0.1/v1", "runs no model"),
        (None, "no/such/thing", "no such file or folder"),
        ("gpt", None, "no engine `gpt`"),
    ],
)
def test_what_does_not_go_together_is_told(engine, model, says):
    with pytest.raises(UserError, match=says):
        choose_engine(engine, model)
