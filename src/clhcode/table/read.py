"""Reading: any file of notes or encounters, as lists of rows that fit in memory."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row
from clhcode.table.found import Found, cut
from clhcode.table.lift import is_flat, lift
from clhcode.table.names import flat_columns, no_text, renamed
from clhcode.table.schema import KEYS
from clhcode.table.texts import Named, csv_rows, json_objects, nothing, plain_note

BUDGET = 8 << 20
"""Bytes of note text in a list of rows, about."""

Kind = Literal["parquet", "arrow", "stream", "json", "document", "csv", "tsv", "text"]

_HEAD = 8
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "stream"),
)
_SUFFIXES: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".arrows": "stream",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "document",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
}


@dataclass(frozen=True, slots=True)
class Source:
    """An input that can be gone through once, in lists of rows.

    Attributes:
        runs: The configurations of the runs behind the rows, by run id, where known.
        left: What the input holds and the table does not carry, by name.
    """

    runs: dict[str, Any]
    left: tuple[str, ...]
    lists: Iterator[list[Row]]
    close: Callable[[], None]

    def __iter__(self) -> Iterator[list[Row]]:
        try:
            yield from self.lists
        finally:
            self.close()


def read(path: Path | Literal["-"], *, text_column: str = "text", budget: int = BUDGET) -> Source:
    """Opens a file, a folder of `.txt` notes, or standard input (`-`).

    What a file is, is told by its first bytes, else by its suffix; without either it is
    JSON lines where it begins with an object, and one plain note otherwise. A plain note is
    called by its file's name, one in a folder by its path in the folder without suffix.

    Args:
        path: Where the notes are.
        text_column: The column of the text, in a table of single notes.
        budget: About how many bytes of note text one list may hold.

    Raises:
        UserError: There is no such input, or it is empty, damaged, not UTF-8 or lacks a
            column. Damage further on is raised when it is reached.
    """
    if path == "-":
        stdin = cast("io.BufferedReader", sys.stdin.buffer)
        return read_stream(stdin, "stdin", text_column=text_column, budget=budget)
    if path.is_dir():
        return Source({}, (), cut(_folder(path), budget), _nothing_to_close)
    try:
        stream = path.open("rb")
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else "cannot be opened"
        raise UserError(f"{path}: {why}") from None
    try:
        found = _found(stream, str(path), path.name, text_column, budget)
    except BaseException:
        stream.close()
        raise
    return _source(found, str(path), budget, stream.close)


def read_stream(
    stream: io.BufferedIOBase, name: str, *, text_column: str = "text", budget: int = BUDGET
) -> Source:
    """Reads an open stream as `read` would a file called `name`; it is not closed.

    A stream that cannot seek is spooled to a temporary file where its format needs that.
    """
    found = _found(stream, name, name, text_column, budget)
    return _source(found, name, budget, _nothing_to_close)


def _source(found: Found, name: str, budget: int, close: Callable[[], None]) -> Source:
    lists = _unpacked(chain.from_iterable(cut(group, budget) for group in found.groups), name)
    return Source(found.runs, found.left, lists, close)


def _found(
    stream: io.BufferedIOBase, name: str, file: str, text_column: str, budget: int
) -> Found:
    """The content of a stream; `file` is the name that ids and the suffix come from."""
    with _told(name):
        head, stream = _peeked(stream)
        if head.startswith(b"\x1f\x8b"):
            inner = gzip.GzipFile(fileobj=cast("BinaryIO", stream))
            shorter = file.removesuffix(".gz")
            return _found(_Rewound.over(b"", inner), name, shorter, text_column, budget)
        if not head:
            raise nothing(name)
        kind = _kind(head, file)
        raw = cast("BinaryIO", stream)
        stem = _stem(file)
        if kind in ("parquet", "arrow", "stream"):
            from clhcode.table.arrows import arrow_rows

            if kind != "stream" and not stream.seekable():
                raw = _spooled(raw)
            return arrow_rows(raw, kind, name, stem, text_column, budget)
        if kind == "text":
            text = plain_note(stream.read(), name)
            return Found(iter([[_note(file, text)]]))
        if kind in ("csv", "tsv"):
            columns, notes = csv_rows(raw, name, tabs=kind == "tsv")
            if text_column not in columns:
                raise no_text(name, columns, text_column)
        else:
            notes = json_objects(raw, name, whole=kind == "document")
            first = next(notes, None)
            if first is None:
                raise nothing(name)
            notes = chain([first], notes)
            columns = list(first[1])
            if first[1].get("notes") is None and text_column not in columns:
                raise no_text(name, columns, text_column)
            if not is_flat(renamed(first[1], text_column)):
                return _lifted(notes, stem, text_column, columns, KEYS)
        return _lifted(notes, stem, text_column, columns, flat_columns(text_column))


def _lifted(
    notes: Iterable[Named], stem: str, text_column: str, columns: list[str], known: tuple[str, ...]
) -> Found:
    named = ((where, renamed(note, text_column)) for where, note in notes)
    left = tuple(column for column in columns if column and column not in known)
    return Found(iter([lift(named, stem)]), left=left)


def _folder(folder: Path) -> Iterator[Row]:
    """The `.txt` notes of a folder; the list of names is made at once, the texts one by one."""
    files = sorted(
        (p for p in folder.rglob("*.txt") if p.is_file() and not p.name.startswith(".")),
        key=lambda p: p.relative_to(folder).as_posix(),
    )
    if not files:
        raise UserError(f"{folder}: no `.txt` notes in this folder")

    def rows() -> Iterator[Row]:
        for file in files:
            note_id = file.relative_to(folder).with_suffix("").as_posix()
            with _told(str(file)):
                text = plain_note(file.read_bytes(), str(file))
            yield _note(note_id, text)

    return rows()


def _note(note_id: str, text: str) -> Row:
    return Row(Encounter(note_id, (Note(note_id, text),)))


def _kind(head: bytes, file: str) -> Kind:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    by_suffix = _SUFFIXES.get(Path(file).suffix.lower())
    if by_suffix:
        return by_suffix
    # `[` alone begins many a de-identified note.
    begins_json = re.match(rb"(\xef\xbb\xbf)?\s*(\{|\[\s*\{)", head)
    return "json" if begins_json else "text"


def _stem(file: str) -> str:
    path = Path(file)
    return path.stem if path.suffix.lower() in _SUFFIXES else path.name


class _Rewound(io.RawIOBase):
    """A stream that cannot seek, begun again with the bytes already taken from it."""

    def __init__(self, head: bytes, rest: io.BufferedIOBase) -> None:
        self.head = head
        self.rest = rest

    @classmethod
    def over(cls, head: bytes, rest: io.BufferedIOBase) -> io.BufferedReader:
        return io.BufferedReader(cls(head, rest))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.head[: len(buffer)] or self.rest.read1(len(buffer))
        self.head = self.head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _peeked(stream: io.BufferedIOBase) -> tuple[bytes, io.BufferedIOBase]:
    if stream.seekable():
        at = stream.tell()
        head = stream.read(_HEAD)
        stream.seek(at)
        return head, stream
    head = stream.read(_HEAD)
    return head, _Rewound.over(head, stream)


def _spooled(stream: BinaryIO) -> BinaryIO:
    # The file has no name, so it is gone with the process.
    spool = tempfile.TemporaryFile()
    shutil.copyfileobj(stream, spool, 1 << 20)
    spool.seek(0)
    return cast("BinaryIO", spool)


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{name}: the gzip data is damaged or cut short") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None


def _unpacked(lists: Iterator[list[Row]], name: str) -> Iterator[list[Row]]:
    while True:
        with _told(name):
            rows = next(lists, None)
        if rows is None:
            return
        yield rows


def _nothing_to_close() -> None:
    """Standard input stays open, and a folder's files are closed one by one."""
