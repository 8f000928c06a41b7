"""The circle turns: the classification, a model, its GGUF, the bench."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli.run import text
from conftest import shared

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
