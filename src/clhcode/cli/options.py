"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from clhcode.cli.models import thinking
from clhcode.policy import POLICIES, WORKS, Policy

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("text", "json", "jsonl", "arrow", "parquet")


def decorated(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several decorators as one, in reading order."""

    def apply(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


class _WithExamples(click.Command):
    """Help that ends with lines one can paste."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Examples(_WithExamples):
    """A command whose help ends with lines one can paste."""


class ExamplesGroup(_WithExamples, click.Group):
    """A group of commands whose help does."""


released: Callable[[F], F] = click.option(
    "--release", metavar="YEAR", help="Fiscal year of the classification; the newest otherwise."
)

mapping: Callable[[F], F] = decorated(
    click.option(
        "--conversion",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Official table of codes of other years (.txt, .xlsx, .zip); the fetched one"
        " otherwise.",
    ),
    click.option(
        "--gem",
        type=click.Path(path_type=Path, exists=True),
        help="GEM to ICD-9-CM, a file or its folder; data/gem/raw otherwise.",
    ),
)

in_and_out: Callable[[F], F] = decorated(
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File to write: .parquet, .arrow, .jsonl or .json.",
    ),
    click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        help="What to write, whatever standard output is connected to.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Processes that code side by side, for a run to a file.",
    ),
    click.option(
        "--text-column", default="text", show_default=True, help="Column of a table with notes."
    ),
    click.option("--plain", is_flag=True, help="No colours."),
)

retrieving: Callable[[F], F] = decorated(
    click.option(
        "--retriever",
        type=click.Choice(("lexical", "dense", "hybrid")),
        default="lexical",
        show_default=True,
        help="How candidates are found: by words, by vectors, or by both.",
    ),
    click.option(
        "--embedder",
        metavar="MODEL|URL",
        help="What makes the vectors: a sentence-transformers model, or a server's URL.",
    ),
    click.option(
        "--top-k",
        type=click.IntRange(1, 1_000),
        default=10,
        show_default=True,
        metavar="N",
        help="Candidates of a condition.",
    ),
)

judging: Callable[[F], F] = decorated(
    click.option(
        "--policy",
        type=click.Choice(tuple(POLICIES)),
        default="guidelines",
        show_default=True,
        help="guidelines: what a coder reports. mentions: every condition mentioned.",
    ),
    click.option(
        "--setting",
        type=click.Choice(("inpatient", "outpatient")),
        help="Overrides the encounter's own; without either, outpatient.",
    ),
    released,
    thinking,
    click.option(
        "--without",
        type=click.Choice(WORKS),
        multiple=True,
        help="Take an agent's work away, to see what it does (ablation).",
    ),
    retrieving,
)


def policy_of(name: str, without: tuple[str, ...]) -> Policy:
    """The policy that the options name."""
    return POLICIES[name].less(*(work for work in WORKS if work in without))
