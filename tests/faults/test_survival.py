"""Runs to a file that are killed, stopped, run twice and shared, and end as one undisturbed."""

import json
import random
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from tests.cli.run import CLH, clh, complaint, text
from tests.cli.table import demo_rows, read_rows

ROWS = 400


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    short = [{**row, "notes": row["notes"][:1]} for row in demo_rows()]
    with path.open("w") as out:
        for number in range(ROWS):
            row = {**short[number % len(short)], "encounter_id": f"e{number}"}
            row["notes"] = [{**row["notes"][0], "text": row["notes"][0]["text"][:600]}]
            out.write(json.dumps(row) + "\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    """The rows of a run that nothing happened to, and the seconds it took."""
    target = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    began = time.perf_counter()
    text("code", many, "-o", target)
    return read_rows(target), time.perf_counter() - began


def start(*arguments):
    return subprocess.Popen([*CLH, *map(str, arguments)], stderr=subprocess.PIPE)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_killed_again_and_again_it_ends_as_if_undisturbed(many, undisturbed, suffix, tmp_path):
    rows, seconds = undisturbed
    (tmp_path / f".out.{suffix}.0badcafe.tmp").write_text("what a kill left")
    target, chance = tmp_path / f"out.{suffix}", random.Random(suffix)
    kills = 0
    while kills < 5 and not target.exists():
        with start("code", many, "-o", target) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0.1, 0.6) * seconds)
            kills += process.poll() is None
            process.kill()
    assert kills
    text("code", many, "-o", target)
    found = read_rows(target)
    if suffix == "parquet":
        other = tmp_path / "other.parquet"
        text("code", many, "-o", other)
        assert found == read_rows(other)
    else:
        assert found == rows
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == [target.name]


def test_what_is_done_is_not_done_again(many, tmp_path):
    target = tmp_path / "out.jsonl"
    with start("code", many, "-o", target) as process:
        while not list(tmp_path.glob("out.jsonl.parts/0000*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert "rows are safe in" in err
    assert "the same command goes on" in err
    (first, *_) = sorted(tmp_path.glob("out.jsonl.parts/0000*"))
    before = first.stat().st_mtime_ns
    with start("code", many, "-o", target) as process:
        process.stderr.readline()
        assert first.stat().st_mtime_ns == before
    assert len(read_rows(target)) == ROWS


def test_a_run_of_another_kind_is_not_gone_on_with(many, tmp_path):
    target = tmp_path / "out.jsonl"
    with start("code", many, "-o", target) as process:
        while not (tmp_path / "out.jsonl.parts/fingerprint.json").exists():
            time.sleep(0.01)
        process.kill()
    line = complaint("code", many, "-o", target, "--policy", "mentions")
    assert "policy differ" in line
    assert "out.jsonl.parts" in line


def test_a_second_writer_is_refused_while_the_first_lives(many, tmp_path):
    target = tmp_path / "out.jsonl"
    with start("code", many, "-o", target) as process:
        while not (tmp_path / "out.jsonl.parts/fingerprint.json").exists():
            time.sleep(0.01)
        assert "another run is writing it" in complaint("code", many, "-o", target)
        process.kill()
    # A killed run leaves no lock.
    text("code", many, "-o", target)


def test_a_finished_output_is_left_alone(many, tmp_path):
    target = tmp_path / "out.jsonl"
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(many.read_text().splitlines()[:3]) + "\n")
    text("code", few, "-o", target)
    before = target.stat().st_mtime_ns
    done = clh("code", few, "-o", target)
    assert done.returncode == 0
    assert "is finished: 3 rows, nothing to do" in done.stderr.decode()
    assert target.stat().st_mtime_ns == before
    text("code", few, "-o", target, "--policy", "mentions")
    assert target.stat().st_mtime_ns != before


def test_workers_give_the_same_rows(many, undisturbed, tmp_path):
    text("code", many, "-o", tmp_path / "out.jsonl", "--workers", "2")
    assert read_rows(tmp_path / "out.jsonl") == undisturbed[0]


def test_a_worker_that_is_killed_is_told_and_the_run_goes_on_later(many, undisturbed, tmp_path):
    target = tmp_path / "out.jsonl"
    with start("code", many, "-o", target, "--workers", "2") as process:
        while not list(tmp_path.glob("out.jsonl.parts/0000*")):
            assert process.poll() is None
            time.sleep(0.01)
        workers = subprocess.check_output(["pgrep", "-P", str(process.pid), "-f", "spawn_main"])
        subprocess.run(["kill", "-9", workers.split()[0].decode()], check=True)
        err = process.stderr.read().decode()
    assert process.returncode == 2
    assert "a worker was killed" in err
    assert "Traceback" not in err
    text("code", many, "-o", target)
    assert read_rows(target) == undisturbed[0]


def test_another_column_of_text_is_another_run(tmp_path):
    (tmp_path / "t.csv").write_text("text,note\nAsthma.,Gout.\n")
    for column, code in (("text", "J45.909"), ("note", "M10.9")):
        target = tmp_path / "c.jsonl"
        text("code", tmp_path / "t.csv", "-o", target, "--text-column", column)
        assert [c["code"] for row in read_rows(target) for c in row["codes"]] == [code]
