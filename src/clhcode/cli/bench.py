"""`clh bench`: how good a method is on a data set, and what exactly was scored."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from clhcode.cli.models import thinking, usage_lines, wishes_of
from clhcode.cli.options import Examples, decorated, mapping, policy_of, released, retrieving
from clhcode.cli.questions import asking, check, score
from clhcode.errors import DONE, SOME_ROWS_FAILED, UserError
from clhcode.policy import POLICIES, WORKS
from clhcode.records import Setting
from clhcode.tasks import AGENTS, Agent

if TYPE_CHECKING:
    from clhcode.bench.ground import Asked, Ground
    from clhcode.bench.result import Result
    from clhcode.pipeline import Workplace
    from clhcode.runtime.pick import Setup

_protocol = decorated(
    click.option("--dataset", metavar="NAME", help="What `clh prepare` made."),
    click.option(
        "--data",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Its table (data/NAME/prepared/NAME.parquet otherwise), or alone one of your own.",
    ),
    click.option("--split", default="test", show_default=True, help="Which part is scored."),
    click.option(
        "--unit",
        type=click.Choice(("encounter", "note")),
        default="encounter",
        show_default=True,
        help="What is coded and scored as one.",
    ),
    click.option(
        "--label-space",
        "space",
        default="all",
        show_default=True,
        metavar="all|gold|top50|FILE",
        help="Which codes count; `gold` is another, easier task.",
    ),
    click.option(
        "--level",
        type=click.Choice(("full", "5", "4", "category", "chapter")),
        default="full",
        show_default=True,
        help="How much of a code counts.",
    ),
    click.option(
        "--policy",
        type=click.Choice(tuple(POLICIES)),
        help="What is coded; the data set's own otherwise.",
    ),
    click.option(
        "--setting",
        type=click.Choice(("inpatient", "outpatient")),
        help="Overrides the encounters' own.",
    ),
    click.option(
        "--codes",
        type=click.Choice(("diagnoses", "all")),
        default="diagnoses",
        show_default=True,
        help="Whether gold's procedures count, too; for a baseline that learns.",
    ),
    mapping,
    released,
)
_method = decorated(
    thinking,
    click.option(
        "--baseline",
        type=click.Choice(("frequent", "dictionary", "tfidf")),
        help="A baseline in place of the agents.",
    ),
    click.option(
        "--allow-overlap",
        is_flag=True,
        help="Score encounters that a baseline has learned from, and say so.",
    ),
    click.option(
        "--candidates",
        metavar="gold+N|FILE",
        help="Verify and assign alone, on gold with N negatives or on another system's codes.",
    ),
    click.option(
        "--without", type=click.Choice(WORKS), multiple=True, help="Ablation: take work away."
    ),
    retrieving,
    click.option("--seeds", default="1", show_default=True, help="Mean and spread over these."),
)


@click.command(
    cls=Examples,
    examples=(
        "clh bench --dataset demo",
        "clh bench --dataset codiesp --split dev -o rules.json",
        "clh bench --dataset codiesp --split dev --result rules.json",
        "clh bench --data own.parquet --policy mentions",
        "clh bench --questions questions.jsonl.gz --limit 300",
    ),
)
@_protocol
@_method
@asking
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Result file to write: predictions and protocol, no text.",
)
@click.option(
    "--result",
    "old",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Score the predictions of a result file again.",
)
@click.option(
    "--fail-under",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Exit code 1 below it, e.g. micro.f1=0.5.",
)
@click.option("--groups", is_flag=True, help="Also by chapter, frequency and blind spot.")
@click.option("--published", is_flag=True, help="Also what others have published.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--plain", is_flag=True, help="No colours.")
def bench(
    *,
    output: Path | None,
    old: Path | None,
    fail_under: tuple[str, ...],
    as_json: bool,
    groups: bool,
    published: bool,
    plain: bool,
    **options: Any,
) -> int:
    """Score a method on a data set, end to end.

    Every figure comes with its protocol. The default is the honest one: encounters, the test
    split, all codes of the classification; encounters without a prediction count. Research
    use only.
    """
    check(click.get_current_context())
    if options["questions"]:
        options["engine"], oracle = _engines(options["engine"])
        return score(oracle, options, as_json=as_json, plain=plain)
    floors = [_floor(text) for text in fail_under]
    if old:
        asked, on, result = _rescored(old, **options)
    else:
        asked, on, place = _ground(output, **options)
        try:
            result = _run(asked, on, place)
            for line in usage_lines(place.usage()):
                click.echo(line, err=True)
        finally:
            place.close()
    if output:
        from clhcode.bench.result import write

        write(result, output)
    if as_json:
        import orjson

        whole = {"protocol": result.protocol.as_dict(), "run": result.run, **result.figures}
        click.echo(orjson.dumps(whole).decode())
    else:
        from clhcode.cli.bench_view import show

        show(result, asked, groups=groups, published=published, plain=plain)
    return _judged(result.figures["metrics"], floors)


def _ground(output: Path | None = None, **options: Any) -> tuple[Asked, Ground, Workplace]:
    from clhcode.bench.ground import Asked, ground
    from clhcode.datasets.registry import dataset, own
    from clhcode.pipeline import Retrieval, open_workplace
    from clhcode.runtime.setup import setup_of
    from clhcode.train.folder import learned_from

    name, data = options["dataset"], options["data"]
    if name is None and data is None:
        raise UserError(
            "give --dataset NAME, or --data with a table of your own (or --questions FILE)"
        )
    chosen = own(data) if name is None else dataset(name)
    options["engine"], oracle = _engines(options["engine"])
    setup = setup_of(wishes_of(options, output))
    policy = policy_of(options["policy"] or chosen.policy, options["without"])
    setting = cast("Setting | None", options["setting"])
    asked = Asked(
        chosen,
        options["split"],
        options["unit"],
        options["space"],
        options["level"],
        options["baseline"],
        oracle,
        _candidates(options["candidates"]),
        _seeds(options["seeds"]),
        options["limit"],
        codes=options["codes"],
        conversion=options["conversion"],
        gem=options["gem"],
        like=options.get("like"),
        learned=tuple(sorted({p for m in _models(setup) for p in learned_from(m)})),
        allow_overlap=options["allow_overlap"],
    )
    rows = _rows(chosen.table, data)
    release, remote = options["release"], options["allow_remote"]
    retrieval = Retrieval(options["retriever"], options["embedder"], options["top_k"])
    place = open_workplace(
        policy, setup, setting, release=release, allow_remote=remote, retrieval=retrieval
    )
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return asked, ground(asked, rows, place), place


def _models(setup: Setup) -> set[str]:
    return {choice.model for choice in setup.choices.values() if choice.model}


def _rows(table: str, data: Path | None) -> Any:
    from clhcode.datasets.demo import demo_file
    from clhcode.datasets.registry import prepared
    from clhcode.table.read import read

    path = data or prepared(table)
    if data is None and not path.exists():
        if table != "demo":
            raise UserError(f"{path}: not there; `clh prepare {table}` makes it (or give --data)")
        path = demo_file()
    return (row for batch in read(path) for row in batch)


def _rescored(path: Path, **options: Any) -> tuple[Asked, Ground, Result]:
    from dataclasses import replace

    from clhcode.bench.baselines import LEARNING
    from clhcode.bench.result import read
    from clhcode.bench.run import again

    old = read(path)
    # The protocol of the file holds, so that the same figures must come out.
    told = old.protocol
    name = options["dataset"] or (options["data"] or Path("nothing")).stem
    if name != told.dataset:
        raise UserError(f"{path}: a result of {told.dataset}, not of {name}")
    kept = {
        "split": told.split,
        "unit": told.unit,
        "level": told.level,
        "policy": told.policy,
        "setting": told.setting,
        "space": "all",
        "limit": told.first,
        "codes": "all" if "+" in told.codes else "diagnoses",
        "baseline": old.run["engine"] if old.run["engine"] in LEARNING else None,
        "like": told.mapping,
        # Nothing is learned here; what the run had in common with its data stays with it.
        "allow_overlap": True,
        "release": options["release"] or old.run["tabular"],
    }
    asked, on, _ = _ground(**{**options, **kept})
    if old.run["space"] is not None:
        protocol = replace(on.protocol, label_space=told.label_space)
        scale = replace(on.scale, space=frozenset(old.run["space"]))
        on = replace(on, protocol=protocol, scale=scale)
    for name in on.protocol.differing(told):
        here, there = getattr(on.protocol, name), getattr(told, name)
        if name != "data":
            raise UserError(f"{path}: {name} is {there} in the result and {here} here")
    asked = replace(asked, oracle=tuple(old.run["oracle"]))
    return asked, on, again(old, on, asked.draws)


def _run(asked: Asked, on: Ground, place: Workplace) -> Result:
    from tqdm import tqdm

    from clhcode.bench.run import run

    bar = tqdm(total=len(on.rows), desc="coding", file=sys.stderr, disable=None, leave=False)
    with bar:
        return run(asked, on, place, bar.update)


def _engines(given: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Agent, ...]]:
    """What is said of other engines, and the agents that gold answers for."""
    others: list[str] = []
    oracle: list[Agent] = []
    for text in given:
        agent, equals, name = text.rpartition("=")
        if equals and agent not in AGENTS:
            raise UserError(f"--engine {text}: no agent `{agent}`: {', '.join(AGENTS)}")
        if name == "oracle":
            oracle += [cast("Agent", agent)] if equals else AGENTS
        else:
            others.append(text)
    return tuple(others), tuple(agent for agent in AGENTS if agent in oracle)


def _candidates(text: str | None) -> str | None:
    if text and text.startswith("gold+") and not text[5:].isdigit():
        raise UserError(f"--candidates {text}: a number is wanted, as in gold+50")
    return text


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--seeds {text}: numbers are wanted, as in 1,2,3") from None


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UserError(
            f"--fail-under {text}: METRIC=VALUE is wanted, as in micro.f1=0.5"
        ) from None


def _judged(metrics: dict[str, Any], floors: list[tuple[str, float]]) -> int:
    """Exit code 1 where a figure is below its floor."""
    code = DONE
    for name, floor in floors:
        value: Any = metrics
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, float | int):
            raise UserError(f"--fail-under {name}: no such figure (micro.f1, exact_match, ...)")
        if value < floor:
            click.echo(f"{name} is {value:.4f}, under {floor}", err=True)
            code = SOME_ROWS_FAILED
    return code
