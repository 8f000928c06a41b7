"""Questions made of the classification itself: a path of the Alphabetic Index, and its code.

Categories fall into eight parts by a hash of their name, so that nobody has to keep a list. The
part `HELD_OUT` is for scoring alone: no code of it comes out here, neither as the right option
nor as a wrong one.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from clhcode.bench.questions import OPTIONS, Question, ranked
from clhcode.errors import UserError
from clhcode.icd.codes import with_seventh
from clhcode.icd.store import Node, Store, Term

PARTS = 8
HELD_OUT = 0
DEV = 1
"""The part for choosing among methods; the parts 2 to 7 are for training."""

Titles: TypeAlias = Mapping[str, str]
"""Code -> title."""
Search: TypeAlias = Callable[[str], Sequence[str]]
"""From words to codes, best first."""


def part(code: str) -> int:
    """The part, 0 to 7, that the category of a code is in."""
    category = code[:3].encode()
    return int(hashlib.sha1(category, usedforsecurity=False).hexdigest(), 16) % PARTS


def undivided(store: Store) -> Iterator[Node]:
    """The codes that the Tabular List prints no further digits for, 7th characters aside."""
    expanded: set[str] = set()
    for node in store.nodes():
        if node.kind != "code" or node.code in expanded:
            continue
        below = () if node.billable else store.children(node)
        own = {
            with_seventh(node.code, char): f"{node.title}, {meaning}"
            for char, meaning, _ in (store.sevenths(node) if below else ())
        }
        if all(own.get(child.code) == child.title for child in below):
            expanded.update(child.code for child in below)
            yield node


def paths(store: Store) -> Iterator[tuple[str, str]]:
    """Each path of the Alphabetic Index in one line, and the code it leads to.

    Terms are joined by commas, their nonessential modifiers in parentheses right behind them:
    `Melanoma(malignant), skin, perianal skin`.
    """
    for term in store.terms():
        if term.book == "index" and term.code:
            steps = [term]
            while (above := steps[-1].parent) is not None:
                steps.append(store.term(above))
            yield ", ".join(map(_step, reversed(steps))), term.code


def _step(term: Term) -> str:
    return term.title + " ".join(f"({modifier})" for modifier in term.modifiers)


def made(
    found: Iterable[tuple[str, str]],
    titles: Titles,
    search: Callable[[Titles], Search],
    wanted: Callable[[str], bool],
    seed: int,
) -> Iterator[Question]:
    """Questions in an order drawn by the seed, until there are no more.

    Left out are paths that lead to several codes, those that the title answers word for word
    (`literal`), and those whose code is not among the first eight that the search finds.

    Args:
        found: Paths and their codes.
        titles: What there is to choose from.
        search: Builds the lexical search over titles.
        wanted: Whether a category is asked about.
        seed: Draws the order.
    """
    titles = {code: title for code, title in titles.items() if part(code) != HELD_OUT}
    best = search(titles)
    codes: dict[str, set[str]] = {}
    for query, code in found:
        codes.setdefault(query, set()).add(code)
    # Whether a question comes must not depend on which others are wanted.
    queries = sorted(codes)
    random.Random(seed).shuffle(queries)  # noqa: S311 - a sample
    for query in queries:
        gold = min(codes[query])
        if len(codes[query]) > 1 or gold not in titles or not wanted(gold[:3]):
            continue
        if literal(query, titles[gold]):
            continue
        options = best(query)[:OPTIONS]
        if gold in options:
            yield Question(query, gold, ranked((code, titles[code]) for code in options))


def bm25(titles: Titles) -> Search:
    """The lexical search of the questions: BM25 over titles, without English stop words.

    Raises:
        UserError: The library for it is not installed.
    """
    try:
        import bm25s
    except ImportError:
        raise UserError("questions of the classification need bm25s: pip install bm25s") from None

    def tokens(texts: list[str]) -> Any:
        return bm25s.tokenize(texts, stopwords="en", show_progress=False)

    codes = list(titles)
    index = bm25s.BM25()
    index.index(tokens([title.lower() for title in titles.values()]), show_progress=False)

    def best(query: str) -> list[str]:
        # Without jax, whose order of equals is another.
        found, _ = index.retrieve(
            tokens([query.lower()]),
            k=min(OPTIONS, len(codes)),
            show_progress=False,
            backend_selection="numpy",
        )
        return [codes[at] for at in found[0]]

    return best


def literal(query: str, title: str) -> bool:
    """Whether a title stands in a question as it is, or holds every word of it."""
    return title.lower() in query.lower() or _words(query) <= _words(title)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))
