"""The folder of a run's finished parts, `OUT.parts`, which a killed run leaves to the next.

A part is a file with the rows of a stretch of the input, written under another name, synced,
and renamed. Its name tells its number and what is in it, so that nothing else has to be kept
in step. A kernel lock keeps a second writer out, and goes with the process that held it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path

import orjson

from clhcode.errors import UnfinishedError, UserError
from clhcode.table.convert import Row
from clhcode.table.tally import Tally
from clhcode.table.write import Format, keep_name, open_sheet, open_writer

ROWS = 128
"""Rows of a part, at most."""
TEXT = 4 << 20
"""Characters of note text after which a part is full."""

_NAME = re.compile(r"(\d{8})-(\d+)-(\d+)-(\d+)\.(?:parquet|jsonl)")
_PIECES: dict[Format, Format] = {
    "parquet": "parquet",
    "arrow": "parquet",
    "jsonl": "jsonl",
    "json": "jsonl",
}


@dataclass(slots=True)
class Parts:
    """The parts of one run, open under its lock.

    Attributes:
        done: What each finished part holds, by number.
    """

    folder: Path
    format: Format
    runs: Mapping[str, object]
    done: dict[int, Tally] = field(default_factory=dict)

    def write(self, number: int, rows: list[Row], tally: Tally) -> None:
        """Writes a part; it is there as a whole or not at all."""
        piece = _PIECES[self.format]
        name = f"{number:08}-{tally.rows}-{tally.failed}-{tally.faults}.{piece}"
        with open_writer(self.folder / name, piece, self.runs) as writer:
            writer.write(rows)
        self.done[number] = tally

    def total(self) -> Tally:
        """What all finished parts hold together."""
        return sum(self.done.values(), Tally())


def cut(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows of each part; where they part depends on the rows alone."""
    part: list[Row] = []
    text = 0
    for row in rows:
        part.append(row)
        text += sum(len(note.text) for note in row.encounter.notes)
        if len(part) == ROWS or text >= TEXT:
            yield part
            part, text = [], 0
    if part:
        yield part


@contextmanager
def open_parts(
    target: Path, format_: Format, runs: Mapping[str, object], fingerprint: Mapping[str, object]
) -> Iterator[Parts]:
    """Opens the folder of parts beside a target for one run, with what an earlier try left.

    Args:
        target: The output.
        format_: Its format, which decides that of the parts.
        runs: Configurations by run id, for the metadata of parts and output.
        fingerprint: What the run is of; an earlier try of another one is not gone on with.

    Yields:
        The parts, with those that are done.

    Raises:
        UserError: Another process writes this output, or the folder holds another run.

    The folder goes when the block fails by a `UserError` about its input, and stays for a
    later try in any other case.
    """
    folder = target.with_name(f"{target.name}.parts")
    lock = locked(folder, target)
    try:
        mine = orjson.dumps(dict(fingerprint), option=orjson.OPT_SORT_KEYS)
        kept = folder / "fingerprint.json"
        if kept.exists():
            _same(orjson.loads(kept.read_bytes()), orjson.loads(mine), folder)
        else:
            part = folder / ".fingerprint.tmp"
            part.write_bytes(mine)
            part.replace(kept)
        # What a killed run had begun to write, here and beside the target.
        left = (*folder.glob(".*.tmp"), *target.parent.glob(f".{escape(target.name)}.*.tmp"))
        for stray in left:
            stray.unlink(missing_ok=True)
        parts = Parts(folder, format_, runs)
        for path in folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                number, *counts = map(int, match.groups())
                parts.done[number] = Tally(*counts)
        try:
            yield parts
        except UnfinishedError:
            raise
        except UserError:
            # The input is at fault: mended, it will be another one, with other parts.
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def locked(folder: Path, target: Path) -> int:
    """Makes a folder and locks it for this process; the descriptor that holds the lock.

    Args:
        folder: The folder of a run; a file `lock` in it is what is locked.
        target: The output, for the messages.

    Raises:
        UserError: Another process holds it, or the folder cannot be made.
    """
    import fcntl

    while True:
        try:
            folder.mkdir(exist_ok=True)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(f"{target}: cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise UserError(f"{target}: another run is writing it") from None
        try:
            # The run that held it may have ended, and its folder gone, before we got the lock.
            same = os.path.samestat(os.fstat(lock), (folder / "lock").stat())
        except FileNotFoundError:
            same = False
        if same:
            return lock
        os.close(lock)


def _same(kept: dict[str, object], mine: dict[str, object], folder: Path) -> None:
    differing = sorted(k for k in kept.keys() | mine.keys() if kept.get(k) != mine.get(k))
    if differing:
        raise UserError(
            f"{folder} holds an unfinished run of another kind ({', '.join(differing)} differ):"
            " remove the folder, or write to another file"
        )


def join(parts: Parts, target: Path) -> None:
    """Makes the output of all parts, in order, and removes them."""
    numbered = sorted(p for p in parts.folder.iterdir() if _NAME.fullmatch(p.name))
    with open_sheet(target, parts.format, parts.runs) as sheet:
        for path in numbered:
            sheet.add(path)
    shutil.rmtree(parts.folder)
    keep_name(target.parent)
