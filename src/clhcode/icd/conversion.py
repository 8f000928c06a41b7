"""The official table of codes that came in the place of others (CMS, `YEAR-conversion-table.zip`).

Layout, as text with tabs or as the first sheet of an .xlsx, below a title:

    Current code assignment   Effective   Previous Code(s) Assignment
    E66.813                   2024        E66.01, E66.8
    H02.151                   10/1/2017   H02.101-H02.106; H02.109

A year means the first of October; a sheet may hold a date as the number of its day. Lines are
added and none is taken away, so that the newest table tells of all years. `None` stands for a code
that nothing came before.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from clhcode.errors import UserError
from clhcode.icd.codes import normal
from clhcode.icd.sheet import read_sheet
from clhcode.icd.sources import home, open_plain

_CODE = r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?"
_CITED = re.compile(rf"({_CODE})(?:\s*(?:-|to|through)\s*({_CODE}))?(?![\w.])")
_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})")
_YEAR = re.compile(r"20\d\d")
_SUFFIXES = (".txt", ".xlsx", ".zip", ".gz")
_DAY_0 = date(1899, 12, 30)
"""What sheets count days from."""


@dataclass(frozen=True, slots=True)
class Change:
    """Codes that another came in the place of.

    Attributes:
        codes: With dots; any of them may have stood for what the newer one says.
        year: The first fiscal year of the newer code, where the table says.
    """

    codes: tuple[str, ...]
    year: int | None


@dataclass(frozen=True, slots=True)
class Conversion:
    """The table.

    Attributes:
        name: Its fiscal year, with a short hash of its content.
        before: Code -> what it came in the place of.
    """

    name: str
    before: Mapping[str, tuple[Change, ...]]


def find_conversion(given: Path | None = None) -> Conversion | None:
    """The table of a path, or the newest that was fetched; `None` where none was.

    Raises:
        UserError: The path holds no such table.
    """
    if given is not None:
        for name, rows in _tables(given):
            if found := read_conversion(rows, name):
                return found
        raise UserError(
            f"{given}: no conversion table (its lines: current code, effective, previous codes)"
        )
    paths = [
        path
        for path in home().rglob("*")
        if "conversion" in path.name.lower() and path.suffix.lower() in _SUFFIXES
    ]
    for path in sorted(paths, key=lambda path: (_year(path), path), reverse=True):
        for name, rows in _tables(path):
            if found := read_conversion(rows, name):
                return found
    return None


def read_conversion(rows: Iterable[Sequence[str]], name: str) -> Conversion | None:
    """Reads the rows of a table; `None` where there is no line of it."""
    before: dict[str, list[Change]] = {}
    digest = hashlib.sha256()
    for row in rows:
        cells = [cell.strip().strip('"') for cell in row]
        newer = normal(cells[0]) if cells else None
        if newer is None or len(cells) < 3:
            continue
        digest.update("\t".join(cells[:3]).encode())
        older = tuple(code for code in dict.fromkeys(_cited(cells[2])) if code != newer)
        if older:
            before.setdefault(newer, []).append(Change(older, fiscal(cells[1])))
    if not before:
        return None
    told = {code: tuple(changes) for code, changes in before.items()}
    return Conversion(f"{name} ({digest.hexdigest()[:8]})", told)


def fiscal(effective: str) -> int | None:
    """The fiscal year that a cell of the column `Effective` falls in."""
    plain = effective.strip().removesuffix(".0")
    try:
        if match := _DATE.search(plain):
            month, day, year = map(int, match.groups())
            when = date(year + 2000 * (year < 100), month, day)
        elif plain.isdigit() and len(plain) == 5:
            when = _DAY_0 + timedelta(days=int(plain))
        elif match := _YEAR.search(plain):
            when = date(int(match[0]), 10, 1)
        else:
            return None
    except ValueError:
        return None
    return when.year + (when.month >= 10)


def _cited(cell: str) -> Iterator[str]:
    for match in _CITED.finditer(cell):
        first, last = normal(match[1]), normal(match[2]) if match[2] else None
        if first:
            yield from between(first, last) if last else (first,)


def between(first: str, last: str) -> Iterator[str]:
    """The codes of a range whose ends differ in their last digits or their last letter."""
    same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if len({*pair}) > 1), 0)
    one, other = first[same:], last[same:]
    if len(one) == len(other) and one.isdigit() and other.isdigit():
        for number in range(int(one), int(other) + 1):
            yield f"{first[:same]}{number:0{len(one)}}"
    elif len(one) == len(other) == 1 and one.isalpha() and other.isalpha():
        for letter in range(ord(one), ord(other) + 1):
            yield f"{first[:same]}{chr(letter)}"
    else:
        yield first
        yield last


def _year(path: Path) -> str:
    years = _YEAR.findall(path.name) or _YEAR.findall(path.parent.name)
    return years[-1] if years else ""


def _tables(path: Path) -> Iterator[tuple[str, Iterable[Sequence[str]]]]:
    """The name and rows of a file, or of each table of a zip, text first."""
    suffix = path.suffix.lower()
    year = _year(path)
    try:
        if suffix == ".xlsx":
            yield _named(year, path.name), list(read_sheet(path.read_bytes()))
        elif suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if "pcs" not in n.lower()]
                for member in sorted(names, key=lambda n: (not n.lower().endswith(".txt"), n)):
                    if member.lower().endswith(".txt"):
                        yield _named(year, member), _lines(archive.read(member))
                    elif member.lower().endswith(".xlsx"):
                        yield _named(year, member), list(read_sheet(archive.read(member)))
        else:
            with open_plain(path) as stream:
                yield _named(year, path.name), _lines(stream.read())
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__}: {error})") from None


def _named(year: str, name: str) -> str:
    found = re.search(r"FY[ _-]?(20\d\d)", name, re.I)
    return f"FY{found[1] if found else year}" if found or year else Path(name).name


def _lines(data: bytes) -> list[list[str]]:
    """Columns parted by tabs, or by two blanks and more where a table was printed so."""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    return [re.split(r"\t|\s{2,}", line.strip(), maxsplit=2) for line in lines]
