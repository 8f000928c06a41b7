"""Runs stages from an input to an output; what `code` and the four agents share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from clhcode.cli.options import policy_of
from clhcode.errors import DONE, SOME_ROWS_FAILED, UserError
from clhcode.records import Setting
from clhcode.tasks import Agent

if TYPE_CHECKING:
    from clhcode.pipeline import Workplace
    from clhcode.table.convert import Row
    from clhcode.table.read import Source

Shown = Literal["text", "parquet", "arrow", "jsonl", "json"]
"""A format of the table, or the view for people."""

PACK = 256
"""Rows a written batch holds at most; the writer also cuts by bytes."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a command line asked for."""

    source: str
    stages: tuple[Agent, ...]
    output: Path | None
    format_: Shown | None
    text_column: str
    plain: bool
    policy: str
    setting: str | None
    release: str | None
    engine: str | None
    without: tuple[str, ...]
    into_pipe: Shown
    explain: bool = False


def execute(job: Job) -> int:
    """Runs the job and returns the exit code."""
    from clhcode.pipeline import open_workplace, run_stages
    from clhcode.runtime.pick import choose_engine
    from clhcode.table.read import read
    from clhcode.table.write import open_writer

    format_ = _format(job)
    choice = choose_engine(job.engine)
    source = read("-" if job.source == "-" else Path(job.source), text_column=job.text_column)
    policy = policy_of(job.policy, job.without)
    place = open_workplace(policy, choice, cast("Setting | None", job.setting), job.release)
    if format_ != "text":
        _note(f"{place.sources.describe()} · {choice.name} ({choice.reason}) · {policy.name}")
    tally = _Tally(job.stages[-1])
    rows = tally.count(run_stages(_rows(source), job.stages, place))
    if format_ == "text":
        _show(rows, job, place, choice.name)
    else:
        target = job.output or sys.stdout.buffer
        with open_writer(target, format_, {**source.runs, place.run: place.config}) as writer:
            for pack in _packs(_progress(rows, job)):
                writer.write(pack)
    return tally.report()


def _format(job: Job) -> Shown:
    from clhcode.table.write import format_of, stdout_kind

    if job.output is not None:
        if job.format_ == "text":
            raise UserError("text is for reading: leave -o away, or write a table")
        return job.format_ or format_of(job.output)
    if job.format_ in ("arrow", "parquet") and sys.stdout.isatty():
        raise UserError(f"{job.format_} is not for a terminal: give a file with -o")
    by_kind: dict[str, Shown] = {"terminal": "text", "file": "parquet", "pipe": job.into_pipe}
    return job.format_ or by_kind[stdout_kind(sys.stdout.fileno())]


def _rows(source: Source) -> Iterator[Row]:
    for batch in source:
        yield from batch
    if source.left:
        _note(f"columns not carried: {', '.join(source.left)}")


def _packs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    pack: list[Row] = []
    for row in rows:
        pack.append(row)
        if len(pack) == PACK:
            yield pack
            pack = []
    if pack:
        yield pack


def _progress(rows: Iterator[Row], job: Job) -> Iterable[Row]:
    if job.output is None or not sys.stderr.isatty():
        return rows
    from tqdm import tqdm

    return cast("Iterable[Row]", tqdm(rows, desc=job.stages[-1], unit=" encounters", leave=False))


@dataclass(slots=True)
class _Tally:
    """Counts rows whose last stage gave nothing, and questions without an answer."""

    stage: Agent
    rows: int = 0
    failed: int = 0
    faults: int = 0

    def count(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            encounter = row.encounter
            done = encounter.codes if self.stage == "assign" else encounter.conditions
            internal = any(error.kind == "internal" for error in encounter.errors)
            self.rows += 1
            self.failed += done is None or internal
            self.faults += len(encounter.errors)
            yield row

    def report(self) -> int:
        if self.failed:
            _note(f"{self.failed} of {self.rows} rows failed: see their `errors`")
            return SOME_ROWS_FAILED
        if self.faults:
            _note(f"{self.faults} questions got no usable answer: see `errors`")
        return DONE


def _show(rows: Iterable[Row], job: Job, place: Workplace, engine: str) -> None:
    from clhcode.cli.console import console
    from clhcode.cli.views import Header, encounter_view

    out = console(plain=job.plain)
    stood_on = (place.sources.describe(), engine)
    began = time.perf_counter()
    for row in rows:
        path, name = Path(job.source), row.encounter.encounter_id
        header = Header(
            path.name if path.stem == name else name,
            place.tools.setting_of(row.encounter),
            *stood_on,
            time.perf_counter() - began,
            out.width,
        )
        stage = job.stages[-1]
        for line in encounter_view(row.encounter, place.tools, header, stage, job.explain):
            out.print(line, soft_wrap=False, overflow="ellipsis", no_wrap=True)
        began = time.perf_counter()


def _note(line: str) -> None:
    click.echo(click.style(line, dim=True) if _colours() else line, err=True)


def _colours() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
