"""Looks phrases up: spots wordings in running text, and finds codes for a phrase."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import marisa_trie

from clhcode.icd.store import Node, Store, Term, built, say_on_stderr
from clhcode.search import dictionary, phrases
from clhcode.search.normalise import expand, key, split, words

SOURCES = ("tabular", "inclusion", "index")
_MOST_POSTINGS = 3_000
_EXACT = (1.0, 0.99, 0.97)
"""Score of a dictionary wording by its distance from the printed form."""


@dataclass(frozen=True, slots=True)
class Match:
    """A code found for a phrase.

    Attributes:
        path: The walk to it: index terms (`see ...` included), or titles.
        source: `index`, `tabular` or `inclusion`.
        score: 1 for the printed wording; below 0.95 for shared words (the Dice
            coefficient weighted by inverse document frequency).
        manifestation: The code the index prints in brackets beside it.
    """

    node: Node
    path: tuple[str, ...]
    source: str
    score: float
    manifestation: str | None = None


class Finder:
    """Search over one classification. Cheap to make: files are mapped, not read."""

    def __init__(self, store: Store, database: Path, trie: Path) -> None:
        self.store = store
        self._db = sqlite3.connect(
            f"{database.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._trie = marisa_trie.Trie()
        self._trie.mmap(str(trie))
        self._entry = lru_cache(maxsize=20_000)(self._read_entry)
        self.leads = lru_cache(maxsize=20_000)(self._leads)
        self._posting = lru_cache(maxsize=5_000)(self._read_posting)
        self._retrieved = lru_cache(maxsize=5_000)(self._retrieve)

    def longest(self, content: Sequence[str]) -> int:
        """How many of the first content words form the longest known wording; 0 for none."""
        known = self._trie.prefixes(key(content[: phrases.MOST_WORDS]))
        return max((said.count(" ") for said in known), default=0)

    def find(self, phrase: str, most: int = 10) -> tuple[Match, ...]:
        """Codes for a phrase, best first, over the whole classification."""
        near = frozenset(words(phrase))
        spelt = (expand(token, near) for token in split(phrase))
        return self.look_up([word for said in spelt for word in said], most)

    def look_up(self, content: Sequence[str], most: int = 10) -> tuple[Match, ...]:
        """As `find`, from content words that are normalised already."""
        scored: dict[int, float] = dict(self._retrieved(tuple(content), 4 * most))
        scored |= {n: _EXACT[d] for n, d in self.leads(key(content))}
        best: dict[int, Match] = {}
        # The index is the coder's way in: at equal scores it comes before the titles.
        order = sorted(scored, key=lambda n: (-round(scored[n], 4), -self._entry(n)[0], n))
        for number in order:
            match = self._match(number, scored[number])
            best.setdefault(match.node.id, match)
            if len(best) == most:
                break
        return tuple(best.values())

    def _leads(self, said: str) -> tuple[tuple[int, int], ...]:
        """Entries of a dictionary key, each with its distance from the printed form."""
        if said not in self._trie:
            return ()
        query = "select entries from wording where id = ?"
        (blob,) = self._db.execute(query, (self._trie[said],)).fetchone()
        return tuple((packed >> 2, packed & 3) for packed in array("I", blob))

    def codes(self, content: Sequence[str]) -> tuple[Node, ...]:
        """The codes a wording leads to by the dictionary alone."""
        numbers = (self._entry(n)[2] for n, _ in self.leads(key(content)))
        return tuple(self.store.by_number(n) for n in dict.fromkeys(numbers))

    def lead_term(self, content: Sequence[str]) -> str | None:
        """The main term of the Alphabetic Index a wording is looked up under."""
        for number, _ in self.leads(key(content)):
            source, ref, _, _ = self._entry(number)
            if source == dictionary.INDEX:
                return self.store.term_path(self.store.term(ref))[0]
        return None

    def _retrieve(self, content: tuple[str, ...], most: int) -> list[tuple[int, float]]:
        """Entries that share words with a phrase, rarest words first."""
        postings = sorted(
            (p for w in dict.fromkeys(content) if (p := self._posting(w))), key=_rarity
        )
        total = sum(idf for idf, _ in postings)
        shared: dict[int, float] = {}
        for idf, numbers in postings:
            if shared and len(numbers) > _MOST_POSTINGS:
                # A common word ranks what rarer words brought, it brings nothing itself.
                for number in shared.keys() & numbers:
                    shared[number] += idf
            else:
                for number in numbers:
                    shared[number] = shared.get(number, 0.0) + idf
        top = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[: 50 * most]
        scored = [(n, 0.95 * 2 * s / (total + self._entry(n)[3])) for n, s in top]
        return sorted(scored, key=lambda item: (-item[1], item[0]))[:most]

    def _read_posting(self, word: str) -> tuple[float, frozenset[int]] | None:
        query = "select entries from posting where word = ?"
        row = self._db.execute(query, (word,)).fetchone()
        if row is None:
            return None
        numbers = frozenset(array("I", row[0]))
        return self._idf(len(numbers)), numbers

    def _idf(self, count: int) -> float:
        return dictionary.idf(self._size(), count)

    def _size(self) -> int:
        (size,) = self._db.execute("select max(id) + 1 from entry").fetchone()
        return int(size)

    def _read_entry(self, number: int) -> tuple[int, int, int, float]:
        query = "select source, ref, node, weight from entry where id = ?"
        source, ref, node, weight = self._db.execute(query, (number,)).fetchone()
        return source, ref, node, weight

    def _match(self, number: int, score: float) -> Match:
        source, ref, node_id, _ = self._entry(number)
        node = self.store.by_number(node_id)
        name = SOURCES[source]
        if source == dictionary.TABULAR:
            return Match(node, (node.title,), name, score)
        if source == dictionary.INCLUSION:
            return Match(node, (node.title, self.store.inclusion(ref)[1]), name, score)
        path, term = self._walk(self.store.term(ref))
        return Match(node, path, name, score, term.manifestation)

    def _walk(self, term: Term) -> tuple[tuple[str, ...], Term]:
        """The path of a term, through its cross references to the term with the code."""
        path = list(self.store.term_path(term))
        while term.code is None and term.target is not None and term.see:
            path.append(f"see {term.see}")
            term = self.store.term(term.target)
        return tuple(path), term

    def spots(self, content: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Known wordings in a run of content words, longest first from the left: (i, j)."""
        at = 0
        while at < len(content):
            length = self.longest(content[at:])
            if length:
                yield at, at + length
            at += max(1, length)


def _rarity(posting: tuple[float, frozenset[int]]) -> float:
    return -posting[0]


def open_finder(
    store: Store, key_of_sources: str, say: Callable[[str], None] = say_on_stderr
) -> Finder:
    """Opens the dictionary of a store, building it first where it is not there yet."""
    key_ = f"{key_of_sources}-{dictionary.SCHEMA}"

    def make(path: Path) -> None:
        trie = path.with_name(f"{path.name}-trie")
        dictionary.build(store, path, trie)
        trie.replace(path.parent / f"wordings-{key_}.marisa")

    database = built("dictionary.sqlite", key_, make)
    return Finder(store, database, database.parent / f"wordings-{key_}.marisa")
