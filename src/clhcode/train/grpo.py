"""Reinforcement by rewards that gold verifies: GRPO, by TRL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.runtime.speak import most_tokens
from clhcode.train.arguments import common
from clhcode.train.rewards import PARTS, reward
from clhcode.train.voice import Voice, finish_of
from clhcode.train.wording import line

if TYPE_CHECKING:
    from pathlib import Path

    from clhcode.train.exam import Exam
    from clhcode.train.examples import Example
    from clhcode.train.plan import Plan
    from clhcode.train.weights import Pupil

FORM = (
    r'\{"choice":(0|[1-9]\d{0,2})\}'
    r'|\{"choices":\[((0|[1-9]\d{0,2})(,[1-9]\d{0,2}){0,99})?\]\}'
    r'|\{"conditions":\[(\{"quote":"([^"\\\x00-\x1f]|\\["\\/bfnrt]){1,200}","lead_term":'
    r'"([^"\\\x00-\x1f]|\\["\\/bfnrt]){0,60}","modifiers":\[("([^"\\\x00-\x1f]|\\["\\/bfnrt])'
    r'{1,40}"(,"([^"\\\x00-\x1f]|\\["\\/bfnrt]){1,40}"){0,3})?\],"assertion":'
    r'"(present|negated|possible|historical|family|hypothetical)"\},?){0,100}\]\}'
)
"""The form of every answer, for constrained rollouts; what it lets through is read all the same."""


def rollouts_of(plan: Plan) -> str:
    """What writes the completions: vLLM on a GPU where it is installed, else transformers.

    Raises:
        UserError: What was asked for cannot be had.
    """
    from clhcode.runtime.probe import probe

    here = probe()
    if plan.rollouts == "vllm" and not here.vllm:
        raise UserError("--rollouts vllm: vLLM is not installed: pip install 'clhcode[gpu]'")
    if plan.rollouts == "vllm" and not here.cuda:
        raise UserError("--rollouts vllm needs a CUDA device: leave it away, or take transformers")
    chosen = plan.rollouts
    if chosen == "auto":
        chosen = "vllm" if here.cuda and here.vllm else "transformers"
    if plan.constrained and chosen != "vllm":
        raise UserError("--constrained goes with rollouts by vLLM, which needs a GPU and vllm")
    return chosen


def trainer(plan: Plan, pupil: Pupil, examples: Sequence[Example], exam: Exam, folder: Path) -> Any:
    """A trainer of TRL's whose rewards are ours, each logged apart.

    Args:
        plan: The run.
        pupil: The model.
        examples: Questions with their right answers; prompts fit the plan's `length`.
        exam: What it is measured by.
        folder: Where checkpoints go.
    """
    from datasets import Dataset
    from transformers.trainer_utils import EvalLoopOutput
    from trl import GRPOConfig, GRPOTrainer

    voice = exam.voice
    needed = max(most_tokens(example.task) for example in examples)
    vllm = rollouts_of(plan) == "vllm"

    class Trainer(GRPOTrainer):  # type: ignore[misc]
        def _tokenize_prompts(
            self, prompts: list[str]
        ) -> tuple[list[list[int]], None, dict[Any, Any]]:
            # Prompts are whole texts; TRL would begin those of a chat template a second time.
            return [voice.tokens(text) for text in prompts], None, {}

        def evaluation_loop(self, *_: Any, **__: Any) -> EvalLoopOutput:
            found = exam.sit(self.accelerator.unwrap_model(self.model))
            return EvalLoopOutput(None, None, found, len(exam.examples))

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Ours is written at the end."""

    config = GRPOConfig(
        **common(plan, folder, len(examples), plan.generations),
        num_generations=plan.generations,
        max_completion_length=min(plan.answer or needed, needed),
        temperature=plan.temperature,
        beta=plan.beta,
        reward_weights=[plan.weights[name] for name in PARTS],
        shuffle_dataset=True,
        use_vllm=vllm,
        **({"vllm_structured_outputs_regex": FORM} if plan.constrained else {}),
        **({"vllm_max_model_length": plan.length + needed} if vllm else {}),
    )
    rows = [
        {"prompt": voice.text(line(example, plan.template, "write").prompt), "number": number}
        for number, example in enumerate(examples)
    ]
    return Trainer(
        model=pupil.model,
        args=config,
        processing_class=pupil.tokenizer,
        reward_funcs=rewards(plan, examples, voice),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[:1]),
        peft_config=pupil.adapter,
    )


def rewards(
    plan: Plan, examples: Sequence[Example], voice: Voice
) -> list[Callable[..., list[float]]]:
    """A function for each part of the reward, as TRL calls them: by columns of a batch."""

    def part(name: str) -> Callable[..., list[float]]:
        def score(
            *, completion_ids: list[list[int]], number: list[int], **_: object
        ) -> list[float]:
            return [
                getattr(_reward(plan, examples[n], ids, voice), name)
                for ids, n in zip(completion_ids, number, strict=True)
            ]

        score.__name__ = name
        return score

    return [part(name) for name in PARTS]


def _reward(plan: Plan, example: Example, ids: list[int], voice: Voice) -> Any:
    return reward(
        example.task,
        example.answer,
        voice.words(ids),
        finish_of(ids, voice.stops),
        len(ids),
        most=plan.budget or None,
        beta=plan.f_beta,
    )
