"""Plans, run folders, cards and what a user is told: all without PyTorch."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec

import pytest

from clhcode.errors import UserError
from clhcode.tasks import AGENTS
from clhcode.train import folder
from clhcode.train.arguments import steps_of
from clhcode.train.card import card
from clhcode.train.grpo import FORM, rollouts_of
from clhcode.train.plan import Plan, weights_of
from clhcode.train.run import memory_advice, out_of_memory
from clhcode.train.wording import line, written
from tests.cli.run import clh, complaint, text
from tests.unit.train.demo import made

PLAN = Plan("sft", "locate", "t.parquet", "ORG/NAME")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"method": "grpo", "choose": "score"}, "GRPO rewards written answers"),
        ({"agent": "assign", "choose": "score"}, "goes with locate and verify"),
        ({"agent": "verify", "data": "icd10cm"}, "has examples for locate, none for verify"),
        ({"method": "grpo", "batch": 4}, "must be a multiple of --generations 8"),
        ({"method": "grpo", "packing": True}, "--packing goes with --method sft"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, cause):
    with pytest.raises(UserError, match=cause):
        replace(PLAN, **changes)


def test_weights():
    assert weights_of(()) == {"answer": 1.0, "form": 0.1, "brevity": 0.1}
    assert weights_of(("form=0", "answer=2")) == {"answer": 2.0, "form": 0.0, "brevity": 0.1}
    for given, cause in (
        ("count=1", "answer, form, brevity"),
        ("form=x", "PART=WEIGHT"),
        ("form=-1", "not against"),
    ):
        with pytest.raises(UserError, match=cause):
            weights_of((given,))


def test_steps():
    # 100 examples in batches of 8 times 2: 6.25 steps; of GRPO each makes 4 rows.
    assert steps_of(replace(PLAN, accumulate=2), 100) == 6
    assert steps_of(replace(PLAN, accumulate=2), 100, 4) == 25
    assert steps_of(replace(PLAN, epochs=3.0), 4) == 2
    assert steps_of(replace(PLAN, epochs=0.01), 4) == 1
    assert steps_of(replace(PLAN, steps=17), 4) == 17


def test_a_folder_is_of_one_plan(tmp_path):
    run = tmp_path / "run"
    record = folder.opened(run, PLAN)
    assert record == {"plan": PLAN.as_dict(), "done": False}
    assert not run.exists()
    folder.write(run, record)
    assert folder.opened(run, PLAN) == record
    # Nothing has been learned there yet, so that another plan may begin.
    assert folder.opened(run, replace(PLAN, rank=8))["plan"]["rank"] == 8
    folder.write(run, {**record, "done": True})
    with pytest.raises(UserError, match=r"holds a run with another rank, seed: name another"):
        folder.opened(run, replace(PLAN, rank=8, seed=2))
    assert folder.opened(run, replace(PLAN, report_to=("tensorboard",)))["done"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is no run"):
        folder.opened(tmp_path, PLAN)
    (tmp_path / folder.RECORD).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        folder.opened(tmp_path, PLAN)


def test_a_checkpoint_cut_short_is_none(tmp_path):
    assert folder.last_checkpoint(tmp_path) is None
    for step, state in ((5, "{}"), (10, "{}"), (15, '{"global'), (20, None)):
        path = tmp_path / folder.CHECKPOINTS / f"checkpoint-{step}"
        path.mkdir(parents=True)
        if state is not None:
            (path / "trainer_state.json").write_text(state)
    assert folder.last_checkpoint(tmp_path).name == "checkpoint-10"


@pytest.mark.parametrize("agent", AGENTS)
def test_the_form_of_constrained_rollouts_lets_right_answers_through(agent, demo_table):
    form = re.compile(FORM)
    for example in made(agent, demo_table).train:
        text = written(example.task, example.answer)
        assert form.fullmatch(text)
        assert not form.fullmatch(text + text)
        assert not form.fullmatch(f"Well, {text}")
        assert not form.fullmatch(text[:-1])


def test_a_number_is_what_chat_models_are_rated_by(demo_table):
    example = next(e for e in made("locate", demo_table).train if not e.none)
    said = line(example, "alone", "number")
    assert said.prompt.answer + said.completion == f'{{"choice":{example.answer.numbers[0]}}}'
    assert '"choice":1' in said.prompt.user


def test_sets_are_not_rated(demo_table):
    example = made("assign", demo_table).train[0]
    with pytest.raises(UserError, match="whose options are rated"):
        line(example, "context", "phrase")


def test_constrained_rollouts_need_a_gpu_here():
    plan = replace(PLAN, method="grpo")
    if rollouts_of(plan) == "transformers":
        with pytest.raises(UserError, match="--constrained goes with rollouts by vLLM"):
            rollouts_of(replace(plan, constrained=True))
        with pytest.raises(UserError, match="--rollouts vllm"):
            rollouts_of(replace(plan, rollouts="vllm"))


def test_memory_that_is_short_is_told_with_what_to_change():
    assert out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes do not match"))
    assert memory_advice(PLAN) == (
        "out of memory at 8 x 2,048 tokens: try --batch 4 --accumulate 2, or --checkpointing,"
        " or --length 1024, or --tune qlora (on a GPU)"
    )


def test_a_card_says_how_and_holds_no_path():
    figures = {
        "source": "t.parquet: 3 encounters of train",
        "train": "30 examples",
        "dev_questions": "9 examples",
        "dropped": 2,
        "backend": "trl",
        "way": "write",
        "prompts": "abc",
        "steps": 5,
        "examples_seen": 40,
        "rollouts": "transformers",
        "versions": {"trl": "1.14.2"},
        "before": {"eval_dev": 0.25},
        "best": {"eval_dev": 0.5},
    }
    plan = replace(PLAN, method="grpo", model="/home/me/model", template="alone")
    said = card(plan, figures, "run")
    assert "/home/me" not in said
    for words in (
        "Research use only",
        "--model locate=run --prompt locate=alone",
        "without a grammar",
        "left out: 2",
        "| dev | 0.250 | 0.500 |",
        "answer 1, form 0.1, brevity 0.1",
        "40 examples",
    ):
        assert words in said
    assert "under the form" in card(replace(plan, constrained=True), figures, "run")
    assert "base_model: ORG/NAME" in card(PLAN, figures, "run")


@pytest.mark.skipif(find_spec("trl") is not None, reason="the extra is installed")
def test_a_missing_extra_is_one_line(tmp_path):
    said = complaint(
        "train", "--agent", "locate", "--data", "x", "--model", "m", "-o", tmp_path / "run"
    )
    assert said == "clh: training needs its extra: pip install 'clhcode[train]'"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ((), "--agent is missing"),
        (("--agent", "locate"), "--data is missing"),
        (("--agent", "locate", "--data", "x"), "--model is missing"),
        (("--agent", "locate", "--data", "x", "--model", "m"), "-o is missing"),
        (("examples", "--data", "x"), "--agent is missing"),
        (("examples", "--agent", "locate", "--data", "x", "-o", "x.csv"), ".jsonl or .parquet"),
        (("examples", "--agent", "locate", "--data", "nowhere.parquet"), "no such file"),
        (("examples", "--agent", "locate", "--data", "codiesp"), "clh prepare codiesp"),
    ],
)
def test_what_is_missing_is_told(arguments, cause, tmp_path):
    assert cause in complaint("train", *arguments, cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('agnet = "locate"', "no option `agnet`"),
        ("agent = ", "not TOML"),
        ('agent = "nobody"', "nobody"),
        ("top-k = 0", "--top-k"),
        ("batch = 'many'", "--batch"),
    ],
)
def test_a_wrong_configuration_is_told(text, cause, tmp_path):
    (tmp_path / "c.toml").write_text(text)
    assert cause in complaint("train", "--config", tmp_path / "c.toml")


def test_a_configuration_stands_for_options_and_gives_way_to_them(tmp_path):
    (tmp_path / "c.toml").write_text(
        'agent = "verify"\ndata = "icd10cm"\nmodel = "m"\noutput = "run"\nmethod = "grpo"\n'
        'batch = 6\ngenerations = 3\nreward = ["form=0.5"]\n'
    )
    said = complaint("train", "--config", tmp_path / "c.toml", cwd=tmp_path)
    assert "none for verify" in said
    said = complaint("train", "--config", tmp_path / "c.toml", "--generations", "4", cwd=tmp_path)
    assert "none for verify" in said or "multiple of --generations 4" in said


def test_examples_are_written_and_shown(demo_table, tmp_path):
    out = tmp_path / "e.jsonl"
    arguments = ("train", "examples", "--agent", "locate", "--data", demo_table, "--limit", 20)
    done = clh(*arguments, "-o", out)
    assert done.returncode == 0, done.stderr
    assert b"of train" in done.stderr
    rows = [json.loads(each) for each in out.read_text("utf-8").splitlines()]
    assert {row["split"] for row in rows} == {"train", "dev"}
    assert len([row for row in rows if row["split"] == "train"]) <= 20
    for row in rows:
        assert json.loads(row["completion"])["choices"] == row["right"]
        assert all(code in row["user"] for code in row["codes"])
    assert clh(*arguments, "-o", tmp_path / "e.parquet").returncode == 0
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "e.parquet").to_pylist() == rows
    shown = text(*arguments)
    assert rows[0]["completion"] in shown
    few = text(*arguments[:-1], 2)
    assert few.count("── dev ") == 2 >= few.count("── train ") > 0
