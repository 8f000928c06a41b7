"""The card of a trained model: what it learned from, how, and what that brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clhcode.train.plan import Plan

_METHODS = {
    "sft": "supervised fine-tuning (TRL's SFTTrainer)",
    "grpo": "reinforcement by verified rewards (TRL's GRPOTrainer)",
}
_TUNES = {"lora": "a LoRA adapter", "qlora": "a LoRA adapter over 4-bit weights", "full": "all"}
_WAYS = {
    "write": "writes the answer as JSON",
    "number": "rates the options' numbers",
    "phrase": "rates the phrase after each option's text",
}


def card(plan: Plan, figures: Mapping[str, Any], name: str) -> str:
    """The README of a run's folder. It holds no text of the data.

    Args:
        plan: The run.
        figures: As `train.json` has them.
        name: The folder, as one would give it to `--model`.
    """
    score = f" --choose {plan.agent}=score" if plan.choose == "score" else ""
    prompt = f" --prompt {plan.agent}={plan.template}" if plan.template != "context" else ""
    parts = [
        _front(plan),
        f"# {name}: {plan.agent}, by {plan.method}\n",
        "Research use only. It was tuned to answer the questions of one agent of `clh`; a coder"
        " decides what is reported.\n",
        f"    clh bench --dataset NAME --model {plan.agent}={name}{score}{prompt}\n",
        "## Data\n",
        _list(_data(plan, figures)),
        "## How\n",
        _list(_how(plan, figures)),
        "## Figures\n",
        _table(figures),
        "`dev` is of questions that were not learned from, but the best checkpoint was chosen by"
        " it, so that it flatters. Figures of the test split come from `clh bench`.\n",
    ]
    return "\n".join(parts)


def _front(plan: Plan) -> str:
    # A path of this machine says nothing elsewhere.
    base = f"base_model: {plan.model}\n" if not plan.model.startswith("/") else ""
    return f"---\n{base}tags: [clh, icd-10-cm, {plan.agent}, {plan.method}]\n---\n"


def _data(plan: Plan, figures: Mapping[str, Any]) -> list[str]:
    drawn = f", at most {plan.limit:,}" if plan.limit else ""
    found = [
        str(figures["source"]),
        f"learned from: {figures['train']}{drawn}; dev: {figures['dev_questions']}",
        f"longer than {plan.length:,} tokens and left out: {figures['dropped']:,}",
    ]
    if plan.data != "icd10cm":
        gold = "put among them" if plan.oracle_candidates else "never put among them"
        found.append(
            f"candidates are those of retrieval ({plan.top_k} a condition) and {plan.negatives}"
            f" siblings; gold is {gold}"
        )
    return found


def _how(plan: Plan, figures: Mapping[str, Any]) -> list[str]:
    found = [
        f"{_METHODS[plan.method]}, weights that learn: {_TUNES[plan.tune]}; loaded by"
        f" {figures['backend']}",
        f"the model {_WAYS[figures['way']]}; prompt `{plan.template}` ({figures['prompts']})",
        f"{figures['steps']:,} steps, {figures['examples_seen']:,} examples seen, batch"
        f" {plan.batch} times {plan.accumulate}, rate {plan.learning_rate:g}, seed {plan.seed}",
    ]
    if plan.method == "grpo":
        bound = "under the form of the answer" if plan.constrained else "without a grammar"
        weights = ", ".join(f"{name} {weight:g}" for name, weight in plan.weights.items())
        found.append(
            f"rollouts by {figures['rollouts']}, {bound}, {plan.generations} a question at"
            f" temperature {plan.temperature:g}; rewards: {weights}; KL {plan.beta:g}"
        )
    found.append(", ".join(f"{k} {v}" for k, v in figures["versions"].items()))
    return found


def _table(figures: Mapping[str, Any]) -> str:
    rows = ["| | before | best |", "|---|---|---|"]
    for name, best in figures["best"].items():
        before = figures["before"].get(name)
        rows.append(f"| {name.removeprefix('eval_')} | {_number(before)} | {_number(best)} |")
    return "\n".join(rows) + "\n"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3f}"


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items) + "\n"
