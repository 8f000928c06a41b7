"""Stages of a pipe with vLLM: one server for all, and none when the last is gone."""

import json
import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("vllm")

from benchmarks.pipe import killed, ours
from clhcode.tasks import AGENTS

NOTE = "Assessment:\n1. asthma\n2. Essential hypertension\n"
SMALL = ("--engine", "vllm", "--vllm", f"kv_cache_memory_bytes={64 << 20}")


def marked():
    """A mark in the environment of everything that is started with it."""
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    return {**os.environ, "CLH_MARK": name}, f"CLH_MARK={name}".encode()


def test_four_stages_share_one_server_and_say_what_one_would(hf_folder, tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    env, mark = marked()
    me = f"{sys.executable} -m clhcode"
    more = f"--model {hf_folder} {' '.join(SMALL)}"
    stages = " | ".join(f"{me} {agent} {more}" for agent in AGENTS[1:])
    line = f"{me} analyse n.txt {more} | {stages} --format jsonl"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=env,
    )  # fmt: skip
    assert piped.stderr.count("starting vLLM's server") == 1
    row = json.loads(piped.stdout)
    assert row["codes"] is not None
    until = time.monotonic() + 30
    while (left := ours(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []


def test_a_killed_stage_leaves_nothing_running(hf_folder):
    env, mark = marked()
    assert killed(str(hf_folder), "vllm", env, mark) == 0
