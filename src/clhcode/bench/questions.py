"""Multiple-choice questions for the judgement of `locate`: read, asked and scored.

A question is a path through the Alphabetic Index with eight codes in the order of a lexical
search, one of them right. It asks for the judgement alone: no note, no agent and no search
stand between the words and the answer. Questions of one category are akin, so that intervals
draw categories and not questions.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from clhcode.bench.bootstrap import SEED, Interval, draws
from clhcode.errors import UserError
from clhcode.icd.sources import open_plain
from clhcode.table.plain import WrongError, of_plain
from clhcode.table.schema import STRING, Field, Many, Record
from clhcode.table.texts import json_objects
from clhcode.talk import Engine, Reply, Talk, drive
from clhcode.tasks import Choose, Chosen, Fault, Option

OPTIONS = 8
CHANCE = 1 / OPTIONS


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a file of questions.

    Attributes:
        query: A path through the index: `Pain(s), intercostal`.
        gold: The code it leads to, one of the options.
        options: Eight codes with their titles, as the lexical search ranked them; `score` is
            one divided by the rank.
    """

    query: str
    gold: str
    options: tuple[Option, ...]

    @property
    def category(self) -> str:
        """The category of the right code: its first three characters."""
        return self.gold[:3]

    @property
    def right(self) -> int:
        """The 1-based number of the right option."""
        return next(n for n, option in enumerate(self.options, 1) if option.code == self.gold)

    def as_dict(self) -> dict[str, Any]:
        """The question as a line of a file."""
        options = [{"code": option.code, "title": option.text} for option in self.options]
        return {"query": self.query, "gold": self.gold, "options": options}


def ranked(pairs: Iterable[tuple[str, str]]) -> tuple[Option, ...]:
    """Options of (code, title), best first."""
    return tuple(Option(code, title, score=1 / n) for n, (code, title) in enumerate(pairs, 1))


def _pair(code: str, title: str) -> tuple[str, str]:
    return code, title


_OPTION = Record((Field("code", STRING), Field("title", STRING)), (0, 1), _pair)
_QUESTION = Record(
    (Field("query", STRING), Field("gold", STRING), Field("options", Many(_OPTION, ranked))),
    (0, 1, 2),
    Question,
)
_of_line: Callable[[Any], Question] = of_plain(_QUESTION)


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """The first `limit` questions of a file of JSON lines, plain or gzipped; all without it.

    Raises:
        UserError: The file cannot be read, or a line is no question; it names file and line.
    """
    try:
        with open_plain(path) as stream:
            lines = json_objects(cast("BinaryIO", stream), str(path), whole=False)
            return [_question(where, values) for where, values in islice(lines, limit)]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path}: the gzip data is damaged or cut short") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _question(where: str, values: dict[str, Any] | WrongError) -> Question:
    try:
        if isinstance(values, WrongError):
            raise values
        question = _of_line(values)
        _check(question)
    except WrongError as wrong:
        raise UserError(f"{where}: {wrong}") from None
    return question


def _check(question: Question) -> None:
    if not question.query.strip():
        raise WrongError("is empty", "query")
    if len(question.options) != OPTIONS:
        raise WrongError(f"must be {OPTIONS}, not {len(question.options)}", "options")
    codes = [option.code for option in question.options]
    if len(set(codes)) != OPTIONS:
        raise WrongError("name a code twice", "options")
    if question.gold not in codes:
        raise WrongError("must be one of the options", "gold")


def fingerprint(questions: Sequence[Question]) -> str:
    """A short hash of what was asked."""
    digest = hashlib.sha256()
    for each in questions:
        codes = (option.code for option in each.options)
        digest.update("\t".join((each.query, each.gold, *codes)).encode() + b"\n")
    return digest.hexdigest()[:16]


def ask(question: Question) -> Talk[Reply]:
    """Asks one question as `locate` would, and returns what came back."""
    (reply,) = yield [
        Choose(
            agent="locate",
            step="entry",
            notes=(),
            phrase=question.query,
            evidence=(),
            options=question.options,
            several=False,
        )
    ]
    return reply


def ask_all(
    questions: Sequence[Question], engine: Engine, tell: Callable[[int], object]
) -> list[Reply]:
    """The replies to all questions, in their order.

    Args:
        questions: What is asked.
        engine: What answers.
        tell: Called with 1 for each reply that is in.
    """
    replies = []
    for reply in drive(map(ask, questions), engine):
        replies.append(reply)
        tell(1)
    return replies


def exchanged(questions: Sequence[Question], seed: int = SEED) -> list[Question] | None:
    """The same questions, each with the words of a question of another category: the control.

    Options and right answers stay, so that who answers by the words alone falls to chance.
    Questions are laid in a ring, those of a category together, categories in an order drawn by
    the seed; each takes the words of the one that stands a greatest category's size further on.

    Returns:
        The questions in their order; `None` where one category holds more than half of them.
    """
    sizes = Counter(question.category for question in questions)
    step = max(sizes.values(), default=0)
    if not questions or 2 * step > len(questions):
        return None
    chance = random.Random(seed)  # noqa: S311 - an order
    place = {category: chance.random() for category in sorted(sizes)}
    within = [chance.random() for _ in questions]
    ring = sorted(
        range(len(questions)),
        key=lambda i: (place[questions[i].category], questions[i].category, within[i]),
    )
    words = {at: questions[ring[(n + step) % len(ring)]].query for n, at in enumerate(ring)}
    return [Question(words[i], each.gold, each.options) for i, each in enumerate(questions)]


def number(reply: Reply) -> int:
    """The option an engine answers with; 0 for none and for a fault."""
    return reply.numbers[0] if isinstance(reply, Chosen) and reply.numbers else 0


def alone(reply: Reply) -> int:
    """The option the model likes best by itself, where it scores; else what was answered."""
    if isinstance(reply, Chosen) and reply.scores:
        return 1 + max(range(len(reply.scores)), key=reply.scores.__getitem__)
    return number(reply)


def figures(
    questions: Sequence[Question], replies: Sequence[Reply], control: Sequence[Reply] | None = None
) -> dict[str, Any]:
    """What `clh bench --questions` tells, but for the time.

    Args:
        questions: At least one.
        replies: The reply to each.
        control: The reply to each with the words of another, see `exchanged`.

    Returns:
        `n`, `categories`, `chance`; the shares right: `lexical` (the first option), `model`
        (alone), `both` (as answered; null from an engine without scores), `shuffled` (the
        control, alone; null without it); `differences` and `intervals`; how often each number
        was `chosen`; `faults` and `shuffled_faults` by kind. A fault counts as wrong.
    """
    right = [question.right for question in questions]
    answers: dict[str, list[int] | None] = {
        "lexical": [1] * len(right),
        "model": [alone(reply) for reply in replies],
        "both": [number(reply) for reply in replies] if _scores(replies) else None,
        "shuffled": None if control is None else [alone(reply) for reply in control],
    }
    hits = {
        name: [int(a == b) for a, b in zip(given, right, strict=True)]
        for name, given in answers.items()
        if given is not None
    }
    apart = {
        f"{name}-lexical": [a - b for a, b in zip(hits[name], hits["lexical"], strict=True)]
        for name in ("model", "both")
        if name in hits
    }
    chosen = Counter(number(reply) for reply in replies if not isinstance(reply, Fault))
    return {
        "n": len(questions),
        "categories": len({question.category for question in questions}),
        "chance": CHANCE,
        **{name: _mean(hits[name]) if name in hits else None for name in answers},
        "differences": {name: _mean(values) for name, values in apart.items()},
        "intervals": intervals({**hits, **apart}, [question.category for question in questions]),
        "chosen": {str(n): chosen[n] for n in range(OPTIONS + 1)},
        "faults": _faults(replies),
        "shuffled_faults": _faults(control or ()),
    }


def intervals(
    values: Mapping[str, Sequence[float]], categories: Sequence[str]
) -> dict[str, Interval]:
    """95 % intervals of means, from draws of whole categories with replacement.

    Args:
        values: Name -> one value a question. All are taken from the same draws.
        categories: The category of each question.

    Returns:
        Name -> interval; nothing where there is but one category, since nothing can be drawn.
    """
    import numpy as np

    names, at = np.unique(np.array(categories), return_inverse=True)
    if len(names) < 2:
        return {}
    sizes = np.bincount(at)
    sums = np.stack([np.bincount(at, np.array(each)) for each in values.values()], axis=1)
    drawn = np.array([weights @ sums / (weights @ sizes) for weights in draws(len(names))])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return {name: (float(a), float(b)) for name, a, b in zip(values, low, high, strict=True)}


def _scores(replies: Iterable[Reply]) -> bool:
    return any(isinstance(reply, Chosen) and reply.scores for reply in replies)


def _faults(replies: Iterable[Reply]) -> dict[str, int]:
    return dict(sorted(Counter(r.kind for r in replies if isinstance(r, Fault)).items()))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
