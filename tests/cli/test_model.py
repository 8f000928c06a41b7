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
