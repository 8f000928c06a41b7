"""Runs through the command line: every agent, both methods, a kill, and what is left behind."""

import json
import os
import re
import signal
import sys
import time

import pytest

pytest.importorskip("trl")

from safetensors.torch import load_file

from clhcode.__main__ import main
from clhcode.tasks import AGENTS
from clhcode.train.folder import last_checkpoint
from tests.cli.run import CLH, started
from tests.unit.train import demo

FAST = ("--prompt", "alone", "--length", 4096, "--threads", 1)


def train(*arguments, code=0):
    """A run in this process, since importing PyTorch is what takes the time."""
    assert main(["train", *map(str, arguments)]) == code


def record(folder):
    return json.loads((folder / "train.json").read_text("utf-8"))


@pytest.mark.parametrize("agent", AGENTS)
def test_sft_of_each_agent(agent, tiny_chat, demo_table, tmp_path, capsys):
    run = tmp_path / agent
    options = ("--agent", agent, "--data", demo_table, "--model", tiny_chat, "-o", run)
    more = ("--steps", 4, "--every", 2, "--batch", 2, "--dev-limit", 2, "--limit", 8)
    train(*options, *more, "--answer", 8, *FAST)
    found = record(run)
    assert found["done"]
    assert found["steps"] == 4
    # The last batch of an epoch may be short.
    assert 4 < found["examples_seen"] <= 8
    assert found["way"] == "write"
    assert found["best_step"] in (2, 4)
    adapter = json.loads((run / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(tiny_chat)
    assert (run / "tokenizer.json").exists()
    assert (run / "chat_template.jinja").read_text() == (
        tiny_chat / "chat_template.jinja"
    ).read_text()
    card = (run / "README.md").read_text("utf-8")
    assert "Research use only" in card
    assert f"--model {agent}={agent}" in card
    assert {path.name for path in (run / "plots").iterdir()} == {"loss.png", "dev.png"}
    assert not (run / "checkpoints").exists()
    said = capsys.readouterr().err
    assert re.search(r"step 4/4 · loss \d", said)
    train(*options, *more, "--answer", 8, *FAST)
    assert "is finished: 4 steps, nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize("agent", AGENTS)
def test_grpo_of_each_agent(agent, tiny_chat, demo_table, tmp_path, capsys):
    run = tmp_path / agent
    options = ("--agent", agent, "--data", demo_table, "--model", tiny_chat, "-o", run)
    more = ("--steps", 2, "--every", 1, "--batch", 2, "--generations", 2, "--dev-limit", 2)
    train("--method", "grpo", *options, *more, "--limit", 4, "--answer", 8, *FAST)
    found = record(run)
    assert (found["steps"], found["examples_seen"]) == (2, 4)
    assert found["rollouts"] == "transformers"
    assert (run / "adapter_model.safetensors").exists()
    assert "without a grammar" in (run / "README.md").read_text("utf-8")
    assert {p.name for p in (run / "plots").iterdir()} == {"loss.png", "reward.png", "dev.png"}
    # Each part of the reward is logged apart.
    said = capsys.readouterr().err
    assert re.search(r"reward \S+, answer \S+, form \S+, brevity \S+", said)


def losses(said):
    return [float(value) for value in re.findall(r"· loss ([\d.e+-]+)", said)]


def test_sft_learns_and_grpo_goes_on_from_it(tiny_chat, tmp_path, capsys):
    """A model that has learned to answer in form gets rewards, and changes by them."""
    prompt = tmp_path / "short.j2"
    prompt.write_text("{{ options|length }} options\nForm: {{ form }}")
    table = demo.table(tmp_path / "all.jsonl")
    data = ("--agent", "assign", "--data", table, "--prompt", prompt, "--length", 400)
    sft, grpo = tmp_path / "sft", tmp_path / "grpo"
    train(*data, "--model", tiny_chat, "-o", sft, "--tune", "full", "--lr", "2e-3", "--batch", 4,
          "--steps", 60, "--every", 30, "--answer", 40, "--threads", 1)  # fmt: skip
    shown = losses(capsys.readouterr().err)
    assert shown[-1] < shown[0] / 4
    found = record(sft)
    assert found["before"]["eval_form"] == 0
    assert found["best"]["eval_form"] > 0
    assert (sft / "model.safetensors").exists()
    assert not (sft / "adapter_config.json").exists()
    train("--method", "grpo", *data, "--model", sft, "-o", grpo, "--tune", "full", "--lr", "1e-4",
          "--batch", 8, "--generations", 4, "--steps", 4, "--every", 2, "--answer", 40,
          "--temperature", "1.3", "--reward", "form=0.2", "--threads", 1)  # fmt: skip
    assert re.search(r"form (0\.[1-9]|1)", capsys.readouterr().err)
    assert "rewards: answer 1, form 0.2, brevity 0.1" in (grpo / "README.md").read_text("utf-8")
    before, after = (load_file(folder / "model.safetensors") for folder in (sft, grpo))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before)


@pytest.mark.parametrize("way", ["phrase", "number"])
def test_scored_models_learn_what_is_rated(way, tiny_base, tiny_chat, demo_table, tmp_path):
    """A base model the phrase after an option, a chat model the option's number."""
    run = tmp_path / "score"
    model = tiny_base if way == "phrase" else tiny_chat
    options = ("--agent", "locate", "--data", demo_table, "--model", model, "-o", run)
    train(*options, "--choose", "score", "--tune", "full", "--lr", "1e-3", "--batch", 8,
          "--steps", 4, "--every", 2, "--dev-limit", 4, "--limit", 40, *FAST)  # fmt: skip
    found = record(run)
    assert found["way"] == way
    assert set(found["best"]) == {"eval_dev"}
    assert "--model locate=score --choose locate=score" in (run / "README.md").read_text("utf-8")


def test_an_adapter_is_gone_on_with(tiny_chat, demo_table, tmp_path):
    data = ("--agent", "verify", "--data", demo_table, "--limit", 4, "--dev-limit", 1)
    few = ("--steps", 1, "--batch", 2, "--answer", 4)
    train(*data, "--model", tiny_chat, "-o", tmp_path / "one", *few, "--rank", 4, *FAST)
    more = ("--method", "grpo", "--generations", 2)
    train(*data, "--model", tmp_path / "one", "-o", tmp_path / "two", *few, *more, *FAST)
    adapter = json.loads((tmp_path / "two" / "adapter_config.json").read_text())
    # Still one adapter, of the first one's shape, on the first model.
    assert adapter["base_model_name_or_path"] == str(tiny_chat)
    assert adapter["r"] == 4


def test_the_classification_needs_no_notes(tiny_base, index_env, tmp_path, monkeypatch):
    pytest.importorskip("bm25s")
    for name, value in index_env.items():
        monkeypatch.setenv(name, value)
    run = tmp_path / "index"
    options = ("--agent", "locate", "--data", "icd10cm", "--model", tiny_base, "-o", run)
    train(*options, "--choose", "score", "--batch", 4, "--steps", 2, "--every", 1, "--limit", 50,
          "--dev-limit", 5, "--packing", "--merge", "--length", 512, "--threads", 1)  # fmt: skip
    found = record(run)
    assert "categories of parts 2 to 7" in found["source"]
    # Merged: whole weights, no adapter. Packed: more examples than rows.
    assert (run / "model.safetensors").exists()
    assert not (run / "adapter_config.json").exists()
    assert found["examples_seen"] > 2 * 4


def test_it_stops_early_when_nothing_gets_better(tiny_chat, demo_table, tmp_path):
    run = tmp_path / "run"
    options = ("--agent", "locate", "--data", demo_table, "--model", tiny_chat, "-o", run)
    train(*options, "--steps", 20, "--every", 1, "--batch", 1, "--dev-limit", 1, "--limit", 4,
          "--patience", 2, "--answer", 4, "--lr", "1e-9", *FAST)  # fmt: skip
    assert record(run)["steps"] == 3


def test_killed_it_goes_on_to_the_same_end(tiny_chat, demo_table, tmp_path, capsys):
    def command(name):
        options = ("--agent", "locate", "--data", demo_table, "--model", tiny_chat)
        more = ("--steps", 12, "--every", 2, "--batch", 2, "--dev-limit", 1, "--limit", 10)
        return ("train", *options, "-o", tmp_path / name, *more, "--answer", 4, *FAST)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(*command("whole")[1:])
    process = started(*command("killed"))
    deadline = time.monotonic() + 120
    while last_checkpoint(killed) is None:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    reached = int(last_checkpoint(killed).name.rpartition("-")[2])
    assert reached < 12
    assert not (killed / "README.md").exists()
    # With other examples it does not go on.
    text = demo_table.read_text("utf-8")
    demo_table.write_text(text.replace("hypertension", "hypertonia"), "utf-8")
    try:
        train(*command("killed")[1:], code=2)
    finally:
        demo_table.write_text(text, "utf-8")
    assert "the examples are others than at its beginning" in capsys.readouterr().err
    # A checkpoint that the kill cut short is passed over.
    (killed / "checkpoints" / "checkpoint-99").mkdir()
    process = started(*command("killed"))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    assert f"going on from checkpoint-{reached}" in said.decode()
    one, other = record(whole), record(killed)
    assert other["steps"] == one["steps"] == 12
    assert other["examples_seen"] == one["examples_seen"] == 24
    assert other["before"] == one["before"]
    weights = [load_file(f / "adapter_model.safetensors") for f in (whole, killed)]
    if one["best_step"] == other["best_step"]:
        for name, values in weights[0].items():
            assert values.allclose(weights[1][name], atol=1e-6)


def test_another_configuration_is_refused_by_name(tiny_chat, demo_table, tmp_path, capsys):
    run = tmp_path / "run"
    options = ("--agent", "locate", "--data", demo_table, "--model", tiny_chat, "-o", run)
    more = ("--steps", 1, "--batch", 1, "--dev-limit", 1, "--limit", 2, "--answer", 4)
    train(*options, *more, *FAST)
    train(*options, *more, *FAST, "--rank", 4, code=2)
    assert "holds a run with another rank: name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        (("--length", 64), "no example fits 64 tokens: give a longer --length"),
        (("--tune", "qlora"), "--tune qlora holds weights in 4 bits, which needs a GPU"),
        (("--train-split", "test"), "has no split `test` here: there are dev (3), train (9)"),
        (("--report-to", "mlflow"), "--report-to mlflow needs mlflow: pip install mlflow"),
        (("--model", "/nowhere/at/all"), "--model /nowhere/at/all: cannot be loaded"),
    ],
)
def test_what_cannot_be_is_one_line(more, cause, tiny_chat, demo_table, tmp_path, capsys):
    options = ("--agent", "locate", "--data", demo_table, "--model", tiny_chat)
    train(*options, "-o", tmp_path / "run", "--steps", 1, *more, code=2)
    said = capsys.readouterr().err
    assert cause in said
    assert "Traceback" not in said


def test_what_does_not_fit_is_counted(tiny_chat, demo_table, tmp_path, capsys):
    run = tmp_path / "run"
    options = ("--agent", "verify", "--data", demo_table, "--model", tiny_chat, "-o", run)
    train(*options, "--steps", 1, "--batch", 1, "--answer", 4, "--dev-limit", 5, "--limit", 100,
          "--prompt", "alone", "--length", 600, "--threads", 1)  # fmt: skip
    count = record(run)["dropped"]
    assert 0 < count < 100
    assert f"{count} examples are longer than 600 tokens and left out" in capsys.readouterr().err


def test_unsloth_that_is_not_there_gives_way_to_trl(tiny_chat, demo_table, tmp_path, capsys):
    run = tmp_path / "run"
    options = ("--agent", "locate", "--data", demo_table, "--model", tiny_chat, "-o", run)
    train(*options, "--backend", "unsloth", "--steps", 1, "--batch", 1, "--dev-limit", 1,
          "--limit", 2, "--answer", 4, *FAST)  # fmt: skip
    assert "Unsloth cannot be used" in capsys.readouterr().err
    assert record(run)["backend"] == "trl"


def test_help_imports_no_pytorch():
    assert CLH[0] == sys.executable
    program = (
        "import sys\nfrom clhcode.__main__ import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'torch', 'trl', 'transformers'} & set(sys.modules)))"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0
