"""Commands with `--model URL`, against a server of the OpenAI API."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from openai_server import serving

NOTE = "Assessment:\n1. asthma\n2. Essential hypertension\n"


def clh(*arguments, cwd, code=0, stdin=None):
    command = [sys.executable, "-m", "clhcode", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, input=stdin, check=False, env=os.environ
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def server():
    with serving() as each:
        yield each


def notes(folder, count):
    lines = [json.dumps({"note_id": f"n{i}", "text": f"{NOTE}Visit {i}."}) for i in range(count)]
    (folder / "notes.jsonl").write_text("\n".join(lines) + "\n")
    return "notes.jsonl"


def test_the_four_agents_think_with_a_model(server, tmp_path):
    done = clh("code", "-", "--model", server.url, "--format", "jsonl", cwd=tmp_path, stdin=NOTE)
    row = json.loads(done.stdout)
    (code,) = row["codes"]
    assert code["code"].startswith("J45")
    assert [c["quote"] for c in row["conditions"]] == ["asthma"]
    assert row["errors"] == []
    asked = [body["messages"][1]["content"] for body in server.bodies]
    for words in ("which conditions does note 1", "entries of the Alphabetic Index", "final set"):
        assert any(words in text for text in asked)
    assert "openai" in done.stderr


def test_the_model_is_in_the_provenance(server, tmp_path):
    clh("code", notes(tmp_path, 2), "--model", server.url, "-o", "out.parquet", cwd=tmp_path)
    metadata = pq.read_schema(tmp_path / "out.parquet").metadata
    (config,) = json.loads(metadata[b"clh.runs"]).values()
    assert (config["engine"], config["model"]) == ("openai", "stand-in")
    assert config["guidelines"].startswith("our own summary (")
    clh("code", "notes.jsonl", "-o", "rules.parquet", cwd=tmp_path)
    metadata = pq.read_schema(tmp_path / "rules.parquet").metadata
    (config,) = json.loads(metadata[b"clh.runs"]).values()
    assert "guidelines" not in config


def test_the_bench_scores_a_model(server, tmp_path):
    arguments = ("bench", "--dataset", "demo", "--model", server.url, "--json", "-o", "r.json")
    found = json.loads(clh(*arguments, cwd=tmp_path).stdout)
    assert (found["run"]["engine"], found["run"]["model"]) == ("openai", "stand-in")
    assert found["metrics"]["micro"]["precision"] < 1
    again = clh("bench", "--dataset", "demo", "--result", "r.json", "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["metrics"] == found["metrics"]


def test_a_fault_is_the_rows_error_and_nothing_else(server, tmp_path):
    def before(_, body):
        bad = "Visit 1." in body["messages"][1]["content"]
        return (400, {}, b"") if bad else None

    server.before = before
    arguments = ("code", notes(tmp_path, 3), "--model", server.url, "-o", "out.jsonl")
    told = clh(*arguments, cwd=tmp_path).stderr
    assert "1 question got no usable answer" in told
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [[e["kind"] for e in row["errors"]] for row in rows] == [[], ["refused"], []]
    assert [bool(row["codes"]) for row in rows] == [True, False, True]


def test_no_server_is_one_line(tmp_path):
    with serving() as server:
        url = server.url
    done = clh("code", "-", "--model", url, cwd=tmp_path, code=2, stdin=NOTE)
    assert done.stderr.startswith(f"clh: {url}: no answer after 1 attempt (")
    assert done.stderr.count("\n") == 1


def test_credentialed_text_does_not_leave_the_machine(tmp_path, server):
    row = {
        "encounter_id": "inpatient-1",
        "dataset": "mdace",
        "notes": [{"note_id": "1", "text": NOTE}],
    }
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    here = server.url
    # The same server by a name that is not loopback's.
    away = here.replace("127.0.0.1", "0.0.0.0")
    done = clh("code", "m.jsonl", "--model", away, cwd=tmp_path, code=2)
    assert "MDACE, inpatient is credentialed: its text may not leave" in done.stderr
    assert server.bodies == []
    clh("code", "m.jsonl", "--model", here, cwd=tmp_path)
    clh("code", "m.jsonl", "--model", away, "--allow-remote", cwd=tmp_path)


def test_a_server_that_dies_in_mid_run_loses_nothing(tmp_path):
    source = notes(tmp_path, 100)
    command = ("code", source, "-o", "out.jsonl", "--model")
    with serving() as first:
        clh("code", source, "--model", first.url, "-o", "whole.jsonl", cwd=tmp_path)
        many = len(first.bodies)
    with serving() as dying:

        def before(number, _):
            dying.gone = number > many * 0.6

        dying.before = before
        patience = ("--server", "attempts=3", "--server", "pause=0.1")
        done = clh(*command, dying.url, *patience, cwd=tmp_path, code=2)
    assert f"{dying.url}: no answer after 3 attempts" in done.stderr
    assert "the same command goes on" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    with serving() as second:
        told = clh(*command, second.url, cwd=tmp_path).stderr
        # By the servers' own count no question that was answered is asked again.
        assert len(dying.bodies) + len(second.bodies) == many
        assert not {json.dumps(b) for b in dying.bodies} & {json.dumps(b) for b in second.bodies}
    assert "answers remembered" in told
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_answers_kept_are_enough_for_another_run(server, tmp_path):
    source = notes(tmp_path, 3)
    clh("code", source, "--model", server.url, "-o", "a.jsonl", cwd=tmp_path)
    asked = len(server.bodies)
    again = ("code", source, "--model", server.url, "--cache", "a.jsonl.answers", "-o", "b.jsonl")
    told = clh(*again, cwd=tmp_path).stderr
    assert len(server.bodies) == asked
    assert f"{asked} answers remembered" in told
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()
    # Another prompt is another question, which nobody has answered.
    other = ("--prompt", "locate=alone", "--cache", "only", "-o", "a.jsonl")
    (tmp_path / "a.jsonl").unlink()
    refused = clh("code", source, "--model", server.url, *other, cwd=tmp_path, code=2)
    assert "not among its answers (--cache only)" in refused.stderr
    none = ("--no-cache", "-o", "c.jsonl")
    clh("code", source, "--model", server.url, *none, cwd=tmp_path)
    assert not (tmp_path / "c.jsonl.answers").exists()
    assert len(server.bodies) == 2 * asked


def test_raw_answers_are_kept_where_asked_for(server, tmp_path):
    arguments = ("code", "-", "--model", server.url, "--format", "jsonl", "--reasoning", "40")
    plain = json.loads(clh(*arguments, cwd=tmp_path, stdin=NOTE).stdout)
    assert plain["transcript"] is None
    (row,) = [json.loads(clh(*arguments, "--keep-raw", cwd=tmp_path, stdin=NOTE).stdout)]
    agents = [turn["agent"] for turn in row["transcript"]]
    assert list(dict.fromkeys(agents)) == ["analyse", "locate", "verify", "assign"]
    assert all(turn["thought"] for turn in row["transcript"])
    assert '"quote": "asthma"' in row["transcript"][0]["answer"]


def test_what_a_run_cost_is_in_its_provenance(server, tmp_path):
    arguments = ("--model", server.url, "--sampling", "temperature=0.3", "-o", "out.parquet")
    clh("code", notes(tmp_path, 2), *arguments, cwd=tmp_path)
    metadata = pq.read_schema(tmp_path / "out.parquet").metadata
    (config,) = json.loads(metadata[b"clh.runs"]).values()
    assert config["usage"][0]["requests"] == len(server.bodies)
    assert config["manners"]["locate"]["sampling"]["temperature"] == 0.3
    assert {body["temperature"] for body in server.bodies} == {0.3}


def test_servers_that_want_it_otherwise(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CLH_API_KEY", "secret")
    options = ("key_header=api-key", "api_version=2026-01-01", "reasoning_effort=low")
    more = [part for option in options for part in ("--server", option)]
    more += ["--server", "tokens_field=max_completion_tokens"]
    clh("code", "-", "--model", server.url, *more, cwd=tmp_path, stdin=NOTE)
    assert server.headers[0]["api-key"] == "secret"
    assert "Authorization" not in server.headers[0]
    body = server.bodies[0]
    assert "max_tokens" not in body
    assert (body["reasoning_effort"], body["max_completion_tokens"] > 0) == ("low", True)


def test_a_model_without_a_template_is_asked_for_a_completion(server, tmp_path):
    more = ("--server", "plain=true")
    done = clh("code", "-", "--model", server.url, *more, cwd=tmp_path, stdin=NOTE)
    assert json.loads(done.stdout)["errors"] == []
    assert all(body["prompt"].endswith("\nAnswer:\n") for body in server.bodies)


def test_a_prompt_of_ones_own(server, tmp_path):
    shown = clh("prompts", "show", "locate", cwd=tmp_path).stdout
    (tmp_path / "mine.j2").write_text(shown.replace("Question:", "Question of mine:"))
    more = ("--prompt", "locate=mine.j2")
    clh("code", "-", "--model", server.url, *more, cwd=tmp_path, stdin=NOTE)
    asked = [body["messages"][1]["content"] for body in server.bodies]
    assert any("Question of mine:" in text for text in asked)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serve", "--model", "http://127.0.0.1:1/v1"), "nothing to serve"),
        (("code", "-", "--cache", "a", "--no-cache"), "give one of them"),
        (("code", "-", "--cache", "only"), "--cache only needs -o"),
        (("code", "-", "--config", "none.toml"), "none.toml: No such file"),
        (("code", "-", "--model", "locate=none.gguf"), "llama"),
    ],
)
def test_mistakes_with_models_are_one_line(tmp_path, arguments, says):
    done = clh(*arguments, cwd=tmp_path, code=2, stdin=NOTE)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
