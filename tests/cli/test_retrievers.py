"""Commands with `--retriever`, against a server that embeds."""

import json
import os
import signal
import threading

import pyarrow.parquet as pq
import pytest
from vectors import embeddings, serving, texts_of, write

from tests.cli.run import awaited, clh, complaint, started, text

NOTE = "Assessment:\n1. renal failure\n2. Fever\n"
ENTRIES = 8
"""Texts of the small classification."""


@pytest.fixture
def server():
    with serving() as each:
        yield each


@pytest.fixture
def env(tmp_path):
    """A user whose newest release is the small classification, with nothing built yet."""
    found = {
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    text("fetch", "icd10cm", "--from", write(tmp_path / "icd"), env=found)
    return found


def vectors(env):
    folder = f"{env['XDG_CACHE_HOME']}/clh"
    return sorted(
        name
        for name in os.listdir(folder)
        if name.startswith("vectors") and not name.endswith(".lock")
    )


def coded(*arguments, env, note=NOTE):
    done = clh("code", "-", "--format", "jsonl", *arguments, stdin=note.encode(), env=env)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line), done.stderr.decode()


def offered(row, quote):
    (found,) = [c for c in row["conditions"] if c["quote"] == quote]
    return [(c["code"], round(c["score"], 4)) for c in found["candidates"]]


def test_dense_offers_what_is_near_and_hybrid_what_both_have(server, env):
    row, said = coded("--retriever", "dense", "--embedder", server.url, env=env)
    assert offered(row, "Fever")[0] == ("A05", 1.0)
    assert len(offered(row, "Fever")) == 5
    assert f"· dense {server.url}" in said
    fused, _ = coded("--retriever", "hybrid", "--embedder", server.url, env=env)
    # First in both rankings; the others stand in one of them alone.
    assert offered(fused, "Fever")[0] == ("A05", 1.0)
    assert max(score for _, score in offered(fused, "Fever")[1:]) < 0.5
    lexical, _ = coded(env=env)
    assert offered(lexical, "Fever") == [("A05", 1.0)]


def test_top_k_is_how_many_are_offered(server, env):
    row, _ = coded("--retriever", "dense", "--embedder", server.url, "--top-k", 2, env=env)
    assert len(offered(row, "Fever")) == 2


def test_the_phrases_of_an_encounter_are_asked_for_together(server, env):
    coded("--retriever", "dense", "--embedder", server.url, env=env)
    several = [body["input"] for body in server.bodies if "input" in body]
    assert len(several[0]) == ENTRIES
    # One entry again, to see that it is still the model that made the vectors.
    assert several[1:] == [["Glimmer disease"], ["renal failure", "Fever"]]
    coded("--retriever", "dense", "--embedder", server.url, env=env)
    again = [body["input"] for body in server.bodies if "input" in body]
    assert again[3:] == several[1:]


def test_the_run_says_how_it_found_candidates(server, env, tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    runs = {}
    for name, arguments in {
        "lexical": (),
        "dense": ("--retriever", "dense", "--embedder", server.url),
        "fewer": ("--top-k", "3"),
    }.items():
        target = tmp_path / f"{name}.parquet"
        text("code", tmp_path / "n.txt", "-o", target, *arguments, env=env)
        ((run, config),) = json.loads(pq.read_schema(target).metadata[b"clh.runs"]).items()
        runs[run] = (config["retriever"], config["top_k"], config["embedder"])
    assert list(runs.values()) == [
        ("lexical", 10, None),
        ("dense", 10, "stand-in"),
        ("lexical", 3, None),
    ]


def test_piped_agents_write_what_code_writes(server, env, tmp_path):
    options = ("--retriever", "hybrid", "--embedder", server.url)
    (tmp_path / "n.txt").write_text(NOTE)
    text("code", tmp_path / "n.txt", "-o", tmp_path / "whole.jsonl", *options, env=env)
    source = tmp_path / "n.txt"
    for agent in ("analyse", "locate", "verify", "assign"):
        target = tmp_path / f"{agent}.parquet" if agent != "assign" else tmp_path / "four.jsonl"
        text(agent, source, "-o", target, *options, env=env)
        source = target
    assert (tmp_path / "four.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_the_bench_scores_a_retriever(server, env, tmp_path):
    gold = [{"code": "A01", "system": "icd10cm", "evidence": []}]
    notes = [{"note_id": "1", "text": "Assessment:\n1. Fever\n"}]
    row = {"encounter_id": "e", "split": "test", "notes": notes, "gold": gold}
    (tmp_path / "own.jsonl").write_text(json.dumps(row) + "\n")
    options = ("--retriever", "dense", "--embedder", server.url, "--top-k", "5", "--json")
    command = ("bench", "--data", tmp_path / "own.jsonl")
    found = json.loads(text(*command, *options, "-o", tmp_path / "r.json", env=env))
    run = found["run"]
    assert (run["retriever"], run["embedder"], run["top_k"]) == ("dense", "stand-in", 5)
    again = json.loads(text(*command, "--result", tmp_path / "r.json", "--json", env=env))
    assert again["run"] == run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--retriever", "dense"), "--retriever dense needs --embedder"),
        (("--embedder", "x"), "--embedder goes with --retriever dense or hybrid"),
        (("--retriever", "dense", "--embedder", "/no/such"), "--embedder /no/such: no such folder"),
    ],
)
def test_options_that_do_not_go_together(arguments, said, env):
    assert said in complaint("code", "-", *arguments, stdin=NOTE.encode(), env=env)


def test_the_missing_extra_is_one_line(env, tmp_path):
    # An environment in which the package cannot be imported.
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sentence_transformers.py").write_text("raise ImportError\n")
    path = os.pathsep.join((str(broken), os.environ.get("PYTHONPATH", "")))
    line = complaint(
        "code",
        "-",
        "--retriever",
        "dense",
        "--embedder",
        tmp_path,
        stdin=NOTE.encode(),
        env={**env, "PYTHONPATH": path},
    )
    assert "pip install 'clhcode[dense]'" in line


def test_no_server_is_one_line(env):
    with serving() as server:
        url = server.url
    options = ("--retriever", "dense", "--embedder", url)
    line = complaint("code", "-", *options, stdin=NOTE.encode(), env=env, unsaid="renal")
    assert line.startswith(f"clh: {url}: no answer after 1 attempt (")


def test_credentialed_phrases_do_not_leave_the_machine(server, env, tmp_path):
    notes = [{"note_id": "1", "text": NOTE}]
    row = {"encounter_id": "inpatient-1", "dataset": "mdace", "notes": notes}
    (tmp_path / "m.jsonl").write_text(json.dumps(row) + "\n")
    # The same server by a name that is not loopback's.
    away = server.url.replace("127.0.0.1", "0.0.0.0")
    command = ("code", tmp_path / "m.jsonl", "--retriever", "dense", "--embedder")
    line = complaint(*command, away, env=env, unsaid="renal")
    assert f"MDACE, inpatient is credentialed: its text may not leave for {away}" in line
    # The classification's own words went; nothing of the note did.
    assert len(texts_of(server)) == ENTRIES + 1
    assert "renal failure" not in texts_of(server)
    text(*command, server.url, env=env)
    text(*command, away, "--allow-remote", env=env)
    assert "renal failure" in texts_of(server)


def test_a_server_that_dies_ends_the_run_and_costs_no_row(server, env, tmp_path):
    lines = [json.dumps({"note_id": f"n{i}", "text": NOTE}) for i in range(3)]
    (tmp_path / "n.jsonl").write_text("\n".join(lines) + "\n")
    command = ("code", tmp_path / "n.jsonl", "-o", tmp_path / "out.jsonl", "--retriever", "dense")

    def dying(number, body):
        if body["input"] == ["renal failure", "Fever"]:
            return 403, {}, b""
        return embeddings(body)

    server.before = dying
    line = complaint(*command, "--embedder", server.url, env=env, unsaid="renal")
    assert "answers 403" in line
    assert "the same command goes on from there" in line
    with serving() as other:
        text(*command, "--embedder", other.url, env=env)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["errors"] for row in rows] == [[], [], []]


def test_a_build_that_is_killed_is_begun_anew(server, env, tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    command = ("code", str(tmp_path / "n.txt"), "--retriever", "dense", "--embedder", server.url)
    waiting, over = [], threading.Event()

    def slow(number, _):
        waiting.append(number)
        over.wait(60)

    server.before = slow
    process = started(*command, env={**os.environ, **env})
    awaited(lambda: waiting, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    over.set()
    assert vectors(env) == []
    server.before = lambda _, body: embeddings(body)
    before = len(texts_of(server))
    text(*command, "--format", "jsonl", env=env)
    assert len(texts_of(server)) > before + ENTRIES
    assert len(vectors(env)) == 1
