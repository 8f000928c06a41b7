"""`clh train`: fine-tunes an agent's model on the questions that it is asked in a run."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from clhcode.cli.options import Examples, ExamplesGroup
from clhcode.cli.train_options import learning, rewarding, tuning
from clhcode.errors import DONE, UserError

if TYPE_CHECKING:
    from clhcode.train.examples import Example
    from clhcode.train.plan import Plan

_LATER = {"export": "clhcode.cli.train_export"}
"""Subcommands with a file of their own."""
_SHOWN = 20
"""Examples shown to someone at a terminal."""


class _TrainGroup(ExamplesGroup):
    """Trains when it is called bare, so that its options are those of a run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_LATER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _LATER:
            found = getattr(import_module(_LATER[cmd_name]), cmd_name)
            return found if isinstance(found, click.Command) else None
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_TrainGroup,
    invoke_without_command=True,
    examples=(
        "clh train --agent locate --data codiesp --model ORG/NAME -o runs/locate",
        "clh train --method grpo --agent assign --data codiesp --model runs/assign -o runs/grpo",
        "clh train --agent locate --data icd10cm --choose score --model ORG/NAME -o runs/score",
        "clh train --config locate.toml",
        "clh train examples --agent verify --data codiesp --limit 3",
    ),
)
@tuning
@learning
@rewarding
@click.pass_context
def train(
    ctx: click.Context, /, *, folder: Path | None, config: Path | None, **options: Any
) -> int:
    """Fine-tune an agent's model on its own questions.

    The questions, prompts and schemas are those of a run, and the folder runs at once:
    `clh bench --model AGENT=FOLDER`. Killed, the same command goes on from the last
    checkpoint. Needs the extra `train`. Research use only.
    """
    del config
    if ctx.invoked_subcommand:
        return DONE
    for name in ("agent", "data", "model"):
        if options[name] is None:
            raise UserError(f"--{name} is missing (`clh train --help`)")
    if folder is None:
        raise UserError("-o is missing: the folder of the run (`clh train --help`)")
    from clhcode.train.run import train as learn

    learn(_plan(options), folder, _say)
    return DONE


def _plan(options: dict[str, Any]) -> Plan:
    from clhcode.train.plan import Plan, weights_of

    given = {**options, "report_to": tuple(options.get("report_to", ()))}
    if "weights" in given:
        given["weights"] = weights_of(given["weights"])
    return Plan(**given)


def _say(line: str) -> None:
    click.echo(line, err=True)


@train.command(
    "examples",
    cls=Examples,
    examples=(
        "clh train examples --agent locate --data codiesp --limit 3",
        "clh train examples --agent assign --data codiesp -o assign.jsonl",
    ),
)
@learning
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write: .jsonl or .parquet; shown otherwise.",
)
def examples(output: Path | None, **options: Any) -> int:
    """Show or write the examples that a run would learn from.

    They quote the notes they were made of.
    """
    for name in ("agent", "data"):
        if options[name] is None:
            raise UserError(f"--{name} is missing (`clh train examples --help`)")
    if output is not None and output.suffix not in (".jsonl", ".parquet"):
        raise UserError(f"{output}: give a name that ends in .jsonl or .parquet")
    from clhcode.train.lessons import counts, lessons

    plan = _plan({"method": "sft", "model": "", **options})
    found = lessons(plan, _say)
    _say(f"{found.source} · {counts(found.train)} · dev: {counts(found.dev)}")
    # Whoever looks at a few wants no screen of dev questions after them.
    most = plan.limit if output is None else None
    rows = [
        _row(example, split, plan)
        for split, part in (("train", found.train), ("dev", found.dev[:most]))
        for example in part
    ]
    if output is not None:
        _write(rows, output)
        return DONE
    for row in rows[:_SHOWN] if sys.stdout.isatty() else rows:
        click.echo(f"── {row['split']} {row['name']}\n{row['user']}\n→ {row['completion']}\n")
    return DONE


def _row(example: Example, split: str, plan: Plan) -> dict[str, Any]:
    from clhcode.tasks import Choose
    from clhcode.train.wording import line

    task = example.task
    way = "phrase" if plan.choose == "score" else "write"
    said = line(example, plan.template, cast("Any", way))
    choose = isinstance(task, Choose)
    return {
        "name": example.name,
        "split": split,
        "agent": task.agent,
        "step": task.step if isinstance(task, Choose) else "extract",
        "system": said.prompt.system,
        "user": said.prompt.user,
        "completion": said.completion,
        "codes": [option.code for option in task.options] if isinstance(task, Choose) else [],
        "right": list(getattr(example.answer, "numbers", ())) if choose else [],
    }


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    if path.suffix == ".jsonl":
        import orjson

        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(rows), path)
