"""Writing: rows to Parquet, Arrow, JSON lines or JSON, whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

import orjson

from clhcode.errors import UserError
from clhcode.table.convert import Row, to_batch, to_dict
from clhcode.table.schema import schema

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["parquet", "arrow", "jsonl", "json"]

ROW_GROUP = 32 << 20
"""Bytes of Arrow data in a row group, about."""

_FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}


class Writer(Protocol):
    """Takes rows, in order."""

    def write(self, rows: Iterable[Row]) -> None:
        """Adds rows to the output."""


class Sheet(Writer, Protocol):
    """A writer as seen from within: it can take whole pieces, and must be ended."""

    def add(self, piece: Path) -> None:
        """Adds the rows of a file: Parquet for tables, JSON lines for text."""

    def end(self) -> None:
        """Writes what makes the output complete."""


def format_of(path: Path) -> Format:
    """The format that the suffix of a path asks for.

    Raises:
        UserError: The suffix is not known.
    """
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(f"`{suffix}`" for suffix in _FORMATS)
        raise UserError(f"{path}: the suffix says no format; known are {known}") from None


def stdout_kind(fileno: int) -> Literal["terminal", "file", "pipe"]:
    """What a file descriptor is connected to; whatever is not a plain file counts as a pipe."""
    if os.isatty(fileno):
        return "terminal"
    return "file" if stat.S_ISREG(os.fstat(fileno).st_mode) else "pipe"


@contextmanager
def open_writer(
    target: Path | BinaryIO,
    format: Format | None = None,  # noqa: A002
    runs: Mapping[str, object] | None = None,
) -> Iterator[Writer]:
    """Opens an output for the time of a `with` block.

    A path is written under another name beside it, and takes its own only when the block
    ends well; until then, and for good where the block fails, what was there stays. So an
    input may be its own output. On a stream that the block leaves by an error, what would
    make it complete is not written, so that its reader notices.

    Args:
        target: A path, or a binary stream, which is left open.
        format: By default what the suffix of the path says. `arrow` is the file format in a
            plain file, the stream format elsewhere; `json` is one object for one row, else
            an array.
        runs: The configurations of the runs behind the rows, by run id; kept by Parquet and
            Arrow.

    Raises:
        UserError: The suffix is not known or the path cannot be written.
    """
    if not isinstance(target, Path):
        with _sheet(target, format or "jsonl", runs, plain_file=False) as sheet:
            yield sheet
        return
    with open_sheet(target, format or format_of(target), runs) as sheet:
        yield sheet


@contextmanager
def open_sheet(
    target: Path, kind: Format, runs: Mapping[str, object] | None = None
) -> Iterator[Sheet]:
    """As `open_writer` for a path; what it gives can take whole pieces as well."""
    with (
        _beside(target) as (stream, plain_file),
        _sheet(stream, kind, runs, plain_file=plain_file) as sheet,
    ):
        yield sheet


@contextmanager
def _beside(target: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """A stream to a new file that takes the place of `target`, and whether it is a plain one."""
    place = Path(os.path.realpath(target))
    if place.exists() and not place.is_file() and not place.is_dir():
        # A device or a named pipe is written to, never replaced.
        with place.open("wb") as stream:
            yield stream, False
        return
    if place.is_dir():
        raise UserError(f"{target}: this is a folder; name a file in it")
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        stream = temporary.open("xb")
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror})") from None
    try:
        with stream:
            yield stream, True
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    keep_name(place.parent)


def keep_name(folder: Path) -> None:
    """Makes a rename in a folder outlast a power cut, where folders can be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _sheet(
    stream: BinaryIO, kind: Format, runs: Mapping[str, object] | None, *, plain_file: bool
) -> Iterator[Sheet]:
    sink = _Sink(stream)
    sheet: Sheet
    if kind == "parquet":
        sheet = _Parquet(sink, runs)
    elif kind == "arrow":
        sheet = _Arrow(sink, runs, plain_file)
    else:
        sheet = _Lines(sink) if kind == "jsonl" else _Document(sink)
    try:
        yield sheet
        sheet.end()
        sink.flush()
    except BaseException:
        sink.abandoned = True
        raise


class _Sink:
    """What pyarrow needs of a stream: it counts by itself, so that a pipe will do."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.at = 0
        self.abandoned = False

    def write(self, data: Any) -> int:
        # A Parquet writer that is thrown away still writes its footer.
        if not self.abandoned:
            self.stream.write(data)
        size = memoryview(data).nbytes
        self.at += size
        return size

    def tell(self) -> int:
        return self.at

    def flush(self) -> None:
        if not self.abandoned:
            self.stream.flush()

    def close(self) -> None:
        """Leaves the stream to whoever opened it."""


class _Parquet:
    """Row groups of about `ROW_GROUP` bytes."""

    def __init__(self, sink: _Sink, runs: Mapping[str, object] | None) -> None:
        import pyarrow.parquet as pq

        self.file = pq.ParquetWriter(sink, schema(runs), compression="zstd")
        self.held: list[pa.RecordBatch] = []
        self.size = 0

    def write(self, rows: Iterable[Row]) -> None:
        self._hold(to_batch(rows))

    def add(self, piece: Path) -> None:
        for batch in _batches(piece):
            self._hold(batch)

    def _hold(self, batch: pa.RecordBatch) -> None:
        self.held.append(batch)
        self.size += batch.nbytes
        if self.size >= ROW_GROUP:
            self._group()

    def end(self) -> None:
        self._group()
        self.file.close()

    def _group(self) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self.held, schema=self.file.schema)
        if table.num_rows:
            self.file.write_table(table, row_group_size=table.num_rows)
        self.held, self.size = [], 0


class _Arrow:
    """A batch for each list; the reader of a pipe gets it at once."""

    def __init__(self, sink: _Sink, runs: Mapping[str, object] | None, plain_file: bool) -> None:
        import pyarrow as pa

        self.sink = sink
        opened: Callable[..., Any] = pa.ipc.new_file if plain_file else pa.ipc.new_stream
        self.file = opened(sink, schema(runs))
        sink.flush()

    def write(self, rows: Iterable[Row]) -> None:
        batch = to_batch(rows)
        if batch.num_rows:
            self.file.write_batch(batch)
        self.sink.flush()

    def add(self, piece: Path) -> None:
        for batch in _batches(piece):
            self.file.write_batch(batch)

    def end(self) -> None:
        self.file.close()


class _Lines:
    """One JSON object a line."""

    def __init__(self, sink: _Sink) -> None:
        self.sink = sink

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.sink.write(orjson.dumps(to_dict(row), option=orjson.OPT_APPEND_NEWLINE))
        self.sink.flush()

    def add(self, piece: Path) -> None:
        self.sink.write(piece.read_bytes())

    def end(self) -> None:
        """A line is complete by itself."""


class _Document:
    """One object, or an array as soon as there is a second."""

    def __init__(self, sink: _Sink) -> None:
        self.sink = sink
        self.first: bytes | None = None
        self.several = False

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._put(to_dict(row))

    def add(self, piece: Path) -> None:
        with piece.open("rb") as lines:
            for line in lines:
                self._put(orjson.loads(line))

    def _put(self, row: dict[str, Any]) -> None:
        data = orjson.dumps(row, option=orjson.OPT_INDENT_2)
        if self.first is None:
            self.first = data
        else:
            self.sink.write(b",\n" if self.several else b"[\n" + self.first + b",\n")
            self.sink.write(data)
            self.several = True

    def end(self) -> None:
        if self.several:
            self.sink.write(b"\n]\n")
        else:
            self.sink.write(b"[]\n" if self.first is None else self.first + b"\n")


def _batches(piece: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(piece) as file:
        for batch in file.iter_batches(batch_size=1 << 16):
            # The piece's own metadata is the whole's, which the sheet has already.
            yield batch.replace_schema_metadata(None)
