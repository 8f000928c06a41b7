"""`clh analyse`, `locate`, `verify` and `assign`: one agent each; they pipe into each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from clhcode.cli.models import wishes_of
from clhcode.cli.options import Examples, in_and_out, judging
from clhcode.cli.running import Job, execute
from clhcode.tasks import Agent


def _agent(name: Agent, about: str, examples: tuple[str, ...]) -> click.Command:
    @click.command(name, cls=Examples, help=about, examples=examples)
    @click.argument("source", metavar="TABLE|NOTE|DIR|-", default="-")
    @judging
    @in_and_out
    def command(source: str, **options: Any) -> int:
        wishes = replace(wishes_of(options, options["output"]), piped=_in_a_pipe())
        return execute(Job(source, (name,), wishes, into_pipe="arrow", **options))

    return command


def _in_a_pipe() -> bool:
    """Whether another stage may run before or behind this one."""
    import os
    import stat

    return any(stat.S_ISFIFO(os.fstat(channel).st_mode) for channel in (0, 1))


analyse = _agent(
    "analyse",
    """Read notes for codeable conditions.

    Each condition gets its exact place in the note, its section, its lead term and what the
    note says of it: present, negated, possible, historical, family or hypothetical.
    """,
    (
        "clh analyse visit.txt",
        "clh analyse n.parquet | clh locate | clh verify | clh assign -o a.parquet",
    ),
)
locate = _agent(
    "locate",
    """Look the conditions up in the Alphabetic Index.

    Adds to each condition the candidate codes of the whole classification, each with its
    path, and chooses among them.
    """,
    ("clh locate analysed.parquet -o located.parquet",),
)
verify = _agent(
    "verify",
    """Read the Tabular List at each candidate.

    Goes down to the billable code that the text supports, 7th character included, and reads
    the instructional notes on the way.
    """,
    ("clh verify located.parquet -o verified.parquet",),
)
assign = _agent(
    "assign",
    """Make one sequenced set of codes for each encounter.

    Merges what several conditions carry, applies the edits until none objects, and puts the
    codes in their order.
    """,
    ("clh assign verified.parquet -o codes.parquet",),
)
