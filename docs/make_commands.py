"""Writes docs/commands.md from the help of every command; a test compares the two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clhcode.cli.main import COMMANDS


def main() -> None:
    """Writes the page beside this file."""
    environment = {**os.environ, "COLUMNS": "80"}
    parts = ["# Commands\n\nEach command's own help, as `clh COMMAND --help` prints it.\n"]
    for name in COMMANDS:
        command = [sys.executable, "-m", "clhcode", name, "--help"]
        page = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        parts.append(f"## clh {name}\n\n```\n{page.stdout.strip()}\n```\n")
    Path(__file__).with_name("commands.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
