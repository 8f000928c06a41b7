"""The compiled classification, opened read-only in about a millisecond.

Codes are numbered in preorder, so everything below a code is a range of numbers.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clhcode.errors import UserError
from clhcode.icd import build
from clhcode.icd.sources import Sources, digest
from clhcode.places import cache_home


@dataclass(frozen=True, slots=True)
class Node:
    """A chapter, section or code of the Tabular List.

    Attributes:
        last: Number of its last descendant; its own where it has none.
    """

    id: int
    code: str
    title: str
    kind: str
    depth: int
    parent: int | None
    last: int
    billable: bool

    def holds(self, other: Node) -> bool:
        """Whether `other` is this node or below it."""
        return self.id <= other.id <= self.last


@dataclass(frozen=True, slots=True)
class Instruction:
    """A note of the Tabular List and the node it is printed under."""

    node: int
    kind: str
    text: str
    cites: tuple[tuple[int, int], ...]

    def names(self, node: Node) -> bool:
        """Whether it cites this node, alone or within a range."""
        return any(first <= node.id <= last for first, last in self.cites)


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an index or a row of a table; see `clhcode.icd.index.Term`.

    Attributes:
        book: The file it is from: `index`, `external`, `neoplasm` or `drug`.
    """

    id: int
    parent: int | None
    last: int
    title: str
    modifiers: tuple[str, ...]
    code: str | None
    manifestation: str | None
    see: str | None
    see_also: str | None
    target: int | None
    book: str = "index"


class Store:
    """Read access to one compiled classification."""

    def __init__(self, path: Path) -> None:
        # Immutable: nobody writes a finished store, so SQLite need not lock or look again.
        self._db = sqlite3.connect(
            f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self.path = path
        self.node = lru_cache(maxsize=20_000)(self._by_code)
        self.by_number = lru_cache(maxsize=20_000)(self._by_number)
        self.children = lru_cache(maxsize=5_000)(self._children)
        self.sevenths = lru_cache(maxsize=5_000)(self._sevenths)
        self.term = lru_cache(maxsize=20_000)(self._term)
        self.instructions = lru_cache(maxsize=5_000)(self._instructions)
        self._printed_at = lru_cache(maxsize=5_000)(self._notes_at)

    def meta(self) -> dict[str, str]:
        """Releases and counts, as `build` wrote them."""
        return dict(self._db.execute("select key, value from meta"))

    def _by_code(self, code: str) -> Node | None:
        """The node of a code in its printed form, or of a section's range."""
        row = self._db.execute("select id from node where code = ?", (code,)).fetchone()
        return self.by_number(row[0]) if row else None

    def _by_number(self, number: int) -> Node:
        row = self._db.execute("select * from node where id = ?", (number,)).fetchone()
        return _node(row)

    def lineage(self, node: Node) -> tuple[Node, ...]:
        """Chapter, section, category and so on, down to the node itself."""
        found = [node]
        while (parent := found[-1].parent) is not None:
            found.append(self.by_number(parent))
        return tuple(reversed(found))

    def category(self, node: Node) -> Node:
        """The three-character category a code belongs to."""
        return next((n for n in self.lineage(node) if n.kind == "code"), node)

    def _children(self, node: Node) -> tuple[Node, ...]:
        """The nodes one level below."""
        rows = self._db.execute("select * from node where parent = ? order by id", (node.id,))
        return tuple(map(_node, rows.fetchall()))

    def _instructions(self, node: Node, inherited: bool = True) -> tuple[Instruction, ...]:
        """The notes that hold for a node: its own and, above it first, its ancestors'."""
        above = self.lineage(node) if inherited else (node,)
        return tuple(note for each in above for note in self._printed_at(each.id))

    def _notes_at(self, number: int) -> tuple[Instruction, ...]:
        query = "select id, kind, text from instruction where node = ? order by id"
        notes = self._db.execute(query, (number,)).fetchall()
        cites: dict[int, list[tuple[int, int]]] = {}
        query = (
            "select instruction, first, last from cite where instruction in"
            " (select id from instruction where node = ?) order by rowid"
        )
        for serial, first, last in self._db.execute(query, (number,)) if notes else ():
            cites.setdefault(serial, []).append((first, last))
        return tuple(
            Instruction(number, kind, text, tuple(cites.get(serial, ())))
            for serial, kind, text in notes
        )

    def _sevenths(self, node: Node) -> tuple[tuple[str, str, str | None], ...]:
        """The 7th characters (char, meaning, also) in force at a node: the nearest definition."""
        query = "select char, meaning, also from seventh where node = ?"
        for ancestor in reversed(self.lineage(node)):
            if rows := self._db.execute(query, (ancestor.id,)).fetchall():
                return tuple(rows)
        return ()

    def _term(self, number: int) -> Term:
        """A term of the index by its number."""
        row = self._db.execute("select * from term where id = ?", (number,)).fetchone()
        return _term(row)

    def terms(self) -> Iterator[Term]:
        """All terms of the index, in order."""
        yield from map(_term, self._db.execute("select * from term order by id"))

    def subterms(self, term: Term) -> tuple[Term, ...]:
        """The terms one level below."""
        rows = self._db.execute("select * from term where parent = ? order by id", (term.id,))
        return tuple(map(_term, rows.fetchall()))

    def cells(self) -> Iterator[tuple[int, int, str]]:
        """All cells of the neoplasm and drug tables: (term, column, code)."""
        yield from self._db.execute("select term, place, code from cell order by term, place")

    def cell(self, term: Term) -> dict[int, str]:
        """The codes of one row of a table, by column; see `clhcode.icd.cells`."""
        query = "select place, code from cell where term = ? order by place"
        return dict(self._db.execute(query, (term.id,)))

    def exempt(self, node: Node) -> bool:
        """Whether a code needs no present-on-admission indicator."""
        query = "select 1 from exempt where code = ?"
        return self._db.execute(query, (node.code,)).fetchone() is not None

    def nodes(self) -> Iterator[Node]:
        """All nodes in preorder."""
        for row in self._db.execute("select * from node order by id"):
            yield _node(row)

    def billable(self) -> int:
        """How many codes of the release are billable."""
        count: int = self._db.execute("select sum(billable) from node").fetchone()[0]
        return count

    def inclusions(self) -> Iterator[tuple[int, int, str]]:
        """All inclusion terms and "includes" notes: (serial, node, text)."""
        kinds = "('inclusion', 'includes')"
        query = f"select id, node, text from instruction where kind in {kinds}"  # noqa: S608
        yield from self._db.execute(query)

    def inclusion(self, serial: int) -> tuple[int, str]:
        """Node and text of one inclusion term."""
        query = "select node, text from instruction where id = ?"
        node, text = self._db.execute(query, (serial,)).fetchone()
        return node, text

    def term_path(self, term: Term) -> tuple[str, ...]:
        """Lead term first, then the subterms down to this one."""
        path = [term.title]
        while term.parent is not None:
            term = self.term(term.parent)
            path.append(term.title)
        return tuple(reversed(path))


def _node(row: tuple[object, ...]) -> Node:
    *rest, billable = row
    return Node(*rest, bool(billable))  # type: ignore[arg-type,call-arg]


def _term(row: tuple[object, ...]) -> Term:
    number, parent, last, title, modifiers, *rest = row
    split = tuple(m for m in str(modifiers).split("\n") if m)
    return Term(number, parent, last, title, split, *rest)  # type: ignore[arg-type]


def say_on_stderr(line: str) -> None:
    """The default way to tell a person that something takes a moment."""
    print(line, file=sys.stderr)  # noqa: T201


def built(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """The cached file `name` of this key, made once: by a temporary file and a rename."""
    path = cache_home() / f"{name.replace('.', f'-{key}.', 1)}"
    if path.exists():
        return path
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            # Who comes second waits, and finds it made.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path
            # Nobody else writes here now: what lies there is of a process that was killed.
            for left in path.parent.glob(f"{path.name}.*.part*"):
                left.unlink(missing_ok=True)
            try:
                make(part)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
    except (OSError, sqlite3.OperationalError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{path.parent}: the compiled classification cannot be kept there ({why});"
            " set XDG_CACHE_HOME to a folder that can be written"
        ) from None
    return path


def open_store(sources: Sources, say: Callable[[str], None] = say_on_stderr) -> tuple[Store, str]:
    """Opens the store of these sources, building it first where it is not there yet.

    Returns:
        The store, and the key of its sources' contents.
    """
    key = digest(sources.files(), f"store {build.SCHEMA}")

    def make(path: Path) -> None:
        say(f"building the classification ({sources.describe()}), once ...")
        build.build(sources, path)

    return Store(built("classification.sqlite", key, make)), key
