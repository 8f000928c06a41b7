"""Compiles the official files to the read-only store that `icd.store` opens."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar
from xml.etree.ElementTree import ParseError

from clhcode.errors import UserError
from clhcode.icd.cells import read_cells
from clhcode.icd.codes import Citation, citations, normal
from clhcode.icd.index import References, Term
from clhcode.icd.lists import read_exempt
from clhcode.icd.sources import File, Sources
from clhcode.icd.tabular import Entry, read_tabular

T = TypeVar("T")

SCHEMA = 5
"""Raised whenever a table below changes, so that older stores are built anew."""

_TABLES = """
create table meta (key text primary key, value text) without rowid;
create table node (id integer primary key, code text, title text, kind text, depth int,
                   parent int, last int, billable int);
create table seventh (node int, char text, meaning text, also text);
create table instruction (id integer primary key, node int, kind text, text text);
create table cite (instruction int, first int, last int);
create table term (id integer primary key, parent int, last int, title text, modifiers text,
                   code text, manifestation text, see text, see_also text, target int, book text);
create table cell (term int, place int, code text);
create table exempt (code text primary key) without rowid;
"""
_INDEXES = """
create unique index node_code on node (code);
create index node_parent on node (parent);
create index seventh_node on seventh (node);
create index instruction_node on instruction (node);
create index cite_instruction on cite (instruction);
create index term_parent on term (parent);
create index cell_term on cell (term);
"""


def build(sources: Sources, path: Path) -> None:
    """Writes the store of these sources to `path`, which must not exist.

    Raises:
        UserError: A source is not well-formed XML; the message names it.
    """
    entries = _parsed(sources.tabular, lambda stream: read_tabular(stream)[1])
    db = sqlite3.connect(path)
    with db:
        db.executescript(_TABLES)
        numbers = _tabular(db, entries)
        counts = _books(db, sources, numbers)
        meta = {
            "tabular": sources.tabular.release,
            **{file.kind: file.release for file in sources.books},
            "codes": str(sum(e.kind == "code" for e in entries)),
            "billable": str(sum(e.billable for e in entries)),
            "notes": str(sum(len(e.instructions) for e in entries)),
            **{name: str(count) for name, count in counts.items()},
        }
        db.executemany("insert into meta values (?, ?)", meta.items())
        db.executescript(_INDEXES)
    db.execute("vacuum")
    db.close()


def _parsed(file: File, read: Callable[[IO[bytes]], T]) -> T:
    try:
        with file.open() as stream:
            return read(stream)
    except (ParseError, OSError, EOFError) as error:
        raise UserError(f"{file.path}: not a readable {file.kind} file ({error})") from error


def _tabular(db: sqlite3.Connection, entries: list[Entry]) -> dict[str, int]:
    """Writes the tabular rooms and returns the number of each code."""
    last = _lasts([entry.depth for entry in entries])
    numbers: dict[str, int] = {}
    parents: list[int] = []
    nodes: list[tuple[object, ...]] = []
    instructions: list[tuple[int, str, str]] = []
    for number, entry in enumerate(entries):
        del parents[entry.depth :]
        parent = parents[-1] if parents else None
        parents.append(number)
        # A section of one category bears the category's own code.
        key = f"{entry.code}-{entry.code}" if _lone(entry) else entry.code
        name = f"chapter {key}" if entry.kind == "chapter" else key
        numbers[name] = number
        nodes.append(
            (
                number,
                name,
                entry.title,
                entry.kind,
                entry.depth,
                parent,
                last[number],
                entry.billable,
            )
        )
        for s in entry.sevenths:
            db.execute(
                "insert into seventh values (?, ?, ?, ?)", (number, s.char, s.meaning, s.also)
            )
        instructions += [(number, kind, text) for kind, text in entry.instructions]
    db.executemany("insert into node values (?, ?, ?, ?, ?, ?, ?, ?)", nodes)
    codes = [e.code if e.kind == "code" else "" for e in entries]
    for serial, (number, kind, text) in enumerate(instructions):
        db.execute("insert into instruction values (?, ?, ?, ?)", (serial, number, kind, text))
        for cited in citations(text):
            spans = _ranges(cited, numbers, last, codes)
            db.executemany("insert into cite values (?, ?, ?)", ((serial, a, b) for a, b in spans))
    return numbers


def _lone(entry: Entry) -> bool:
    return entry.kind == "section" and "-" not in entry.code


def _lasts(depths: list[int]) -> list[int]:
    """For each entry in preorder the number of its last descendant."""
    last = list(range(len(depths)))
    open_: list[int] = []
    for number, depth in enumerate([*depths, -1]):
        while open_ and depths[open_[-1]] >= depth:
            last[open_.pop()] = number - 1
        if depth >= 0:
            open_.append(number)
    return last


def _ranges(
    cited: Citation, numbers: dict[str, int], last: list[int], codes: list[str]
) -> list[tuple[int, int]]:
    """Node ranges of a citation; codes that the release does not have give none."""
    begin, end = numbers.get(cited.first), numbers.get(cited.last)
    if begin is not None and end is None and cited.last[:3] == cited.first[:3]:
        # A range may end in a code that has gone: the last one before it is meant.
        category = range(begin, last[numbers[cited.first[:3]]] + 1)
        end = max((n for n in category if codes[n] < cited.last), default=None)
    if begin is None or end is None or end < begin:
        return []
    if cited.only is None:
        return [(begin, last[end])]
    pattern = re.compile(cited.only)
    inside = range(begin, last[end] + 1)
    found = [n for n in inside if pattern.fullmatch(codes[n].replace(".", ""))]
    return [(n, last[n]) for n in found]


def _books(db: sqlite3.Connection, sources: Sources, numbers: dict[str, int]) -> Counter[str]:
    """Writes what is joined to the tabular, without codes it does not know; counts both."""
    counts: Counter[str] = Counter(terms=0, cells=0, exempt_codes=0, unknown_codes=0)
    begin = 0
    for file in sources.books:
        if file.kind == "poa":
            exempt = _parsed(file, lambda stream: set(read_exempt(stream)))
            db.executemany("insert into exempt values (?)", ((c,) for c in exempt & set(numbers)))
            counts["exempt_codes"] = len(exempt & set(numbers))
            continue
        _, terms, cells = _parsed(file, read_cells)
        counts["unknown_codes"] += _terms(db, terms, numbers, begin, file.kind)
        for cell in cells:
            code = _known(cell.code, numbers)
            counts["cells" if code else "unknown_codes"] += 1
            if code:
                row = (cell.term + begin, cell.column, code)
                db.execute("insert into cell values (?, ?, ?)", row)
        counts["terms"] += len(terms) if file.kind in ("index", "external") else 0
        begin += len(terms)
    return counts


def _terms(
    db: sqlite3.Connection, terms: list[Term], numbers: dict[str, int], begin: int, book: str
) -> int:
    """Writes the terms of one book, numbered from `begin`; returns the count of unknown codes."""
    references, unknown = References(terms), 0
    for term in terms:
        code, bracketed = _known(term.code, numbers), _known(term.manifestation, numbers)
        unknown += (term.code is not None and code is None) + (
            term.manifestation is not None and bracketed is None
        )
        # "Necrosis - see also Gangrene", with no code of its own, is a way on as "see" is.
        onward = term.see or (term.see_also if code is None else None)
        # "By site" names no term: the coder goes on below, and no code is the end of it.
        target = references.resolve(onward) if onward and "by site" not in onward else None
        db.execute(
            "insert into term values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                term.number + begin,
                None if term.parent is None else term.parent + begin,
                term.last + begin,
                term.title,
                "\n".join(term.modifiers),
                code,
                bracketed,
                term.see,
                term.see_also,
                None if target in (None, term.number) else target + begin,
                book,
            ),
        )
    return unknown


def _known(printed: str | None, numbers: dict[str, int]) -> str | None:
    """The tabular's code for one printed in the index, `-` and a filling X removed."""
    code = normal(printed.strip("[]")) if printed else None
    while code and code not in numbers and code.endswith("X"):
        code = code[:-1]
    return code if code in numbers else None
