"""Notes from bytes that are text: JSON lines, JSON documents, CSV and plain notes.

All of them are UTF-8, with or without a byte order mark, and none of them needs pyarrow.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO, TypeAlias

import orjson

from clhcode.errors import UserError
from clhcode.table.plain import WrongError

Named: TypeAlias = tuple[str, dict[str, Any] | WrongError]
"""What to call a note or row in an error, and its values, or why there are none."""

DOCUMENT = 64 << 20
"""Bytes of the longest JSON document that is read whole."""

_LONE = re.compile("[\udc80-\udcff]")

# The longest that the C long of every platform holds.
csv.field_size_limit(2**31 - 1)


def decoded(data: bytes, name: str, at: int = 0) -> str:
    """Bytes as text, without the byte order mark that may begin a file.

    Args:
        data: A piece of a file.
        name: The file, for the error.
        at: Where in the file the piece begins, in bytes.

    Raises:
        UserError: The bytes are not UTF-8.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: {_not_utf8(at + error.start)}") from None
    return text.removeprefix("\ufeff") if at == 0 else text


def plain_note(data: bytes, name: str) -> str:
    """The text of a note file, as stored: offsets point into it.

    Raises:
        UserError: It is blank or not UTF-8.
    """
    text = decoded(data, name)
    if not text.strip():
        raise nothing(name)
    return text


def nothing(name: str) -> UserError:
    """The error for a file that holds nothing."""
    return UserError(f"{name}: the file is empty")


def json_objects(stream: BinaryIO, name: str, *, whole: bool) -> Iterator[Named]:
    """The objects of JSON lines, or of one JSON array or object spread over lines.

    Args:
        stream: The bytes.
        name: The file, for errors.
        whole: Whether a first line that is no JSON by itself may begin a longer document. A
            line that is just `[` or `{` always does.

    A line that is broken or no object is given as such, and the rest goes on; not so the
    first, without which it is not known what the file holds.

    Raises:
        UserError: The first line is broken or no object, or there is none.
    """
    found, at = False, 0
    for number, line in enumerate(stream, 1):
        begin, at = at, at + len(line)
        if not line.removeprefix(codecs.BOM_UTF8).strip():
            continue
        if not found and _begins_document(line.removeprefix(codecs.BOM_UTF8), whole):
            yield from _document(line, stream, name, begin)
            return
        where = f"{name}: line {number}"
        try:
            value: dict[str, Any] | WrongError = _object(_parsed(line, begin))
        except WrongError as wrong:
            if not found:
                raise UserError(f"{where}: {wrong}") from None
            value = wrong
        found = True
        yield where, value
    if not found:
        raise nothing(name)


def csv_rows(stream: BinaryIO, name: str, *, tabs: bool) -> tuple[list[str], Iterator[Named]]:
    """The header of a CSV file, and its rows by column name.

    Args:
        stream: The bytes.
        name: The file, for errors.
        tabs: Whether fields are set apart by tabs; else by what the header line uses most of
            comma, semicolon and tab.

    A row that does not fit the header is given as such, and the rest goes on.

    Raises:
        UserError: The header cannot be read or a quote is never closed.
    """
    # A byte that is no UTF-8 is carried to its row as a lone surrogate.
    lines = codecs.iterdecode(stream, "utf-8-sig", errors="surrogateescape")
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise nothing(name)
    delimiter = "\t" if tabs else max(",;\t", key=first.count)
    # Not strict, a quote that is never closed would swallow the rest of the file in silence.
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    rows = _records(reader, name)
    _, header = next(rows)
    header = [column.strip() for column in header]
    if _escaped(header):
        raise UserError(f"{name}: header: {_not_utf8()}")
    twice = {column for column in header if column and header.count(column) > 1}
    if twice:
        raise UserError(f"{name}: {len(twice)} column names stand twice in the header")
    return header, _by_name(header, rows)


def _begins_document(line: bytes, whole: bool) -> bool:
    line = line.strip()
    if line[:1] == b"[" or line == b"{":
        return True
    if not whole:
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False


def _document(head: bytes, stream: BinaryIO, name: str, at: int) -> Iterator[Named]:
    data = head + stream.read(DOCUMENT)
    if len(data) > DOCUMENT:
        raise UserError(f"{name}: too long for one JSON document; write one object a line")
    try:
        value = _parsed(data, at)
    except WrongError as wrong:
        raise UserError(f"{name}: {wrong}") from None
    if not isinstance(value, list):
        value = [value]
    for number, item in enumerate(value, 1):
        try:
            yield f"{name}: item {number}", _object(item)
        except WrongError as wrong:
            yield f"{name}: item {number}", wrong


def _parsed(data: bytes, at: int) -> Any:
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8) if at == 0 else data)
    except orjson.JSONDecodeError as error:
        try:
            data.decode()
        except UnicodeDecodeError as fault:
            raise WrongError(_not_utf8(at + fault.start)) from None
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise WrongError(f"broken JSON at {place}") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongError("a JSON object is needed, one for each row")
    return value


def _escaped(fields: list[str]) -> bool:
    return any(not field.isascii() and _LONE.search(field) for field in fields)


def _not_utf8(byte: int | None = None) -> str:
    place = "" if byte is None else f" (byte {byte})"
    return f"not UTF-8 text{place}; save it as UTF-8"


def _records(reader: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    """The records of a CSV reader that are not blank, the header first."""
    number = 0
    while True:
        where = f"{name}: row {number}" if number else f"{name}: header"
        try:
            record = next(reader, None)
        except csv.Error as error:
            line = reader.line_num
            raise UserError(f"{where}: broken CSV at line {line} ({error})") from None
        if record is None:
            return
        if record:
            yield where, record
            number += 1


def _by_name(header: list[str], rows: Iterable[tuple[str, list[str]]]) -> Iterator[Named]:
    for where, record in rows:
        if len(record) != len(header):
            wanted = len(header)
            wrong = f"{len(record)} fields, but the header names {wanted} columns"
            yield where, WrongError(wrong)
        elif _escaped(record):
            yield where, WrongError(_not_utf8())
        else:
            yield where, dict(zip(header, record, strict=True))
