"""Gemma 3 270M, a real small model, in whichever engine is here; counts that fit a test."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import shared

from benchmarks.engines import answers, demo_tasks, logs, logs_of_transformers
from clhcode.runtime.text import TextEngine

LLAMA, VLLM = find_spec("llama_cpp") is not None, find_spec("vllm") is not None
in_llama = pytest.mark.skipif(not LLAMA, reason="needs llama-cpp-python")
in_vllm = pytest.mark.skipif(not VLLM, reason="needs vLLM")


def few_answers(model, finder):
    found = answers(TextEngine(model), demo_tasks(finder, 20))
    assert set(found["kinds"]) <= {"sound", "cut"}
    assert found["kinds"]["sound"] >= 19
    assert found["outside"] == 0


@in_llama
def test_answers_are_sound_in_llamacpp(gemma_gguf, finder):
    from clhcode.runtime.llamacpp import LlamaModel

    model = LlamaModel(gemma_gguf, context=4_096)
    assert not model.chat
    few_answers(model, finder)
    model.close()


@in_vllm
def test_answers_are_sound_in_vllm(gemma_vllm, finder):
    few_answers(gemma_vllm, finder)


@in_vllm
def test_vllm_and_transformers_agree(gemma_folder, gemma_vllm):
    from benchmarks.engines import pairs_request

    gemma_vllm.submit(0, pairs_request())
    ((_, output),) = list(gemma_vllm.ready())
    own = logs_of_transformers(gemma_folder)
    for one, other, size in zip(output.logs, own["logs"], own["tokens"], strict=True):
        assert abs(one - other) <= 0.01 * size


@in_llama
def test_the_same_tokens_are_about_as_likely_in_four_bits(gemma_gguf):
    found = logs(str(gemma_gguf), "llamacpp")
    # What transformers gives for the first two, by `benchmarks/engines.py logs`.
    assert found["logs"][:2] == pytest.approx([-13.253, -14.367], abs=0.8)


def questions(model, *more):
    """What the bench says of Gemma on the given questions; alone on the machine's cores."""
    file = shared("locate-questions", "questions.jsonl.gz")
    command = [
        *(sys.executable, "-m", "clhcode", "bench", "--questions", file, "--model", model),
        *("--choose", "score", "--json", *more),
    ]
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=True, env=env
    )
    return json.loads(done.stdout)


@in_llama
def test_a_hundred_questions_are_answered_far_above_chance(gemma_gguf):
    found = questions(gemma_gguf, "--limit", "100", "--no-shuffled")
    assert (found["n"], found["faults"]) == (100, {})
    assert found["model"] > 0.35
    assert found["intervals"]["model"][0] > found["chance"]


@in_llama
def test_the_words_of_other_questions_lead_nowhere(gemma_gguf):
    found = questions(gemma_gguf, "--limit", "30")
    assert found["shuffled"] < found["model"] - 0.15
