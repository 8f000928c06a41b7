"""Looks phrases up: spots wordings in running text, and finds codes for a phrase."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import nsmallest
from pathlib import Path

import marisa_trie

from clhcode.icd.cells import DRUG, NEOPLASM
from clhcode.icd.store import Node, Store, Term, built, say_on_stderr
from clhcode.search import dictionary, phrases
from clhcode.search.normalise import expand, key, qualifiers, split, words

SOURCES = ("inclusion", "tabular", "table", "index")
_MOST_POSTINGS = 3_000
_SHARED = 0.4
"""Entries that share less than this much of what the best one shares are not ranked."""
_LONGEST = 120
"""Characters within which a wording ends."""
_EXACT = (1.0, 0.99, 0.97)
"""Score of a dictionary wording by its distance from the printed form."""
_QUALIFIED = 0.02
"""What it loses where qualifiers of the phrase had to be left out."""


COLUMNS = {"neoplasm": NEOPLASM, "drug": DRUG}
"""The columns of the tables, by book."""


@dataclass(frozen=True, slots=True)
class Match:
    """A code found for a phrase.

    Attributes:
        path: The walk to it: index terms (`see ...` included), or titles.
        source: `index`, `table` (of neoplasms or drugs), `tabular` or `inclusion`.
        score: 1 for the printed wording; below 0.95 for shared words (the Dice
            coefficient weighted by inverse document frequency).
        manifestation: The code the index prints in brackets beside it.
    """

    node: Node
    path: tuple[str, ...]
    source: str
    score: float
    manifestation: str | None = None


class _Entries:
    """The columns that `dictionary.build` wrote, by entry number."""

    def __init__(self, columns: dict[str, bytes]) -> None:
        self.source: Sequence[int] = memoryview(columns["source"])
        self.ref: Sequence[int] = memoryview(columns["ref"]).cast("I")
        self.node: Sequence[int] = memoryview(columns["node"]).cast("I")
        self.weight: Sequence[float] = memoryview(columns["weight"]).cast("f")


class Finder:
    """Search over one classification. Cheap to make: files are mapped, not read."""

    def __init__(self, store: Store, database: Path, trie: Path) -> None:
        self.store = store
        self._db = sqlite3.connect(
            f"{database.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._trie = marisa_trie.Trie()
        self._trie.mmap(str(trie))
        self.leads = lru_cache(maxsize=20_000)(self._leads)
        self._reach = lru_cache(maxsize=50_000)(self._begins)
        self._posting = lru_cache(maxsize=5_000)(self._read_posting)
        self._retrieved = lru_cache(maxsize=5_000)(self._retrieve)
        self._looked_up = lru_cache(maxsize=20_000)(self._look_up)

    def longest(self, content: Sequence[str]) -> int:
        """How many of the first content words form the longest known wording; 0 for none."""
        known = self._trie.prefixes(key(content[: phrases.MOST_WORDS]))
        return max((said.count(" ") for said in known), default=0)

    def find(
        self, phrase: str, most: int = 10, context: str = "", *, widen: bool = True
    ) -> tuple[Match, ...]:
        """Codes for a phrase, best first, over the whole classification.

        Args:
            phrase: A condition in words.
            most: Codes returned at most.
            context: The sentence it stands in, which tells what its abbreviations mean.
            widen: Whether lexical retrieval adds its neighbours where the dictionary has the
                phrase; where it does not, retrieval is all there is.
        """
        spelt = expand(split(phrase), lambda: (*words(phrase), *words(context)))
        return self._looked_up(tuple(word for said in spelt for word in said), most, widen)

    def _look_up(self, content: tuple[str, ...], most: int, widen: bool) -> tuple[Match, ...]:
        scored: dict[int, float] = {}
        for core in self._variants(content):
            for n, d in self.leads(key(core)):
                scored[n] = max(scored.get(n, 0.0), _EXACT[d] - _QUALIFIED)
        scored |= {n: _EXACT[d] for n, d in self.leads(key(content))}
        if widen or not scored:
            scored = dict(self._retrieved(content, 4 * most)) | scored
        return self.ranked(scored, most)

    def ranked(self, scored: Mapping[int, float], most: int) -> tuple[Match, ...]:
        """The codes of entries by the entries' scores, each code by its best entry."""
        sources, nodes = self._entries.source, self._entries.node
        # The index is the coder's way in: at equal scores it comes before the titles, and those
        # before inclusion terms.
        order = sorted(scored, key=lambda n: (-round(scored[n], 4), -sources[n], n))
        best: dict[int, int] = {}
        for number in order:
            best.setdefault(nodes[number], number)
            if len(best) == most:
                break
        return tuple(self._match(number, scored[number]) for number in best.values())

    def _variants(self, content: Sequence[str]) -> Iterator[list[str]]:
        """The phrase without its qualifiers, and with plain words for kinds of tumors."""
        core = [word for word in content if word not in qualifiers()]
        yield core
        for words_ in (content, core):
            if any(word in self._aliases for word in words_):
                yield self._plain(words_)

    def _plain(self, content: Sequence[str]) -> list[str]:
        return [plain for word in content for plain in self._aliases.get(word, (word,))]

    @cached_property
    def _aliases(self) -> dict[str, list[str]]:
        rows = self._db.execute("select said, means from alias")
        return {said: means.split(" ") for said, means in rows}

    def _leads(self, said: str) -> tuple[tuple[int, int], ...]:
        """Entries of a dictionary key, each with its distance from the printed form."""
        if said not in self._trie:
            return ()
        query = "select entries from wording where id = ?"
        (blob,) = self._db.execute(query, (self._trie[said],)).fetchone()
        return tuple((packed >> 2, packed & 3) for packed in array("I", blob))

    def codes(self, content: Sequence[str]) -> tuple[Node, ...]:
        """The codes a wording leads to by the dictionary alone."""
        numbers = (self._entries.node[n] for n, _ in self.leads(key(content)))
        return tuple(self.store.by_number(n) for n in dict.fromkeys(numbers))

    def acronym(self, content: Sequence[str]) -> bool:
        """Whether a wording is known as letters alone: `DISH`, and not dishes."""
        entries = self._entries
        leads = [number for number, _ in self.leads(key(content))]
        return bool(leads) and all(
            entries.source[number] == dictionary.INDEX
            and self.store.term_path(self.store.term(entries.ref[number]))[0].isupper()
            for number in leads
        )

    def lead_term(self, content: Sequence[str]) -> str | None:
        """The main term of the Alphabetic Index a wording is looked up under."""
        for number, _ in self.leads(key(content)):
            if self._entries.source[number] == dictionary.INDEX:
                return self.store.term_path(self.store.term(self._entries.ref[number]))[0]
        return None

    @cached_property
    def _entries(self) -> _Entries:
        return _Entries(dict(self._db.execute("select name, numbers from entry")))

    def _retrieve(self, content: tuple[str, ...], most: int) -> tuple[tuple[int, float], ...]:
        """Entries that share words with a phrase, and their Dice coefficients."""
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
        weight = self._entries.weight
        least = _SHARED * max(shared.values(), default=0.0)
        scored = [(-0.95 * 2 * s / (total + weight[n]), n) for n, s in shared.items() if s >= least]
        return tuple((n, -score) for score, n in nsmallest(most, scored))

    def _read_posting(self, word: str) -> tuple[float, frozenset[int]] | None:
        query = "select entries from posting where word = ?"
        row = self._db.execute(query, (word,)).fetchone()
        if row is None:
            return None
        numbers = frozenset(array("I", row[0]))
        return dictionary.idf(len(self._entries.source), len(numbers)), numbers

    def __len__(self) -> int:
        """How many entries there are; they are numbered from 0."""
        return len(self._entries.source)

    def text(self, number: int) -> str:
        """An entry in words: `Lead term, subterm, subterm`, or a title."""
        source, ref = self._entries.source[number], self._entries.ref[number]
        if source == dictionary.TABULAR:
            return self.store.by_number(ref).title
        if source == dictionary.INCLUSION:
            return self.store.inclusion(ref)[1]
        cell = source == dictionary.TABLE
        path = self._row(*divmod(ref, 8)) if cell else self.store.term_path(self.store.term(ref))
        return ", ".join(path)

    def _match(self, number: int, score: float) -> Match:
        entries = self._entries
        source, ref = entries.source[number], entries.ref[number]
        node = self.store.by_number(entries.node[number])
        name = SOURCES[source]
        if source == dictionary.TABULAR:
            return Match(node, (node.title,), name, score)
        if source == dictionary.INCLUSION:
            return Match(node, (node.title, self.store.inclusion(ref)[1]), name, score)
        if source == dictionary.TABLE:
            return Match(node, self._row(*divmod(ref, 8)), name, score)
        path, term = self._walk(self.store.term(ref))
        return Match(node, path, name, score, term.manifestation)

    def _row(self, number: int, column: int) -> tuple[str, ...]:
        """The path of a cell: down the rows of its table, then the column."""
        term = self.store.term(number)
        return (*self.store.term_path(term), COLUMNS[term.book][column])

    def _walk(self, term: Term) -> tuple[tuple[str, ...], Term]:
        """The path of a term, through its cross references to the term with the code."""
        path = list(self.store.term_path(term))
        while term.code is None and term.target is not None:
            path.append(f"see {term.see}" if term.see else f"see also {term.see_also}")
            term = self.store.term(term.target)
        return tuple(path), term

    def spots(self, content: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Known wordings in a run of content words, longest first from the left: (i, j).

        A wording that begins inside another is one of its own where it reaches further:
        `type 2 diabetes with chronic kidney disease, stage 3b` holds two. Qualifiers inside
        may be skipped: `pain in the left wrist` is a pain of the wrist.
        """
        ends = list(range(len(content)))
        for said, places, again in self._tracks(content):
            whole, at = key(said), 0
            # A word alone is looked for where it stands, not again with others left out.
            least = 1 if len(said) == len(content) else 2
            last = len(said) - 1
            for number, word in enumerate(said):
                length = self._reach(word)
                ahead = min(phrases.MOST_WORDS - 1, last - number)
                if again and places[number + ahead] - places[number] == ahead:
                    # Nothing is left out within reach: the track before has found it.
                    length = 0
                if length > 1:
                    known = self._trie.prefixes(whole[at : at + _LONGEST])
                    length = known[-1].count(" ") if known else 0
                at += len(word) + 1
                if length >= least:
                    place, end = places[number], places[number + length - 1] + 1
                    ends[place] = max(ends[place], end)
        reached = 0
        for begin, end in enumerate(ends):
            if end > begin and end > reached:
                yield begin, end
                reached = end

    def _begins(self, word: str) -> int:
        """2 where longer wordings begin with a word, 1 where it is one itself, else 0."""
        known = 0
        for said in self._trie.iterkeys(key((word,))):
            if said.count(" ") > 1:
                return 2
            known = 1
        return known

    def _tracks(
        self, content: Sequence[str]
    ) -> Iterator[tuple[Sequence[str], Sequence[int], bool]]:
        """The words as they stand, without qualifiers, and with plain words for tumors.

        Each with the places its words have in the content, and whether it is a track before it
        with words left out.
        """
        every = range(len(content))
        core = [at for at in every if content[at] not in qualifiers()]
        yield content, every, False
        if len(core) < len(content):
            yield [content[at] for at in core], core, True
        if not self._aliases.keys().isdisjoint(content):
            # Each word stays one word, so that places stay places.
            plain = [self._aliases.get(word, (word,))[-1] for word in content]
            yield [plain[at] for at in core], core, False


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
