"""What both methods tell the trainer alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clhcode.train.exam import DEV
from clhcode.train.plan import Plan

MEASURED = 10
"""Measurements on dev in a run, unless said otherwise."""
KEPT = 2
"""Checkpoints that are kept: the last, and the best."""


def common(plan: Plan, folder: Path, count: int, share: int = 1) -> Mapping[str, Any]:
    """Arguments of transformers' trainer.

    Args:
        plan: The run.
        folder: Where checkpoints go.
        count: Examples that there are.
        share: Rows of a batch that one example makes.
    """
    import torch

    gpu = torch.cuda.is_available()
    steps = steps_of(plan, count, share)
    every = plan.every or max(1, steps // MEASURED)
    return {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": plan.batch,
        "per_device_eval_batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulate,
        "gradient_checkpointing": gpu if plan.checkpointing is None else plan.checkpointing,
        "learning_rate": plan.learning_rate,
        "weight_decay": plan.weight_decay,
        "optim": plan.optimizer,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, round(plan.warmup * steps)) if plan.warmup else 0,
        "use_cpu": not gpu,
        "bf16": gpu and torch.cuda.is_bf16_supported(),
        "fp16": gpu and not torch.cuda.is_bf16_supported(),
        "seed": plan.seed,
        "data_seed": plan.seed,
        "logging_steps": max(1, min(10, every)),
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": KEPT,
        "load_best_model_at_end": True,
        "metric_for_best_model": DEV,
        "greater_is_better": True,
        "restore_callback_states_from_checkpoint": True,
        "disable_tqdm": True,
        "report_to": list(plan.report_to),
        "dataloader_pin_memory": gpu,
        "remove_unused_columns": False,
    }


def steps_of(plan: Plan, count: int, share: int = 1) -> int:
    """Optimizer steps of a run."""
    if plan.steps:
        return plan.steps
    import os

    processes = int(os.environ.get("WORLD_SIZE", "1"))
    a_step = plan.batch * plan.accumulate * processes
    return max(1, round(plan.epochs * count * share / a_step))
