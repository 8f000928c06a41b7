"""Plots of a run's loss, rewards and dev figure, in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clhcode.train.exam import DEV

CURVES: Mapping[str, tuple[str, ...]] = {
    "loss": ("loss",),
    "reward": ("reward", "rewards/answer/mean", "rewards/form/mean", "rewards/brevity/mean"),
    "dev": (DEV, "eval_reward", "eval_form"),
}
"""File -> what it shows; a file without figures is not written."""


def plot(history: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draws what a trainer has logged.

    Args:
        history: One log after another, each with its `step`.
        folder: Where the files go, `loss.png` and so on.

    Returns:
        The files written; none where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, keys in CURVES.items():
        lines = {key: curve for key in keys if (curve := _curve(history, key))}
        if not lines:
            continue
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="step")
        for key, curve in lines.items():
            axes.plot(*zip(*curve, strict=True), label=_label(key), marker=".", linewidth=1)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120)
        written.append(path)
    return written


def _curve(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(int(log["step"]), float(log[key])) for log in history if key in log]


def _label(key: str) -> str:
    return key.removeprefix("eval_").removeprefix("rewards/").removesuffix("/mean")
