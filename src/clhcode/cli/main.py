"""The group `clh`: names and one-line descriptions here, everything else on demand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from clhcode import __version__
from clhcode.errors import NobodyReadsError

COMMANDS: dict[str, tuple[str, str]] = {
    "fetch": ("fetch:fetch", "Get data sets and the classification from their sources."),
    "prepare": ("prepare:prepare", "Bring a data set into the one table."),
    "code": ("code:code", "Code notes: the four agents, end to end."),
    "analyse": ("agents:analyse", "Read notes for codeable conditions."),
    "locate": ("agents:locate", "Look the conditions up in the Alphabetic Index."),
    "verify": ("agents:verify", "Read the Tabular List at each candidate."),
    "assign": ("agents:assign", "Make one sequenced set of codes for each encounter."),
    "bench": ("bench:bench", "Score a method on a data set, end to end."),
    "compare": ("compare:compare", "Compare results of bench, each with the first."),
    "train": ("train:train", "Fine-tune an agent's model on its own questions."),
    "table": ("table:table", "Show the codes, candidates or dropped codes of a table, flat."),
    "lookup": ("lookup:lookup", "Walk the classification from a term or a code."),
    "edits": ("edits:edits", "Check a set of codes against the rules."),
    "serve": ("serve:serve", "Run an engine's own server on this machine."),
    "prompts": ("prompts:prompts", "Show the prompts that come with clh."),
    "doctor": ("doctor:doctor", "Say what is installed, what is there, and what is missing."),
}
"""Command -> (module:attribute, its line in `clh --help`), in the order of the work."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(f"clhcode.cli.{module}"), attribute)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would end with 1, which here means that rows failed.
            raise NobodyReadsError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clh")
def cli() -> None:
    """Clinical notes to ICD-10-CM codes, the way professional coders do it.

    \b
      clh code note.txt              codes with their evidence
      clh code note.txt --explain    and why each of them stands
      clh lookup "wrist fracture"    the classification, as a coder walks it

    Research use only: a coder decides what is reported.
    """  # noqa: D301 - click reads \b, so the string cannot be raw
