"""The CSV files of PhysioNet: found in a folder, and read as a stream with every character kept.

Python's reader takes the files with free text. DuckDB's is four times as fast, but it makes an
empty text null, stops at a byte that is not UTF-8, and quotes the row in its messages; Arrow's
takes a text whose closing quote is missing. What a row holds between its quotes stands as it is,
line ends included, so that offsets count the same code points as those of the annotators.

A byte that is not UTF-8 is read as one U+FFFD, so that no offset after it moves; how many there
were is counted.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

from clhcode.errors import UserError

DEPTH = 6
"""How far below a folder a file is looked for: `physionet.org/files/mimiciv/3.1/hosp` is five."""

_FIELD = 2**31 - 1
_ESCAPED = re.compile("[\udc80-\udcff]")


def find(folder: Path, name: str, option: str) -> Path:
    """The file `name`.csv.gz or `name`.csv, in any case, the nearest to the top of a folder.

    Args:
        folder: Where the files lie; those that PhysioNet's download makes inside it count.
        name: Without suffix, such as `NOTEEVENTS`.
        option: What names another folder, for the message.

    Raises:
        UserError: There is no such file, or there are two equally near.
    """
    wanted = (f"{name.lower()}.csv.gz", f"{name.lower()}.csv")
    level = [folder]
    for _ in range(DEPTH + 1):
        files = [path for each in level for path in _entries(each)]
        for suffixed in wanted:
            found = [p for p in files if p.name.lower() == suffixed and p.is_file()]
            if len(found) > 1:
                both = f"{found[0]} and {found[1]}"
                raise UserError(f"{folder}: two {name}, {both} ({option} names the one folder)")
            if found:
                return found[0]
        level = [path for path in files if path.is_dir()]
    raise UserError(f"{folder}: no {name}.csv.gz or {name}.csv here ({option} names the folder)")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from None


def header(path: Path) -> list[str]:
    """The names of a file's columns, in upper case.

    Raises:
        UserError: The file cannot be read or is empty.
    """
    with _rows_from(path) as rows:
        return _names(path, rows)


def check_whole(path: Path) -> None:
    """Reads a gzip to its end: DuckDB before 2.0 takes one that is cut short for a whole one.

    Raises:
        UserError: It is damaged.
    """
    if path.suffix.lower() != ".gz":
        return
    try:
        with gzip.open(path, "rb") as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path}: {error}") from None


def positions(path: Path, names: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where columns stand in a header, whatever their case.

    Raises:
        UserError: One is missing.
    """
    for column in columns:
        if column.upper() not in names:
            raise UserError(f"{path}: no column {column}")
    return [names.index(column.upper()) for column in columns]


def rows(path: Path, columns: Sequence[str], left_out: Counter[str]) -> Iterator[tuple[str, ...]]:
    """The values of two or more columns, row by row.

    Args:
        path: A CSV file with a header, plain or in gzip.
        columns: Names in any case; their order in the file does not matter.
        left_out: Counts the bytes that are not UTF-8.

    Raises:
        UserError: A column is missing, or a row is damaged, which is told by its number (the
            first below the header is 1).
    """
    from tqdm import tqdm

    number = 0
    try:
        with (
            _rows_from(path) as found,
            tqdm(desc=path.name, unit=" rows", file=sys.stderr, disable=None, leave=False) as bar,
        ):
            names = _names(path, found)
            width = len(names)
            take = itemgetter(*positions(path, names, columns))
            for row in found:
                number += 1
                if not number & 1023:
                    bar.update(1024)
                if len(row) != width:
                    if not row:
                        continue
                    told = f"{len(row)} fields, but the header names {width} columns"
                    raise UserError(f"{path}: row {number}: {told}")
                values = take(row)
                if not all(map(str.isascii, values)):
                    values = tuple(_repaired(value, path, left_out) for value in values)
                yield values
    except (csv.Error, EOFError, zlib.error, OSError) as error:
        # Messages of these name places in the file, never what stands there.
        raise UserError(f"{path}: row {number + 1}: {error}") from None


def _repaired(value: str, path: Path, left_out: Counter[str]) -> str:
    text, bad = _ESCAPED.subn("\ufffd", value)
    if bad:
        left_out[f"bytes of {path.name} that are not UTF-8 (a U+FFFD stands for each)"] += bad
    return text


def _names(path: Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        names = [name.strip().upper() for name in next(rows, [])]
    except (csv.Error, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path}: {error}") from None
    if not names:
        raise UserError(f"{path}: empty")
    return names


@contextmanager
def _rows_from(path: Path) -> Iterator[Iterator[list[str]]]:
    csv.field_size_limit(_FIELD)
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    with raw:
        plain = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
        # The csv module must see the line ends inside quotes as they are.
        text = io.TextIOWrapper(plain, "utf-8-sig", "surrogateescape", newline="")
        yield csv.reader(text, strict=True)
