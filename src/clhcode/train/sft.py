"""Supervised fine-tuning: the answer of gold after the question of the agent, by TRL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clhcode.train.arguments import common
from clhcode.train.order import Alike
from clhcode.train.voice import Piece

if TYPE_CHECKING:
    from pathlib import Path

    from clhcode.train.exam import Exam
    from clhcode.train.plan import Plan
    from clhcode.train.weights import Pupil

IGNORED = -100
"""The label of what is read and not learned."""


def trainer(plan: Plan, pupil: Pupil, pieces: Sequence[Piece], exam: Exam, folder: Path) -> Any:
    """A trainer of TRL's over examples in tokens.

    The tokens are ours and not made by TRL, so that training reads what inference sends. The loss
    is over what is to be written alone.

    Args:
        plan: The run.
        pupil: The model.
        pieces: Examples, none longer than the plan's `length`.
        exam: What it is measured by.
        folder: Where checkpoints go.
    """
    from datasets import Dataset
    from transformers.trainer_utils import EvalLoopOutput
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]
        def evaluation_loop(self, *_: Any, **__: Any) -> EvalLoopOutput:
            found = exam.sit(self.accelerator.unwrap_model(self.model))
            return EvalLoopOutput(None, None, found, len(exam.examples))

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            if plan.packing:
                return super()._get_train_sampler(train_dataset)
            lengths = [len(piece.read) + len(piece.write) for piece in pieces]
            return Alike(lengths, plan.batch, plan.seed)

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Ours is written at the end."""

    config = SFTConfig(
        **common(plan, folder, len(pieces)),
        max_length=plan.length,
        packing=plan.packing,
        eval_packing=False,
        # Labels are there already; what needs no packing needs no preparation.
        dataset_kwargs={"skip_prepare_dataset": not plan.packing},
        completion_only_loss=False,
        shuffle_dataset=False,
        # Logits of what is learned alone: prompts are long, and vocabularies large.
        loss_type="chunked_nll" if pupil.backend == "trl" else "nll",
    )
    return Trainer(
        model=pupil.model,
        args=config,
        processing_class=pupil.tokenizer,
        train_dataset=Dataset.from_list(_rows(pieces)),
        eval_dataset=Dataset.from_list(_rows(pieces[:1])),
        peft_config=pupil.adapter,
    )


def _rows(pieces: Sequence[Piece]) -> list[dict[str, list[int]]]:
    return [
        {
            "input_ids": [*piece.read, *piece.write],
            "labels": [IGNORED] * len(piece.read) + piece.write,
        }
        for piece in pieces
    ]
