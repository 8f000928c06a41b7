"""Imports go one way, from `cli` down to `records`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_room_imports_one_above_it():
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_every_room_has_its_layer():
    rooms = {p.name for p in (ROOT / "src/clhcode").iterdir() if (p / "__init__.py").exists()}
    contract = (ROOT / "pyproject.toml").read_text().split("layers = [")[1].split("]")[0]
    named = {name.strip(' ",') for line in contract.splitlines() for name in line.split("|")}
    assert rooms <= named
