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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row
from clhcode.table.found import Asked, Found, cut
from clhcode.table.lift import lift
from clhcode.table.names import flat_columns, no_text, renamed
from clhcode.table.plain import WrongError
from clhcode.table.schema import KEYS
from clhcode.table.texts import Named, csv_rows, json_objects, nothing, plain_note

if TYPE_CHECKING:
    from clhcode.table.arrows import ArrowKind

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


def count(path: Path) -> int | None:
    """How many rows a run over a file will have, where its footer tells."""
    with suppress(OSError, ValueError):
        with path.open("rb") as stream:
            if stream.read(4) != b"PAR1":
                return None
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            nested = "notes" in file.schema_arrow.names
            return int(file.metadata.num_rows) if nested else None
    return None


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
    with ExitStack() as opened:
        opened.enter_context(stream)
        return _source(stream, path.name, Asked(str(path), "", text_column, budget), opened)


def read_stream(
    stream: io.BufferedIOBase, name: str, *, text_column: str = "text", budget: int = BUDGET
) -> Source:
    """Reads an open stream as `read` would a file called `name`; it is not closed.

    A stream that cannot seek is spooled to a temporary file where its format needs that.
    """
    with ExitStack() as opened:
        return _source(stream, name, Asked(name, "", text_column, budget), opened)


def _source(stream: io.BufferedIOBase, file: str, asked: Asked, opened: ExitStack) -> Source:
    """The source that a stream is; what was opened for it stays open if all went well."""
    name, budget = asked.name, asked.budget
    with _told(name):
        found = _found(stream, file, asked, opened)
    lists = _unpacked(chain.from_iterable(cut(group, budget) for group in found.groups), name)
    return Source(found.runs, found.left, lists, opened.pop_all().close)


def _found(stream: io.BufferedIOBase, file: str, asked: Asked, opened: ExitStack) -> Found:
    """The content of a stream; `file` is the name that ids and the suffix come from."""
    head, stream = _peeked(stream)
    if head.startswith(b"\x1f\x8b"):
        inner = _Rewound.over(b"", gzip.GzipFile(fileobj=cast("BinaryIO", stream)))
        return _found(inner, file.removesuffix(".gz"), asked, opened)
    if not head:
        raise nothing(asked.name)
    kind, raw = _kind(head, file), cast("BinaryIO", stream)
    asked = replace(asked, stem=_stem(file))
    match kind:
        case "text":
            return Found(iter([[_note(file, plain_note(stream.read(), asked.name))]]))
        case "stream":
            return _arrow_rows(raw, kind, asked)
        case "parquet" | "arrow":
            return _arrow_rows(raw if stream.seekable() else _spooled(raw, opened), kind, asked)
        case "csv" | "tsv":
            columns, rows = csv_rows(raw, asked.name, tabs=kind == "tsv")
            return _lifted(columns, rows, asked, ours=False)
        case "json" | "document":
            first, rows = _json_rows(raw, asked.name, whole=kind == "document")
            return _lifted(list(first), rows, asked, ours=isinstance(first.get("notes"), list))


def _arrow_rows(stream: BinaryIO, kind: ArrowKind, asked: Asked) -> Found:
    from clhcode.table.arrows import arrow_rows

    return arrow_rows(stream, kind, asked)


def _json_rows(
    stream: BinaryIO, name: str, *, whole: bool
) -> tuple[dict[str, Any], Iterator[Named]]:
    """The first object, and all objects."""
    rows = json_objects(stream, name, whole=whole)
    first = next(rows, None)
    if first is None:
        raise nothing(name)
    where, values = first
    if isinstance(values, WrongError):
        raise UserError(f"{where}: {values}")
    return values, chain([first], rows)


def _lifted(columns: list[str], rows: Iterable[Named], asked: Asked, *, ours: bool) -> Found:
    """Rows by name, once it is sure that there is a text among the columns."""
    text_column = asked.text_column
    if not ours and text_column not in columns:
        raise no_text(asked.name, columns, text_column)
    known = KEYS if ours else flat_columns(text_column)
    left = tuple(column for column in columns if column not in known)
    named = ((where, renamed(values, text_column)) for where, values in rows)
    return Found(iter([lift(named, asked.stem)]), left=left)


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


def _spooled(stream: BinaryIO, opened: ExitStack) -> BinaryIO:
    # The file has no name, so it is gone with the process.
    spool = tempfile.TemporaryFile()  # noqa: SIM115
    opened.callback(spool.close)
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
        raise UserError(f"{name}: cannot be read ({error.strerror or 'damaged'})") from None


def _unpacked(lists: Iterator[list[Row]], name: str) -> Iterator[list[Row]]:
    while True:
        with _told(name):
            rows = next(lists, None)
        if rows is None:
            return
        yield rows


def _nothing_to_close() -> None:
    """Standard input stays open, and a folder's files are closed one by one."""
