"""A desk for the bench: data sets prepared from `../shared/data`, the index installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CLH = str(Path(sys.executable).with_name("clh"))


def desk(data: Path, *names: str) -> Path:
    """A temporary folder in which `clh bench` finds the data sets of these names."""
    data = data.resolve()
    folder = Path(tempfile.mkdtemp(prefix="clh-desk-"))
    os.environ["XDG_DATA_HOME"] = str(folder / "data-home")
    ran(folder, "fetch", "icd10cm", "--from", str(data / "icd10cm/FY2025"))
    for name in names:
        source = data / name.removesuffix("-es")
        ran(folder, "prepare", name, "--from", str(source))
    return folder


def ran(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run([CLH, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def scored(folder: Path, *arguments: str) -> dict[str, Any]:
    """The object that `clh bench --json` prints."""
    found: dict[str, Any] = json.loads(ran(folder, "bench", *arguments, "--json"))
    return found
