"""What watches a run: lines for people, plots, and the count of examples seen.

Imported by a run alone, since it stands on transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from clhcode.train.exam import DEV
from clhcode.train.plots import plot

_SHOWN = ("loss", "reward", "rewards/answer/mean", "rewards/form/mean", "rewards/brevity/mean")


class Seen(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Counts the examples that were learned from; a checkpoint keeps the count."""

    def __init__(self) -> None:
        self.examples = 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"examples": self.examples}}


def counted(trainer: Any) -> None:
    """Has a trainer count what it learns from, row by row of each batch."""
    step = trainer.training_step

    def training_step(model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
        # Counted first: a step takes from its inputs.
        rows = _rows(inputs)
        loss = step(model, inputs, *more, **named)
        seen(trainer).examples += rows * trainer.accelerator.num_processes
        return loss

    trainer.add_callback(Seen())
    trainer.training_step = training_step


def seen(trainer: Any) -> Seen:
    """The count of a trainer; a checkpoint that is gone on with brings its own."""
    found: Seen = next(c for c in trainer.callback_handler.callbacks if isinstance(c, Seen))
    return found


def _rows(inputs: Any) -> int:
    if isinstance(inputs, list):
        return len(inputs)
    if "position_ids" in inputs and inputs["input_ids"].shape[0] == 1:
        # Packed examples stand in one row; each begins anew.
        return int((inputs["position_ids"] == 0).sum())
    return int(inputs["input_ids"].shape[0])


class Teller(TrainerCallback):  # type: ignore[misc]
    """Says on one line what each log holds, and draws what there is after each measurement."""

    def __init__(self, say: Callable[[str], None], folder: Path, steps: int) -> None:
        self._say, self._folder, self._steps = say, folder, steps

    def on_log(self, _: Any, state: Any, __: Any, logs: Any = None, **___: Any) -> None:
        if state.is_world_process_zero and (found := told(logs or {})):
            self._say(f"step {state.global_step:,}/{self._steps:,} · {found}")

    def on_evaluate(self, _: Any, state: Any, __: Any, **___: Any) -> None:
        if state.is_world_process_zero:
            plot(state.log_history, self._folder)

    def on_train_end(self, _: Any, state: Any, __: Any, **___: Any) -> None:
        if state.is_world_process_zero:
            plot(state.log_history, self._folder)


def told(logs: dict[str, Any]) -> str:
    """The figures of a log that people look at."""
    if DEV in logs:
        shown = {"dev": logs[DEV]}
        shown |= {n: logs[f"eval_{n}"] for n in ("reward", "form") if f"eval_{n}" in logs}
    else:
        shown = {_short(name): logs[name] for name in _SHOWN if name in logs}
    return ", ".join(f"{name} {float(value):.4g}" for name, value in shown.items())


def _short(name: str) -> str:
    return name.removeprefix("rewards/").removesuffix("/mean")
