"""Runs that are cut off: by Ctrl-C, by a reader that goes away, by kill."""

import json
import signal
import subprocess

import pytest

from tests.cli.run import CLH, text

MANY = 3_000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A table long enough that a run over it can be caught in the middle."""
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    with path.open("w") as out:
        for n in range(MANY):
            note = f"Assessment: asthma, visit {n}. Hypertension. Fracture of left radius."
            out.write(json.dumps({"note_id": f"n{n}", "text": note}) + "\n")
    return path


def started(*arguments, **streams):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([*CLH, *map(str, arguments)], **streams)


def test_ctrl_c_while_it_works(many):
    with started("code", many) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("clh: ")


def test_ctrl_c_while_it_waits_for_a_note():
    with started("code", "-", stdin=subprocess.PIPE) as process:
        # The first line on standard error tells that the command runs.
        process.stdin.write(b"Asthma.\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("code", "MANY"), ("analyse", "MANY"), ("lookup", "fever"), ("--help",)]
)
def test_a_reader_that_goes_away_is_no_error(arguments, many):
    arguments = [many if a == "MANY" else a for a in arguments]
    with started(*arguments) as process:
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode in (0, 141)
    assert "Traceback" not in err
    assert "Broken" not in err


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_killed_in_the_middle_leaves_no_half_output(suffix, many, tmp_path):
    target = tmp_path / f"out.{suffix}"
    small = tmp_path / "small.jsonl"
    small.write_text(json.dumps({"note_id": "a", "text": "Gout."}) + "\n")
    text("code", small, "-o", target)
    before = target.read_bytes()
    with started("code", many, "-o", target) as process:
        # The run has begun once its first line is there.
        assert process.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert target.read_bytes() == before


def test_escapes_in_a_note_do_not_reach_the_terminal():
    note = "Assessment: \x1b[31masthma\x1b[0m \x9b2J \x07 and hypertension.\n".encode()
    shown = text("code", "-", "--format", "text", "--explain", stdin=note)
    assert "asthma" in shown.lower()
    assert not any(char in shown for char in "\x1b\x9b\x07")
