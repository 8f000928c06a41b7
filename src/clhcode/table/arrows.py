"""Rows from Parquet and Arrow IPC, in pieces that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypeVar

import orjson

from clhcode.errors import UserError
from clhcode.table.convert import Row, bad_row, of_batch
from clhcode.table.found import Asked, Found
from clhcode.table.lift import lift
from clhcode.table.names import flat_columns, no_text, renamed
from clhcode.table.plain import WrongError
from clhcode.table.schema import KEYS, RUNS
from clhcode.table.texts import Named

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
ArrowKind = Literal["parquet", "arrow", "stream"]
_NAMES: dict[ArrowKind, str] = {
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "stream": "an Arrow stream",
}
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_PAGES = 1 << 20
_MOST_ROWS = 1 << 16

Opened: TypeAlias = "tuple[pa.Schema, Callable[[list[str]], Iterator[pa.RecordBatch]]]"
"""The schema, and a function that reads some columns batch by batch."""


def arrow_rows(stream: BinaryIO, kind: ArrowKind, asked: Asked) -> Found:
    """The rows of a Parquet file, an Arrow file or an Arrow stream.

    Args:
        stream: The bytes; seekable unless they are an Arrow stream.
        kind: Which of the three.
        asked: What to call things, where the text is, and how much to decode at a time.

    Raises:
        UserError: The file is damaged, or has neither notes nor text.
    """
    from clhcode.table.columns import is_list

    name, text_column = asked.name, asked.text_column
    with _told(name, kind):
        schema, batches = _OPENERS[kind](stream, asked.budget)
        names: list[str] = schema.names
    # Who names another text column means that one.
    meant = text_column != "text" and text_column in names
    ours = "notes" in names and is_list(schema.field(names.index("notes")).type) and not meant
    if not ours and text_column not in names:
        raise no_text(name, names, text_column)
    known = KEYS if ours else flat_columns(text_column)
    kept = [n for n in names if n in known]
    if len(set(kept)) < len(kept):
        raise UserError(f"{name}: two columns have the same name")
    pieces = _pieces(batches(kept), asked.budget)
    groups: Iterator[Iterable[Row]]
    if not ours:
        notes = _sound(_notes(pieces, name, text_column), name, kind)
        groups = iter([lift(notes, asked.stem)])
    else:
        groups = _sound(
            (_ours(piece, name, first, asked.stem) for piece, first in pieces), name, kind
        )
        if kind != "stream":
            # What comes through a pipe is not held back to fill a list; a file's rows may be.
            groups = iter([chain.from_iterable(groups)])
    return Found(groups, _runs(schema), tuple(n for n in names if n not in known))


def _parquet(stream: BinaryIO, budget: int) -> Opened:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=_PAGES)

    def batches(columns: list[str]) -> Iterator[pa.RecordBatch]:
        for group in range(file.num_row_groups):
            about = file.metadata.row_group(group)
            a_row = max(1, about.total_byte_size // max(1, about.num_rows))
            rows = min(_MOST_ROWS, max(1, budget // a_row))
            yield from file.iter_batches(rows, row_groups=[group], columns=columns)

    return file.schema_arrow, batches


def _arrow(stream: BinaryIO, _: int) -> Opened:
    import pyarrow as pa

    file = pa.ipc.open_file(stream)

    def batches(columns: list[str]) -> Iterator[pa.RecordBatch]:
        for number in range(file.num_record_batches):
            yield _checked(file.get_batch(number), columns)

    return file.schema, batches


def _stream(stream: BinaryIO, _: int) -> Opened:
    import pyarrow as pa

    tail = _Tail(stream)
    reader = pa.ipc.open_stream(tail)

    def batches(columns: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield _checked(batch, columns)
        # A writer that was killed between two batches leaves no other trace.
        if tail.last != _END:
            raise EOFError

    return reader.schema, batches


_OPENERS: dict[ArrowKind, Callable[[BinaryIO, int], Opened]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "stream": _stream,
}


class _Tail:
    """A readable stream that remembers the last bytes it gave."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.last = (self.last + data[-len(_END) :])[-len(_END) :]
        return data

    def close(self) -> None:
        """Leaves the stream to whoever opened it."""


def _checked(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    # IPC buffers are used as they lie: a bad offset would be read, not noticed.
    picked = batch.select(columns)
    picked.validate(full=True)
    return picked


@contextmanager
def _told(name: str, kind: ArrowKind) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError):
        raise UserError(
            f"{name}: cannot be read as {_NAMES[kind]}; it is damaged or cut short"
        ) from None


def _sound(values: Iterator[T], name: str, kind: ArrowKind) -> Iterator[T]:
    """The same values; damage met on the way to one is told as such."""
    while True:
        try:
            with _told(name, kind):
                value = next(values)
        except StopIteration:
            return
        yield value


def _ours(piece: pa.RecordBatch, name: str, first: int, stem: str) -> list[Row]:
    """The rows of a piece, those that cannot be read as bad rows.

    Raises:
        UserError: A column is of a kind that no row of it can fit.
    """
    try:
        return of_batch(piece)
    except WrongError as wrong:
        fault = wrong
    try:
        of_batch(piece.slice(0, 0))
    except WrongError as wrong:
        raise UserError(f"{name}: {wrong}") from None
    if piece.num_rows == 1:
        ids = piece.column("encounter_id") if "encounter_id" in piece.schema.names else [None]
        own = str(ids[0]) if ids[0] is not None and str(ids[0]) != "None" else f"{stem}-{first}"
        return [bad_row(own, f"{name}: row {first}", fault)]
    middle = piece.num_rows // 2
    halves = (piece.slice(0, middle), first), (piece.slice(middle), first + middle)
    return [row for half, at in halves for row in _ours(half, name, at, stem)]


def _pieces(batches: Iterable[pa.RecordBatch], budget: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Slices of at most about `budget` bytes, and the number of each one's first row."""
    first = 1
    for batch in batches:
        a_row = max(1, batch.nbytes // max(1, batch.num_rows))
        step = max(1, budget // a_row)
        for begin in range(0, batch.num_rows, step):
            piece = batch.slice(begin, step)
            yield piece, first
            first += piece.num_rows


def _notes(
    pieces: Iterable[tuple[pa.RecordBatch, int]], name: str, text_column: str
) -> Iterator[Named]:
    for piece, first in pieces:
        for number, values in enumerate(piece.to_pylist(), first):
            yield f"{name}: row {number}", renamed(values, text_column)


def _runs(schema: pa.Schema) -> dict[str, Any]:
    try:
        runs = orjson.loads((schema.metadata or {}).get(RUNS.encode(), b"{}"))
    except orjson.JSONDecodeError:
        return {}
    return runs if isinstance(runs, dict) else {}
