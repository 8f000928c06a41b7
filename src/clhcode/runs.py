"""Runs to a file: cut into parts, shared among workers, gone on with after a crash."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import orjson

from clhcode.errors import UnfinishedError
from clhcode.pipeline import Workplace, run_stages
from clhcode.places import cache_home
from clhcode.table.convert import Row
from clhcode.table.parts import Parts, cut, join, open_parts
from clhcode.table.tally import Tally, tally_of
from clhcode.table.write import Format
from clhcode.tasks import Agent

Opener = Callable[[], Workplace]
"""Opens the workplace; picklable, since each worker calls it."""

AHEAD = 3
"""Parts read ahead for each worker, which bounds what is held in memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run to a file.

    Attributes:
        target: The output, a plain file.
        format: Its format.
        stages: The agents to run.
        runs: Configurations by run id: the input's, and this run's.
        fingerprint: What makes it this run and no other.
        workers: Processes that code; 1 is this one alone.
    """

    target: Path
    format: Format
    stages: tuple[Agent, ...]
    runs: dict[str, object]
    fingerprint: dict[str, object]
    workers: int = 1


def fingerprint(
    source: Path, stages: Sequence[Agent], config: dict[str, object]
) -> dict[str, object]:
    """What makes a run this one: the input as it stands, the stages and the configuration."""
    paths = sorted(source.rglob("*")) if source.is_dir() else [source]
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return {"input": digest.hexdigest()[:16], "stages": list(stages), **config}


def finished(plan: Plan) -> Tally | None:
    """What an earlier run made of the same plan, where its output stands as it left it."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = orjson.loads(_record(plan.target).read_bytes())
        stat = plan.target.stat()
        same = (kept["size"], kept["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        if same and kept["fingerprint"] == orjson.loads(orjson.dumps(plan.fingerprint)):
            return Tally(**kept["tally"])
    return None


def run(
    plan: Plan, rows: Iterator[Row], place: Workplace, opener: Opener, tell: Callable[[Tally], None]
) -> Tally:
    """Codes what is not done yet, and makes the output of all parts.

    Args:
        plan: Where to, and what of.
        rows: The whole input from its beginning; what is done is passed over.
        place: This process's workplace.
        opener: Opens one in each worker.
        tell: Called with what is done in all, after each part.

    Raises:
        UserError: The output is being written, or a worker died.
    """
    with open_parts(plan.target, plan.format, plan.runs, plan.fingerprint) as parts:
        tell(parts.total())
        todo = ((number, part) for number, part in enumerate(cut(rows)) if number not in parts.done)
        if plan.workers > 1:
            _shared(todo, parts, plan, opener, tell)
        else:
            _alone(todo, parts, plan, place, tell)
        total = parts.total()
        if (usage := place.usage()) is not None:
            # Known only now, and no part of what makes a run this one.
            place.config["usage"] = usage
        join(parts, plan.target)
    _remember(plan, total)
    return total


def _alone(
    todo: Iterator[tuple[int, list[Row]]],
    parts: Parts,
    plan: Plan,
    place: Workplace,
    tell: Callable[[Tally], None],
) -> None:
    """Parts are borders in one stream, so that an engine never waits for the end of one."""
    borders: deque[tuple[int, int]] = deque()

    def flat() -> Iterator[Row]:
        for number, rows in todo:
            borders.append((number, len(rows)))
            yield from rows

    held: list[Row] = []
    for row in run_stages(flat(), plan.stages, place):
        held.append(row)
        number, size = borders[0]
        if len(held) == size:
            _keep(parts, number, held, plan.stages[-1])
            borders.popleft()
            held = []
            tell(parts.total())


def _keep(parts: Parts, number: int, rows: list[Row], stage: Agent) -> Tally:
    tally = sum((tally_of(row, stage) for row in rows), Tally())
    parts.write(number, rows, tally)
    return tally


def _shared(
    todo: Iterator[tuple[int, list[Row]]],
    parts: Parts,
    plan: Plan,
    opener: Opener,
    tell: Callable[[Tally], None],
) -> None:
    context = get_context("spawn")
    pool = ProcessPoolExecutor(plan.workers, context, _start, (opener, parts, plan.stages))
    running: dict[Future[Tally], int] = {}
    try:
        while True:
            while len(running) < plan.workers * AHEAD and (item := next(todo, None)):
                running[pool.submit(_work, *item)] = item[0]
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                parts.done[running.pop(future)] = future.result()
            tell(parts.total())
    except BrokenProcessPool:
        raise UnfinishedError(
            "a worker was killed (out of memory?); what is done is safe in"
            f" {parts.folder}, the same command goes on from there"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_desk: tuple[Workplace, Parts, tuple[Agent, ...]]
"""What a worker process works with."""


def _start(opener: Opener, parts: Parts, stages: tuple[Agent, ...]) -> None:
    global _desk  # noqa: PLW0603 - a process has one desk
    # Ctrl-C reaches the whole group; the parent ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _desk = (opener(), parts, stages)


def _work(number: int, rows: list[Row]) -> Tally:
    place, parts, stages = _desk
    return _keep(parts, number, list(run_stages(iter(rows), stages, place)), stages[-1])


def _record(target: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(target))).hexdigest()[:24]
    return cache_home() / "finished" / f"{name}.json"


def _remember(plan: Plan, tally: Tally) -> None:
    """Notes in the cache that the output is this run's; without the note it is coded again."""
    record = _record(plan.target)
    stat = plan.target.stat()
    kept = {
        "fingerprint": plan.fingerprint,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "tally": asdict(tally),
    }
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        part = record.with_suffix(f".{os.getpid()}")
        part.write_bytes(orjson.dumps(kept))
        part.replace(record)
