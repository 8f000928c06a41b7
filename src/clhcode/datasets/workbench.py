"""A folder to work in beside a table that is being made, with DuckDB and a file of texts in it.

What does not fit in memory lies in that folder, which goes with the run: neither a raw folder nor
the system's own place for temporary files, often in memory, ever holds patients' text. A killed
run leaves the folder to the next one, which empties it.

DuckDB joins and sorts codes, dates and the places of texts. The texts themselves lie in a file of
their own: sorting 3 GB of them under a limit of memory is what DuckDB could not do, and to read
each at its place costs less anyway.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.datasets.csvfile import check_whole, header, positions
from clhcode.errors import UserError
from clhcode.table.parts import locked

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "640MB"
"""What DuckDB may hold; the rest of the process takes about as much again."""


@contextmanager
def workroom(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, for this process alone, and gone at the end.

    Raises:
        UserError: Another process makes the same table.
    """
    folder = target.with_name(f".{target.name}.work")
    lock = locked(folder, target)
    try:
        # What a killed run left, in the folder and of the table itself.
        for stray in folder.iterdir():
            if stray.name != "lock":
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        for stray in target.parent.glob(f".{escape(target.name)}.*.tmp"):
            stray.unlink(missing_ok=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def workbench(folder: Path) -> Iterator[DuckDBPyConnection]:
    """DuckDB on an empty database in a folder, under a limit of memory.

    Raises:
        UserError: It is not installed, or has no room left for its tables.
    """
    try:
        import duckdb
    except ImportError:
        raise UserError('this data set needs DuckDB: pip install "clhcode[data]"') from None
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(folder / "spill"),
        "threads": str(threads or 1),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
    }
    connection = duckdb.connect(str(folder / "tables.duckdb"), config=settings)
    try:
        connection.execute("SET enable_progress_bar = false")
        yield connection
    except (RuntimeError, duckdb.InterruptException) as error:
        # How DuckDB tells of Ctrl-C in the middle of a query.
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from None
        raise
    except duckdb.Error as error:
        full = isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException)
        # A full disk has other names where it is met while a table is committed.
        if not full and "No space left" not in str(error):
            raise
        free = shutil.disk_usage(folder).free >> 20
        raise UserError(
            f"{folder}: DuckDB found no room for its tables ({free:,} MB are free): name another"
            " place with -o"
        ) from None
    finally:
        connection.close()


class Texts:
    """Texts in a file, each read back by its place."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "texts").open("w+b")
        self._end = 0

    def put(self, text: str) -> tuple[int, int]:
        """Keeps a text; where it begins and how many bytes it has."""
        data = text.encode()
        self._file.write(data)
        begin, self._end = self._end, self._end + len(data)
        return begin, len(data)

    def get(self, begin: int, size: int) -> str:
        """The text of a place; all must have been put before the first is read."""
        self._file.flush()
        # Not mapped: the pages of a map count as memory of the process.
        return os.pread(self._file.fileno(), size, begin).decode()

    def close(self) -> None:
        """Lets go of the file, which the folder takes with it."""
        self._file.close()


def load(
    connection: DuckDBPyConnection, table: str, path: Path, columns: Mapping[str, str]
) -> None:
    """Reads a CSV file of codes or dates, none of free text, into a table of text columns.

    Args:
        connection: Where the table is made.
        table: Its name.
        path: A file with a header, plain or in gzip; the order of its columns does not matter.
        columns: Column of the table -> column of the file, in any case. Blanks around a value
            are cut; an empty value is null.

    Raises:
        UserError: A column is missing or a row is damaged.
    """
    import duckdb

    check_whole(path)
    names = header(path)
    at = positions(path, names, list(columns.values()))
    # Nothing is left to DuckDB's guesses: a file with a header alone has none to go by.
    layout = ", ".join(f"c{number}: 'VARCHAR'" for number in range(len(names)))
    chosen = ", ".join(
        f"nullif(trim(c{number}), '') AS {alias}" for alias, number in zip(columns, at, strict=True)
    )
    try:
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {chosen} FROM read_csv(?, auto_detect = false,"
            f" header = true, delim = ',', quote = '\"', escape = '\"', columns = {{{layout}}})",
            [str(path)],
        )
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        # The message quotes the row, so only its number is told.
        line = re.search(r"on Line: (\d+)", str(error))
        where = f"line {line[1]}: " if line else ""
        raise UserError(f"{path}: {where}not a row of {len(names)} columns in UTF-8") from None
