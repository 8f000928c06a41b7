"""The keeper of a shared server, on real processes."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

SERVER = """
import signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", deaf])
time.sleep(600)
"""
"""A server with a worker that does not listen, as vLLM's does not while it loads a model."""


def of_group(group):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(own) == group and state != "Z":
            found.append(int(folder.name))
    return found


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_whose_worker_does_not_listen_ends_with_its_last_user(tmp_path):
    users = (tmp_path / "users").open("ab")
    fcntl.flock(users, fcntl.LOCK_SH)
    code = "import sys; from clhcode.runtime import share; share.GRACE = 1.0;"
    code += "share.keep(share.Path(sys.argv[1]), sys.argv[2:])"
    keeper = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), sys.executable, "-c", SERVER],
        env={**os.environ, "CLH_SHARED_KEY": "secret"},
        start_new_session=True,
    )
    until(lambda: len(of_group(keeper.pid)) == 3, 20)
    time.sleep(1.0)
    assert len(of_group(keeper.pid)) == 3, "it must not end while somebody holds the lock"
    users.close()
    keeper.wait(20)
    until(lambda: not of_group(keeper.pid), 5)
