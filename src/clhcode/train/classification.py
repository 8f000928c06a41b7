"""Examples made of the classification itself: what the index calls a code. No notes are needed.

Categories are parted as `bench.making` parts them. What is learned from and what is chosen by are
apart, and no code of a held-out category is in either, neither as an answer nor beside one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from clhcode.bench.making import DEV, HELD_OUT, Titles, bm25, made, part, paths, undivided
from clhcode.bench.questions import Question, ask
from clhcode.errors import UserError
from clhcode.icd.store import Store
from clhcode.tasks import Choose, Chosen, Option
from clhcode.train.examples import SPARE, Example, shuffled, siblings

NAME = "icd10cm"
"""What `--data` calls the classification."""


def learned(code: str) -> bool:
    """Whether a code's category is one to learn from."""
    return part(code) not in (HELD_OUT, DEV)


def phrases(store: Store) -> list[Example]:
    """For scored models: each path of the index and each inclusion term, with its one code."""
    found = [
        Example(f"{NAME}/{code}#{number}", _choose(phrase, ((code, title),)), Chosen((1,)))
        for number, (phrase, code, title) in enumerate(_phrases(store), 1)
    ]
    if not found:
        raise _no_index()
    return found


def _phrases(store: Store) -> Iterator[tuple[str, str, str]]:
    seen: set[tuple[str, str]] = set()
    for phrase, code in (*paths(store), *_inclusions(store)):
        node = store.node(code)
        if node and node.kind == "code" and learned(code) and (phrase, code) not in seen:
            seen.add((phrase, code))
            yield phrase, code, node.title


def _inclusions(store: Store) -> Iterator[tuple[str, str]]:
    for _, number, text in store.inclusions():
        node = store.by_number(number)
        if node.kind == "code":
            yield text, node.code


def questions(store: Store, seed: int, most: int | None = None) -> list[Example]:
    """For models that write: questions as `clh bench --questions` asks, shuffled."""
    return _made(store, learned, seed, most)


def dev_questions(store: Store, seed: int, most: int | None) -> list[Example]:
    """Questions of the categories for choosing, in BM25's order."""
    return _made(store, lambda category: part(category) == DEV, seed, most)


def _made(
    store: Store, wanted: Callable[[str], bool], seed: int, most: int | None
) -> list[Example]:
    # Wrong options are of the same categories as right ones, so that nothing else is read.
    titles = {n.code: n.title for n in undivided(store) if wanted(n.code[:3])}
    found = made(paths(store), titles, bm25, wanted, seed)
    examples = [_example(q, n, titles, store) for n, q in enumerate(islice(found, most), 1)]
    if not examples:
        raise _no_index()
    return [shuffled(example, seed) for example in examples]


def _example(question: Question, number: int, titles: Titles, store: Store) -> Example:
    (task,) = next(ask(question))
    gold = store.node(question.gold)
    taken = {option.code for option in question.options}
    near = siblings(gold, store) if gold else []
    spare = (Option(n.code, n.title) for n in near if n.code in titles and n.code not in taken)
    name = f"{NAME}/{question.gold}#{number}"
    return Example(name, task, Chosen((question.right,)), tuple(islice(spare, SPARE)))


def _choose(phrase: str, pairs: tuple[tuple[str, str], ...]) -> Choose:
    return Choose(
        agent="locate",
        step="entry",
        notes=(),
        phrase=phrase,
        evidence=(),
        options=tuple(Option(code, title) for code, title in pairs),
        several=False,
    )


def _no_index() -> UserError:
    return UserError(
        "--data icd10cm: the classification here has no Alphabetic Index: `clh fetch icd10cm`"
    )
