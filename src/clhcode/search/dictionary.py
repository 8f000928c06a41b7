"""Compiles the dictionary of wordings and the word postings, beside the store.

A memory-mapped trie numbers the wordings; a SQLite file says what each leads to.
An *entry* is one line of the classification that can be looked up: a title, an
inclusion term or an index term, and the code it leads to. Entries are columns of numbers,
read as a whole: a look-up ranks thousands of them, far too many to ask for one by one.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import marisa_trie

from clhcode.icd.index import alternatives
from clhcode.icd.store import Node, Store, Term
from clhcode.search import phrases
from clhcode.search.normalise import JOINING, key, words

SCHEMA = 14
"""Raised whenever what is written changes, so that older dictionaries are built anew."""

INCLUSION, TABULAR, TABLE, INDEX = 0, 1, 2, 3
"""What an entry is, least telling first: many an inclusion term leans on the title above it."""
_FOLLOWED = 4  # see -> see -> see: longer chains do not occur

_TABLES = """
create table entry (name text primary key, numbers blob) without rowid;
create table wording (id integer primary key, entries blob);
create table alias (said text primary key, means text) without rowid;
create table posting (word text primary key, entries blob) without rowid;
"""


def idf(size: int, count: int) -> float:
    """Inverse document frequency, smoothed so that it is never zero."""
    return math.log(1 + size / count)


@dataclass(frozen=True, slots=True)
class Source:
    """An entry before it is numbered: where it stands, its code, and its wordings."""

    source: int
    ref: int
    node: int
    text: str
    wordings: tuple[phrases.Wording, ...]


def build(store: Store, database: Path, trie: Path) -> None:
    """Writes the dictionary of a store to two new files."""
    source, ref, node = array("B"), array("I"), array("I")
    bags: list[frozenset[str]] = []
    postings: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
    # Most wordings lead to one entry, and there are more than a million: tuples of packed
    # numbers take a tenth of what dicts would.
    leads: dict[str, tuple[int, ...]] = {}
    for number, entry in enumerate(_entries(store)):
        source.append(entry.source)
        ref.append(entry.ref)
        node.append(entry.node)
        bags.append(frozenset(words(entry.text)) - JOINING)
        for word in bags[-1]:
            postings[word].append(number)
        for said, distance in _nearest(entry.wordings).items():
            leads[said] = (*leads.get(said, ()), number << 2 | distance)
    rarity = {word: idf(len(bags), len(numbers)) for word, numbers in postings.items()}
    weight = array("f", (math.fsum(rarity[w] for w in bag) for bag in bags))
    db = sqlite3.connect(database)
    with db:
        db.executescript(_TABLES)
        columns = (("source", source), ("ref", ref), ("node", node), ("weight", weight))
        db.executemany(
            "insert into entry values (?, ?)",
            ((name, numbers.tobytes()) for name, numbers in columns),
        )
        db.executemany(
            "insert into posting values (?, ?)",
            ((word, numbers.tobytes()) for word, numbers in postings.items()),
        )
        db.executemany("insert or ignore into alias values (?, ?)", _aliases(store))
        numbered = marisa_trie.Trie(leads.keys())
        db.executemany(
            "insert into wording values (?, ?)",
            ((numbered[said], array("I", found).tobytes()) for said, found in leads.items()),
        )
    db.execute("vacuum")
    db.close()
    numbered.save(str(trie))


def _nearest(wordings: Iterable[phrases.Wording]) -> dict[str, int]:
    """The keys of an entry's wordings, each with its least distance from the printed form."""
    nearest: dict[str, int] = {}
    for said, distance in wordings:
        if 0 < len(said) <= phrases.MOST_WORDS:
            known = key(said)
            nearest[known] = min(distance, nearest.get(known, distance))
    return nearest


def _entries(store: Store) -> Iterator[Source]:
    nodes = {node.id: node for node in store.nodes()}
    for node in nodes.values():
        if node.kind == "code" and not _expanded(node, nodes):
            wordings = tuple(phrases.of_title(node.title))
            yield Source(TABULAR, node.id, node.id, node.title, wordings)
    for serial, at, text in store.inclusions():
        if nodes[at].kind == "code":
            yield Source(INCLUSION, serial, at, text, tuple(phrases.of_title(text)))
    numbers = {node.code: node.id for node in nodes.values()}
    yield from _terms(store, numbers)
    yield from _cells(store, numbers)


def _expanded(node: Node, nodes: dict[int, Node]) -> bool:
    """Whether a code differs from its parent by its 7th character alone.

    Nobody looks up an encounter type; `verify` chooses it.
    """
    parent = nodes[node.parent] if node.parent is not None else node
    return parent.kind == "code" and node.title.startswith(f"{parent.title}, ")


def _terms(store: Store, numbers: dict[str, int]) -> Iterator[Source]:
    terms = {term.id: term for term in store.terms()}
    paths: dict[int, tuple[str, ...]] = {}
    main: Term | None = None
    for term in terms.values():
        if term.book not in ("index", "external"):
            continue
        main = term if main is None or term.parent is None else main
        above = paths[term.parent] if term.parent is not None else ()
        paths[term.id] = path = (*above, term.title)
        code = _follow(term, terms)
        # A modifier of one letter is a piece of a word: `Cancer(o)phobia`; `Pain(s)` is not.
        whole = all(len(modifier) > 1 or modifier == "s" for modifier in term.modifiers)
        if code is not None and whole:
            text = " ".join(path)
            leading = main.modifiers if main is not term else ()
            wordings = tuple(
                phrases.of_path(path, [m for m in term.modifiers if m != "s"], leading)
            )
            yield Source(INDEX, term.id, numbers[code], text, wordings)


def _cells(store: Store, numbers: dict[str, int]) -> Iterator[Source]:
    """Rows of the neoplasm and drug tables, each column as it is said in a note."""
    paths: dict[int, tuple[Term, ...]] = {}
    for term in store.terms():
        above = paths[term.parent] if term.parent is not None and term.parent in paths else ()
        if term.book in ("neoplasm", "drug"):
            paths[term.id] = (*above, term)
    for number, column, code in store.cells():
        path = paths[number]
        neoplasm = path[-1].book == "neoplasm"
        # Every row of the neoplasm table stands below "Neoplasm, neoplastic".
        titles = [term.title for term in (path[1:] if neoplasm else path)]
        said = phrases.NEOPLASM[column] if neoplasm else phrases.DRUG[column]
        wordings = [w for name in said for w in phrases.of_cell(name, titles)]
        if wordings:
            text = f"{said[0]} {' '.join(titles)}"
            yield Source(TABLE, cell_number(number, column), numbers[code], text, tuple(wordings))


def cell_number(term: int, column: int) -> int:
    """One number for a cell of a table."""
    return term * 8 + column


def _aliases(store: Store) -> Iterator[tuple[str, str]]:
    """Words for a kind of tumor that the index sends to the neoplasm table by behaviour."""
    for term in store.terms():
        onward = (term.see or term.see_also or "").lower()
        if term.parent is None and term.code is None and onward.startswith("neoplasm"):
            kind = next((k for k in phrases.BEHAVIOUR if k in onward), None)
            for form in alternatives(term.title):
                said = words(form)
                if kind and len(said) == 1:
                    yield said[0], key(words(phrases.BEHAVIOUR[kind])).strip()


def _follow(term: Term, terms: dict[int, Term]) -> str | None:
    for _ in range(_FOLLOWED):
        if term.code is not None or term.target is None:
            break
        term = terms[term.target]
    return term.code
