"""`clh code`: the whole method."""

from __future__ import annotations

from typing import Any

import click

from clhcode.cli.models import wishes_of
from clhcode.cli.options import Examples, in_and_out, judging
from clhcode.cli.running import Job, execute
from clhcode.errors import UserError
from clhcode.tasks import AGENTS


@click.command(
    cls=Examples,
    examples=(
        "clh code visit.txt --explain",
        "clh code notes.parquet -o codes.parquet",
        "cat note.txt | clh code - --format json",
    ),
)
@click.argument("source", metavar="NOTE|DIR|TABLE|-", required=False)
@click.option("--demo", is_flag=True, help="Code the demonstration encounters that come with clh.")
@click.option("--explain", is_flag=True, help="Show the evidence, path and reason of each code.")
@judging
@in_and_out
def code(source: str | None, *, demo: bool, explain: bool, **options: Any) -> int:
    """Code notes: the four agents, end to end.

    Reads a plain text note, a folder of .txt files, or a table (Parquet, Arrow, JSONL, CSV)
    of notes or encounters. On a terminal it shows the codes with their evidence; into a pipe
    go JSON lines, into a file Parquet. Research use only.
    """
    if (source is None) != demo:
        raise UserError("give a note, folder or table (`-` for standard input), or --demo")
    if demo:
        from clhcode.datasets.demo import demo_file

        source = str(demo_file())
    wishes = wishes_of(options, options["output"])
    return execute(Job(str(source), AGENTS, wishes, into_pipe="jsonl", explain=explain, **options))
