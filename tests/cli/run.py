"""Runs the command line as a user does: a process of its own, real pipes and terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

CLH = (sys.executable, "-m", "clhcode")


def clh(*arguments, stdin=b"", env=None, cwd=None):
    """One finished process; its output as bytes."""
    return subprocess.run(
        [*CLH, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=120,
        check=False,
    )


def text(*arguments, **options):
    """Standard output of a process that must succeed."""
    done = clh(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def complaint(*arguments, code=2, unsaid=None, **options):
    """The one line on standard error of a process that must fail with `code`.

    A word that is `unsaid` stands nowhere on standard error.
    """
    done = clh(*arguments, **options)
    err = done.stderr.decode()
    assert done.returncode == code, (done.returncode, err)
    assert "Traceback" not in err
    assert unsaid is None or unsaid not in err
    lines = [line for line in err.splitlines() if line.startswith("clh: ")]
    assert len(lines) == 1, err
    return lines[0]


def started(*arguments, **streams):
    """A process that runs, its standard output and error as pipes."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([*CLH, *map(str, arguments)], **streams)


def pipeline(*commands, output: Path | None = None, env=None):
    """Commands joined by pipes, as a shell does it; their exit codes and the last output."""
    processes = []
    before = None
    for command in commands:
        process = subprocess.Popen(
            [*CLH, *map(str, command)],
            stdin=before,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        if before is not None:
            before.close()
        before = process.stdout
        processes.append(process)
    out = before.read()
    before.close()
    codes = []
    for process in processes:
        process.stderr.close()
        codes.append(process.wait(timeout=120))
    return codes, out


def on_a_terminal(*arguments, stdin=b"", **env):
    """What a person sees: standard output is a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    variables = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color", **env}
    with started(*arguments, stdin=subprocess.PIPE, stdout=theirs, env=variables) as process:
        os.close(theirs)
        process.stdin.write(stdin)
        process.stdin.close()
        seen = b"".join(iter(lambda: _block(ours), b""))
        os.close(ours)
        err = process.stderr.read()
    assert process.returncode == 0, err
    return seen.decode().replace("\r\n", "\n")


def _block(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""


def awaited(event, process):
    """Returns once `event()` is true, which must be while the process runs."""
    deadline = time.monotonic() + 60
    while not event():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def taken(pipe):
    """Whether the reader of a pipe has taken all that was written into it."""
    (left,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return left == 0
