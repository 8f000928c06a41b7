"""`clh bench --questions`: an engine's judgement alone, on multiple-choice questions."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from clhcode.cli.models import wishes_of
from clhcode.cli.options import decorated
from clhcode.errors import DONE, UserError
from clhcode.policy import POLICIES

if TYPE_CHECKING:
    from clhcode.bench.questions import Question
    from clhcode.talk import Engine, Reply
    from clhcode.tasks import Agent

asking = decorated(
    click.option(
        "--questions",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Multiple-choice questions for the judgement alone, in place of a data set.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="Only the first N of them.",
    ),
    click.option(
        "--shuffled/--no-shuffled",
        default=True,
        help="With questions: also the control with the words of another, in a second pass.",
    ),
)
_OURS = ("shuffled",)
_OF_ENCOUNTERS = (
    *("dataset", "data", "split", "unit", "space", "level", "policy", "setting", "baseline"),
    *("candidates", "without", "seeds", "output", "old", "fail_under", "groups", "published"),
)


def check(context: click.Context) -> None:
    """Refuses options of encounters with `--questions`, and its own without it.

    Raises:
        UserError: Such an option is on the command line.
    """
    given = context.params["questions"] is not None
    for option in context.command.params:
        name = option.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        if given and name in _OF_ENCOUNTERS:
            raise UserError(f"{option.opts[-1]} is for encounters: leave it or --questions away")
        if not given and name in _OURS:
            raise UserError(f"{option.opts[-1]} goes with --questions")


def score(
    oracle: tuple[Agent, ...],
    options: dict[str, Any],
    *,
    as_json: bool,
    plain: bool,
) -> int:
    """Asks the questions of a file, prints the figures and returns the exit code.

    Args:
        oracle: Agents that gold was to answer for; there can be none.
        options: The others of `clh bench`, by name.
        as_json: Whether figures are for programs.
        plain: Whether they go without colours.

    Raises:
        UserError: The file is no file of questions, or there is no such engine.
    """
    from clhcode import __version__
    from clhcode.bench.questions import exchanged, figures, fingerprint, read_questions
    from clhcode.pipeline import open_workplace
    from clhcode.runtime.setup import setup_of

    if oracle:
        raise UserError("--engine oracle: the gold of questions is for scoring alone")
    path: Path = options["questions"]
    questions = read_questions(path, options["limit"])
    setup = setup_of(wishes_of(options))
    place = open_workplace(POLICIES["guidelines"], setup, release=options["release"])
    try:
        control = exchanged(questions) if options["shuffled"] else None
        # A question and its control have their options in common: an engine may read those once.
        both = [questions] if control is None else [questions, control]
        began = time.perf_counter()
        given = _asked([each for pair in zip(*both, strict=True) for each in pair], place.engine)
        seconds = (time.perf_counter() - began) / len(given)
        replies = given[:: len(both)]
        again = None if control is None else given[1::2]
    finally:
        place.close()
    found = figures(questions, replies, again)
    found["seconds_per_question"] = seconds
    found["run"] = {
        "clhcode": __version__,
        "engine": place.config["engine"],
        "model": place.config["model"],
        "prompts": place.config.get("prompts"),
        "manners": place.config.get("manners"),
        "usage": place.config.get("usage"),
        "questions": path.name,
        "data": fingerprint(questions),
    }
    if as_json:
        import orjson

        click.echo(orjson.dumps(found).decode())
    else:
        from clhcode.cli.bench_view import show_questions

        show_questions(found, plain=plain)
    return DONE


def _asked(questions: list[Question], engine: Engine) -> list[Reply]:
    from tqdm import tqdm

    from clhcode.bench.questions import ask_all

    bar = tqdm(total=len(questions), desc="asking", file=sys.stderr, disable=None, leave=False)
    with bar:
        return ask_all(questions, engine, bar.update)
