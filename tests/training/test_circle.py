"""The circle turns: data, a model, its GGUF, the bench."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli.run import text
from conftest import shared

from clhcode.tasks import AGENTS

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not all(map(find_spec, ("llama_cpp", "torch", "gguf", "transformers"))),
        reason="needs the extras train and llamacpp",
    ),
]
SCRIPT = Path(__file__).parents[2] / "benchmarks/small_model.py"


def test_from_the_classification_to_the_bench(index_env, tmp_path):
    import os

    file = shared("locate-questions", "questions.jsonl.gz")
    command = [sys.executable, SCRIPT, tmp_path / "out", "--steps", "3"]
    subprocess.run(list(map(str, command)), env={**os.environ, **index_env}, check=True)
    model = tmp_path / "out" / "small.gguf"
    assert model.stat().st_size < 2_000_000
    asked = ("--questions", file, "--model", model, "--choose", "score", "--limit", "20")
    found = json.loads(text("bench", *asked, "--json", "--no-shuffled", env=index_env))
    assert (found["n"], found["faults"]) == (20, {})
    assert found["both"] is not None


@pytest.mark.parametrize("agent", AGENTS)
def test_what_was_tuned_runs_as_its_agent(agent, tiny_chat, demo_table, tmp_path):
    data = ("--agent", agent, "--data", demo_table, "--model", tiny_chat, "--prompt", "alone")
    size = ("--steps", 2, "--every", 2, "--batch", 2, "--limit", 4, "--dev-limit", 1)
    text("train", *data, *size, "--answer", 8, "--length", 4096, "-o", tmp_path / "run")
    text("train", "export", tmp_path / "run", "--quant", "f16", "-o", tmp_path / "m.gguf")
    asked = ("bench", "--dataset", "demo", "--limit", 2, "--model", f"{agent}={tmp_path}/m.gguf")
    found = json.loads(text(*asked, "--prompt", f"{agent}=alone", "--json"))
    assert found["protocol"]["encounters"] == 2
    (usage,) = found["run"]["usage"]
    assert usage["model"].startswith("m.gguf@")
    assert usage["requests"] > 0
    assert 0 <= found["metrics"]["micro"]["f1"] <= 1
