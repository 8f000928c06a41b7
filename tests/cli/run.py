"""Runs the command line as a user does: a process of its own, real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
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


def complaint(*arguments, code=2, **options):
    """The one line on standard error of a process that must fail with `code`."""
    done = clh(*arguments, **options)
    err = done.stderr.decode()
    assert done.returncode == code, (done.returncode, err)
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("clh: ")]
    assert len(lines) == 1, err
    return lines[0]


def pipeline(*commands, output: Path | None = None):
    """Commands joined by pipes, as a shell does it; their exit codes and the last output."""
    processes = []
    before = None
    for command in commands:
        process = subprocess.Popen(
            [*CLH, *map(str, command)],
            stdin=before,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
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
