"""Runs stages from an input to an output; what `code` and the four agents share."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from clhcode.cli.console import visible
from clhcode.cli.models import token_rates, usage_lines
from clhcode.cli.options import policy_of
from clhcode.errors import (
    DONE,
    SOME_ROWS_FAILED,
    EngineGoneError,
    StoppedError,
    UnfinishedError,
    UserError,
)
from clhcode.records import Setting
from clhcode.tasks import Agent

if TYPE_CHECKING:
    from tqdm import tqdm

    from clhcode.pipeline import Workplace
    from clhcode.runtime.setup import Wishes
    from clhcode.search.retrieve import Retrieving
    from clhcode.table.convert import Row
    from clhcode.table.read import Source
    from clhcode.table.tally import Tally
    from clhcode.table.write import Format

Shown = Literal["text", "parquet", "arrow", "jsonl", "json"]
"""A format of the table, or the view for people."""

BAD_SHOWN = 3
"""Rows that cannot be read and are named on standard error; the table names all."""

PACK = 256
"""Rows a written batch holds at most; the writer also cuts by bytes."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a command line asked for."""

    source: str
    stages: tuple[Agent, ...]
    wishes: Wishes
    output: Path | None
    format_: Shown | None
    text_column: str
    plain: bool
    policy: str
    setting: str | None
    release: str | None
    allow_remote: bool
    without: tuple[str, ...]
    retriever: Retrieving
    embedder: str | None
    top_k: int
    workers: int
    into_pipe: Shown
    explain: bool = False


def execute(job: Job) -> int:
    """Runs the job and returns the exit code."""
    format_ = _format(job)
    place = _open(job)
    try:
        return _execute(job, format_, place)
    finally:
        place.close()


def _execute(job: Job, format_: Shown, place: Workplace) -> int:
    from clhcode.pipeline import run_stages
    from clhcode.table.read import read
    from clhcode.table.tally import Tally, tally_of
    from clhcode.table.write import open_writer

    source = read("-" if job.source == "-" else Path(job.source), text_column=job.text_column)
    if format_ != "text":
        found = "" if job.retriever == "lexical" else f" · {job.retriever} {job.embedder}"
        _note(f"{place.sources.describe()} · {place.setup.describe()} · {job.policy}{found}")
    if _resumable(job) and format_ != "text":
        return _report(_to_file(job, format_, source, place), place)
    total = Tally()

    def counted(rows: Iterable[Row]) -> Iterator[Row]:
        nonlocal total
        for row in rows:
            total += tally_of(row, job.stages[-1])
            yield row

    rows = counted(run_stages(_rows(source), job.stages, place))
    if format_ == "text":
        _show(rows, job, place)
    else:
        target = job.output or sys.stdout.buffer
        with open_writer(target, format_, {**source.runs, place.run: place.config}) as writer:
            for pack in packs(rows):
                writer.write(pack)
    return _report(total, place)


def _open(job: Job) -> Workplace:
    """The workplace of a job; also what each worker of it calls."""
    from clhcode.pipeline import Retrieval, open_workplace
    from clhcode.runtime.setup import setup_of

    policy = policy_of(job.policy, job.without)
    setting = cast("Setting | None", job.setting)
    place = open_workplace(
        policy,
        setup_of(job.wishes),
        setting,
        release=job.release,
        allow_remote=job.allow_remote,
        retrieval=Retrieval(job.retriever, job.embedder, job.top_k),
    )
    # Rows hold no cycles, so looking for them at every 700th object is time lost.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return place


def _resumable(job: Job) -> bool:
    """Whether the output is a plain file and the input can be read again."""
    if job.output is None or job.source == "-":
        return False
    place = Path(os.path.realpath(job.output))
    return place.is_file() or not place.exists()


def _to_file(job: Job, format_: Format, source: Source, place: Workplace) -> Tally:
    from functools import partial

    from clhcode.runs import Plan, fingerprint, finished, run
    from clhcode.table.tally import Tally

    target = Path(os.path.realpath(job.output or ""))
    plan = Plan(
        target,
        format_,
        job.stages,
        {**source.runs, place.run: place.config},
        fingerprint(
            Path(job.source),
            job.stages,
            {"format": format_, "text_column": job.text_column, **place.config},
        ),
        job.workers,
    )
    if (done := finished(plan)) is not None:
        _note(f"{job.output} is finished: {done.rows:,} rows, nothing to do")
        source.close()
        return Tally(done.rows)
    with _bar(job, place) as tell:
        try:
            return run(plan, _rows(source), place, partial(_open, job), tell)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {tell.rows:,} rows are safe in {job.output}.parts,"
                " the same command goes on from there"
            ) from None
        except EngineGoneError as error:
            raise UnfinishedError(
                f"{error}; {tell.rows:,} rows are safe in {job.output}.parts,"
                " the same command goes on from there"
            ) from None
        except OSError as error:
            raise UserError(
                f"{job.output}: {error.strerror}; {tell.rows:,} rows are safe in"
                f" {job.output}.parts, the same command goes on from there"
            ) from None


class _Bar:
    """The progress of a run: what is done, how fast, how many failed, tokens a second."""

    def __init__(self, bar: tqdm[object] | None, place: Workplace) -> None:
        self.rows = 0
        self._bar, self._place = bar, place

    def __call__(self, total: Tally) -> None:
        if self._bar is not None:
            self._bar.update(total.rows - self.rows)
            said = [f"{total.failed} failed"] if total.failed else []
            said += [f"{rate:,.0f} tokens/s" for rate in token_rates(self._place.usage())]
            self._bar.set_postfix_str(", ".join(said))
        self.rows = total.rows


@contextmanager
def _bar(job: Job, place: Workplace) -> Iterator[_Bar]:
    if not sys.stderr.isatty():
        yield _Bar(None, place)
        return
    from tqdm import tqdm

    from clhcode.table.read import count

    total = count(Path(job.source))
    with tqdm(total=total, desc=job.stages[-1], unit=" rows", leave=False) as bar:
        yield _Bar(bar, place)


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
    from clhcode.table.convert import is_bad

    bad = 0
    for batch in source:
        for row in batch:
            # A row that comes through a pipe of stages was told of by the first.
            if is_bad(row) and not row.encounter.runs:
                bad += 1
                if bad <= BAD_SHOWN:
                    _note(row.encounter.errors[0].message)
            yield row
    if bad > BAD_SHOWN:
        _note(f"{bad - BAD_SHOWN:,} more rows that cannot be read")
    if source.left:
        _note(f"columns not carried: {', '.join(source.left)}")


def packs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of `PACK`, as writers take them."""
    pack: list[Row] = []
    for row in rows:
        pack.append(row)
        if len(pack) == PACK:
            yield pack
            pack = []
    if pack:
        yield pack


def _report(total: Tally, place: Workplace) -> int:
    for line in usage_lines(place.usage()):
        _note(line)
    if total.failed:
        _note(f"{total.failed:,} of {total.rows:,} rows failed: see their `errors`")
        return SOME_ROWS_FAILED
    if total.faults:
        questions = "question" if total.faults == 1 else "questions"
        _note(f"{total.faults:,} {questions} got no usable answer: see `errors`")
    return DONE


def _show(rows: Iterable[Row], job: Job, place: Workplace) -> None:
    from clhcode.cli.console import console
    from clhcode.cli.views import Header, encounter_view

    out = console(plain=job.plain)
    stood_on = (place.sources.describe(), place.setup.named())
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
    # Names of columns and files come from outside.
    shown = visible(line)
    click.echo(click.style(shown, dim=True) if _colours() else shown, err=True)


def _colours() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
