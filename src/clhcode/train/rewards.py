"""Rewards that gold verifies. Pure functions of a question, its right answer and what was written.

Each part is between 0 and 1 and is logged apart. `form` is the gate: what is ill-formed or cut
short gets nothing in any part. Nothing in them tells how many answers there should be.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clhcode.runtime.speak import most_tokens, read
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Fault, Task
from clhcode.text.spans import locate_quote
from clhcode.train.examples import Answered

PARTS = ("answer", "form", "brevity")
WEIGHTS: Mapping[str, float] = {"answer": 1.0, "form": 0.1, "brevity": 0.1}


@dataclass(frozen=True, slots=True)
class Reward:
    """The parts.

    Attributes:
        answer: How right it is.
        form: 1 for an answer of the form that was asked for.
        brevity: 1 within the budget of tokens, down to 0 at twice as many.
    """

    answer: float
    form: float
    brevity: float

    def total(self, weights: Mapping[str, float] = WEIGHTS) -> float:
        """The weighted sum."""
        return sum(weights.get(name, 0.0) * float(getattr(self, name)) for name in PARTS)


UNREAD = Reward(0.0, 0.0, 0.0)


def budget(task: Task) -> int:
    """Tokens within which an answer costs nothing; of the question alone, never of gold."""
    return max(16, most_tokens(task) // 2)


def reward(
    task: Task,
    right: Answered,
    text: str,
    finish: str,
    tokens: int,
    *,
    most: int | None = None,
    beta: float = 1.0,
) -> Reward:
    """The reward of what was written.

    Args:
        task: The question.
        right: Its right answer.
        text: What was written.
        finish: `length` where it was cut short.
        tokens: Its length.
        most: The budget; `budget(task)` without it.
        beta: Of the F-measure over a set of codes; up to 1, so that a wrong code weighs at least
            as much as a missed one.
    """
    reply = read(task, text, finish)
    if isinstance(reply, Fault):
        return UNREAD
    most = budget(task) if most is None else most
    brevity = min(1.0, max(0.0, 2 - tokens / most))
    if isinstance(task, Extract):
        if not isinstance(reply, Extracted) or not isinstance(right, Extracted):
            return UNREAD
        return Reward(spans(task, right, reply), 1.0, brevity)
    if not isinstance(reply, Chosen) or not isinstance(right, Chosen):
        return UNREAD
    # As written: a number said twice is one right and one wrong.
    said = json.loads(text)["choices"] if task.several else reply.numbers
    return Reward(choice(task, right.numbers, said, beta), 1.0, brevity)


def choice(task: Choose, right: Iterable[int], said: Iterable[int], beta: float = 1.0) -> float:
    """How right chosen numbers are.

    The one number or none of them; of several the F-measure, which is 1 for an empty answer where
    nothing is right. `beta` counts for the set of codes alone.
    """
    wanted, given = set(right), list(said)
    if not task.several:
        return float(wanted == set(given) if not wanted else bool(given and given[0] in wanted))
    hits = len(wanted & set(given))
    return f_measure(hits, len(given), len(wanted), beta if task.step == "set" else 1.0)


def f_measure(hits: int, said: int, wanted: int, beta: float = 1.0) -> float:
    """F-beta; 1 where nothing was wanted and nothing said."""
    if not said and not wanted:
        return 1.0
    return (1 + beta**2) * hits / (said + beta**2 * wanted)


def spans(task: Extract, right: Extracted, reply: Extracted) -> float:
    """Overlap F1 of the characters quoted, times the share of quotes that stand in the note.

    A character quoted twice is right once and wrong once.
    """
    text = task.notes[task.note].text
    said: Counter[int] = Counter()
    standing = after = 0
    for finding in reply.findings:
        places = locate_quote(text, finding.quote, after)
        if places:
            standing += 1
            after = places[0][0] + 1
            for begin, end in places:
                said.update(range(begin, end))
    wanted = {n for f in right.findings for begin, end in f.places for n in range(begin, end)}
    share = standing / len(reply.findings) if reply.findings else 1.0
    return share * f_measure(len(wanted & said.keys()), said.total(), len(wanted))
