"""Writes docs/commands.md from the help of every command; a test compares the two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from clhcode.cli.main import COMMANDS, cli


def names() -> list[str]:
    """Every command, and behind a group those in it."""
    context, found = click.Context(cli), []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        below = command.list_commands(context) if isinstance(command, click.Group) else ()
        found += [name, *(f"{name} {each}" for each in below)]
    return found


def main() -> None:
    """Writes the page beside this file."""
    environment = {**os.environ, "COLUMNS": "80"}
    parts = ["# Commands\n\nEach command's own help, as `clh COMMAND --help` prints it.\n"]
    for name in names():
        command = [sys.executable, "-m", "clhcode", *name.split(), "--help"]
        page = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        parts.append(f"## clh {name}\n\n```\n{page.stdout.strip()}\n```\n")
    Path(__file__).with_name("commands.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
