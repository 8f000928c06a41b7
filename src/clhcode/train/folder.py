"""The folder of a run: what it was asked to do, how far it is, and what it can go on from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clhcode.errors import UserError
from clhcode.train.plan import Plan

RECORD = "train.json"
CHECKPOINTS = "checkpoints"


def opened(folder: Path, plan: Plan) -> dict[str, Any]:
    """The record of a run; a new one where nothing has been learned here yet.

    Raises:
        UserError: The folder holds another run, or something else.
    """
    path = folder / RECORD
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder}: is there and is no run of `clh train`: name another")
        return {"plan": plan.as_dict(), "done": False}
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        there = found["plan"]
    except (ValueError, KeyError, OSError):
        raise UserError(f"{path}: damaged; delete {folder} to begin anew") from None
    names = plan.differing(there)
    if names and not found["done"] and last_checkpoint(folder) is None:
        return {"plan": plan.as_dict(), "done": False}
    if names:
        raise UserError(
            f"{folder}: holds a run with another {', '.join(names)}: name another folder"
        )
    return found


def learned_from(model: str) -> tuple[str, ...]:
    """The splits that a model was made from, as `codiesp/train`.

    Args:
        model: As `--model` has it: a run's folder, or a file in it; nothing is known of others.

    Raises:
        UserError: The record of the run is damaged.
    """
    path = Path(model)
    record = (path if path.is_dir() else path.parent) / RECORD
    if not path.exists() or not record.is_file():
        return ()
    try:
        found = json.loads(record.read_text("utf-8"))
        before = learned_from(found["plan"]["model"])
        return tuple(sorted({*before, *map(str, found.get("learned_from", ()))}))
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{record}: damaged, so it is not known what it learned from") from None


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes the record, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RECORD
    new = path.with_name(f"{RECORD}.new")
    new.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(new, path)


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that is whole: its state is what is written last."""
    found = {
        int(path.name.rpartition("-")[2]): path
        for path in (folder / CHECKPOINTS).glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit() and _whole(path)
    }
    return found[max(found)] if found else None


def _whole(path: Path) -> bool:
    try:
        json.loads((path / "trainer_state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True
