"""Options that say what does the judging: engines, models, prompts, sampling, answers kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clhcode.errors import UserError

if TYPE_CHECKING:
    from clhcode.runtime.setup import Wishes

F = TypeVar("F", bound=Callable[..., Any])

ANSWERS = ".answers"
"""What the file of answers beside an output ends in."""

_options = (
    click.option(
        "--model",
        multiple=True,
        metavar="[AGENT=]MODEL",
        help="A GGUF file, a folder or hub name, or the URL of a server; the rules without one.",
    ),
    click.option(
        "--engine",
        multiple=True,
        metavar="[AGENT=]ENGINE",
        help="rules, llamacpp, vllm or openai, where the model does not decide.",
    ),
    click.option(
        "--choose",
        multiple=True,
        metavar="[AGENT=]HOW",
        help="generate: a model writes the option's number. score: options by likelihood.",
    ),
    click.option(
        "--prompt",
        multiple=True,
        metavar="[AGENT=]NAME|FILE",
        help="A shipped prompt (`clh prompts list`) or a Jinja file.",
    ),
    click.option(
        "--reasoning",
        multiple=True,
        metavar="[AGENT=]TOKENS",
        help="Free thought before the answer, up to so many tokens.",
    ),
    click.option(
        "--sampling",
        multiple=True,
        metavar="[AGENT.]NAME=VALUE",
        help="temperature, top_p, top_k, min_p, seed, max_tokens, rank_weight.",
    ),
    click.option(
        "--context", type=click.IntRange(256), help="Tokens of prompt and answer together."
    ),
    click.option("--preset", metavar="NAME", help="A set of these options: clh-paper."),
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="These options from a TOML file; the command line goes first.",
    ),
    click.option(
        "--server", multiple=True, metavar="NAME=VALUE", help="How a server is spoken to."
    ),
    click.option("--vllm", multiple=True, metavar="NAME=VALUE", help="An argument of vLLM's own."),
    click.option(
        "--cache",
        metavar="FILE|only",
        help="Where answers are kept; beside the output otherwise. only: ask nothing new.",
    ),
    click.option("--no-cache", is_flag=True, help="Keep no answers."),
    click.option(
        "--keep-raw", is_flag=True, help="Keep what models wrote in the table's transcript."
    ),
    click.option(
        "--allow-remote",
        is_flag=True,
        help="Credentialed text may be sent to another machine.",
    ),
)


def thinking(function: F) -> F:
    """The options, in reading order; `wishes_of` takes them out of what a command is given."""
    for option in reversed(_options):
        function = option(function)
    return function


def wishes_of(options: dict[str, Any], output: Path | None = None) -> Wishes:
    """Takes the options of `thinking` but `--allow-remote` out of a command's.

    Args:
        options: What click gave the command.
        output: Beside which answers are kept.

    Raises:
        UserError: They do not go together.
    """
    from clhcode.runtime.setup import Wishes

    cache, none = options.pop("cache"), options.pop("no_cache")
    if cache and none:
        raise UserError("--cache and --no-cache: give one of them")
    only = cache == "only"
    beside = output.with_name(output.name + ANSWERS) if output else None
    if only and beside is None:
        raise UserError("--cache only needs -o, beside which the answers lie")
    names = ("model", "engine", "choose", "prompt", "reasoning", "sampling", "server", "vllm")
    given: dict[str, Any] = {name: tuple(options.pop(name)) for name in names}
    return Wishes(
        **given,
        preset=options.pop("preset"),
        context=options.pop("context"),
        config=options.pop("config"),
        cache=None if none else Path(cache) if cache and not only else beside,
        cache_only=only,
        keep_raw=options.pop("keep_raw"),
    )


def token_rates(usage: list[dict[str, Any]] | None) -> list[float]:
    """Tokens read and written a second, of each model that was asked something."""
    return [
        (each["evaluated"] + each["generated"]) / each["seconds"]
        for each in usage or []
        if each["seconds"]
    ]


def usage_lines(usage: list[dict[str, Any]] | None) -> list[str]:
    """What models cost, a line each, for standard error."""
    lines = []
    for each in usage or []:
        if not each["requests"] and not each["remembered"]:
            continue
        rate = each["generated"] / each["seconds"] if each["seconds"] else 0.0
        line = (
            f"{each['model']}: {each['sent']:,} tokens sent, {each['evaluated']:,} evaluated,"
            f" {each['generated']:,} written in {each['seconds']:.1f} s ({rate:,.0f}/s)"
        )
        if each["remembered"]:
            line += f" · {each['remembered']:,} answers remembered"
        if each["windows"]:
            line += f" · {each['windows']:,} notes asked in windows"
        if each["excerpts"]:
            line += f" · {each['excerpts']:,} questions saw their notes in part"
        if each["faults"]:
            faults = ", ".join(f"{kind} {count:,}" for kind, count in each["faults"].items())
            line += f" · no answer: {faults}"
        lines.append(line)
    return lines
