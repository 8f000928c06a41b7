"""Runs that are cut off: by Ctrl-C, by a reader that goes away, by kill."""

import json
import signal
import subprocess

import pytest

from tests.cli.run import CLH, awaited, on_a_terminal, started, taken, text

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


def complaints(err):
    """The lines of standard error that complain; a traceback is none of them."""
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    return [line for line in err.splitlines() if line.startswith("clh: ")]


def waiting(*arguments, line=b'{"text": "Asthma."}\n'):
    """A process that has taken lines from standard input, is at work, and waits for more."""
    process = started(*arguments, stdin=subprocess.PIPE)
    # The first line tells what the input is; who takes the second has begun.
    for _ in range(2):
        process.stdin.write(line)
        process.stdin.flush()
        awaited(lambda: taken(process.stdin), process)
    return process


def test_ctrl_c_while_it_works(many):
    with started("code", many) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert complaints(err) == ["clh: stopped"]


@pytest.mark.parametrize("line", [b"Asthma.\n", b'{"text": "Asthma."}\n'], ids=["note", "table"])
def test_ctrl_c_while_it_waits_for_standard_input(line):
    with waiting("code", "-", line=line) as process:
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert complaints(err) == ["clh: stopped"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_ctrl_c_leaves_an_earlier_output_and_nothing_beside_it(suffix, tmp_path):
    target = tmp_path / f"out.{suffix}"
    target.write_bytes(b"earlier")
    with waiting("code", "-", "-o", target) as process:
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert complaints(err) == ["clh: stopped"]
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"earlier"


@pytest.mark.parametrize(
    ("suffix", "earlier"),
    [("parquet", None), ("parquet", b"earlier"), ("arrow", b"earlier"), ("jsonl", b"earlier")],
)
def test_killed_in_the_middle_leaves_no_half_output(suffix, earlier, many, tmp_path):
    target = tmp_path / f"out.{suffix}"
    if earlier:
        target.write_bytes(earlier)
    with started("code", many, "-o", target) as process:
        # The first part is done, and many are to come.
        awaited(lambda: any(tmp_path.glob("*.parts/0*")), process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert (target.read_bytes() if target.exists() else None) == earlier


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_killed_while_it_reads_a_pipe_leaves_an_earlier_output(suffix, tmp_path):
    target = tmp_path / f"out.{suffix}"
    target.write_bytes(b"earlier")
    with waiting("code", "-", "-o", target) as process:
        assert len(list(tmp_path.iterdir())) == 2
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"earlier"


@pytest.mark.parametrize(
    "arguments", [("code", "MANY"), ("code", "--demo", "--format", "arrow"), ("analyse", "MANY")]
)
def test_a_reader_that_takes_one_line_and_goes_is_no_error(arguments, many):
    arguments = [many if a == "MANY" else a for a in arguments]
    with started(*arguments) as process:
        assert process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 141
    assert complaints(err) == []
    assert len(err.splitlines()) == 1  # what the run stands on


@pytest.mark.parametrize(
    "arguments",
    [
        ("lookup", "fever"),
        ("edits", "--explain", "all"),
        ("doctor",),
        ("code", "MANY"),
        ("code", "--demo", "--format", "parquet"),
        ("table", "MANY"),
    ],
)
def test_a_reader_that_never_reads_is_no_error(arguments, many):
    arguments = [many if a == "MANY" else a for a in arguments]
    with started(*arguments) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 141
    assert complaints(err) == []
    assert len(err.splitlines()) <= 1


STEERING = "\x1b\x9b\x07\x08\u202e"
"""Characters that steer a terminal: escapes, a bell, a backspace, letters turned around."""
STEERED = (
    "Assess\x07ment: \x1b[31m asthma \x1b[0m \x9b2J and hyper\u202etension.\n"
    "\x1b]0;owned\x07Fracture \x08of left radius.\n"
)


@pytest.mark.parametrize("options", [(), ("--explain",)])
def test_escapes_in_a_note_do_not_reach_the_terminal(options):
    shown = on_a_terminal("code", "-", "--plain", *options, stdin=STEERED.encode())
    assert "Unspecified asthma" in shown
    assert not set(STEERING) & set(shown)


def test_escapes_in_the_names_of_a_table_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "n.jsonl"
    row = {"encounter_id": f"e{STEERING}[2J", "note_id": f"n{STEERING}[2J", "text": STEERED}
    path.write_text("".join(json.dumps({**row, "note_id": f"{n}\x1b"}) + "\n" for n in range(2)))
    for command in ("code", "analyse"):
        assert not set(STEERING) & set(on_a_terminal(command, path, "--plain"))
    text("code", path, "-o", tmp_path / "c.parquet")
    shown = on_a_terminal("table", tmp_path / "c.parquet", "--of", "candidates", "--plain")
    assert "asthma" in shown
    assert not set(STEERING) & set(shown)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("code", "--demo", "--format", "text")]
)
def test_a_closed_pipe_is_no_failed_row(arguments):
    with subprocess.Popen(
        [*CLH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 141
    assert "Traceback" not in err
    assert "clh: " not in err
