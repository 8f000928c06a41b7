"""The console that text views are printed on: one accent colour, no boxes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from clhcode.errors import NobodyReadsError

if TYPE_CHECKING:
    from rich.console import Console

ACCENT = "cyan"
DIM = "dim"
PIPE_WIDTH = 160
"""Columns of text that goes into a pipe or a file."""


def visible(text: str) -> str:
    """Text as one line that cannot steer the terminal: each control character is a blank."""
    return "".join(char if char.isprintable() else " " for char in text)


def console(*, plain: bool) -> Console:
    """Standard output as a rich console; plain without a terminal, by `--plain` or NO_COLOR."""
    from rich.console import Console as RichConsole

    class Console(RichConsole):
        def on_broken_pipe(self) -> None:
            # rich would end with 1, which here means that rows failed.
            raise NobodyReadsError

    terminal = sys.stdout.isatty()
    coloured = terminal and not plain and "NO_COLOR" not in os.environ
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        no_color=not coloured,
        color_system="auto" if coloured else None,
        width=None if terminal or "COLUMNS" in os.environ else PIPE_WIDTH,
    )
