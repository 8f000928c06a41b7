"""Trigger phrases: words of a note that change what it claims of a condition.

The idea of triggers with a reach is NegEx's (Chapman 2001), that of one machinery for negation,
time and experiencer ConText's (Harkema 2009). The phrases are ours (`data/triggers.tsv`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from clhcode.text.tokens import TOKEN, Token

_POINTS = frozenset(",:?()")
_UNIT = re.compile(rf"{TOKEN}|[,:?()]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_GAP, _ANY = "...", "_"
_WIDEST = 6

Step = frozenset[str]
"""The words one place of a pattern takes."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A phrase and what it does.

    Attributes:
        label: What it says of a condition; of a stop, whom it stops (`all`, `claim`).
        side: `before` the condition, `after` it, `skip` (is none) or `stop`.
        reach: `clause`, `item` (to the next comma) or a number of words.
        steps: Its words, first to last.
        gaps: For each step how many words may stand before it.
    """

    label: str
    side: str
    reach: str
    steps: tuple[Step, ...]
    gaps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """A trigger found at `units[begin:end]`."""

    trigger: Trigger
    begin: int
    end: int


def units(text: str, begin: int, end: int) -> list[Token]:
    """Words in lower case, and the punctuation that bears on what a clause claims."""
    return [
        Token(m[0].lower().replace("’", "'"), *m.span()) for m in _UNIT.finditer(text, begin, end)
    ]


def cues(clause: list[Token]) -> list[Cue]:
    """The triggers of a clause, left to right, none inside another; the longest wins."""
    table, words = _table(), [_word(unit.text) for unit in clause]
    found: list[Cue] = []
    at = 0
    while at < len(words):
        best: list[Cue] = []
        most = (0, 0)
        following = words[at + 1] if at + 1 < len(words) else ""
        for trigger in table.get(words[at], ()):
            # Most triggers of a first word end here, so this is looked at before the rest.
            if len(trigger.steps) > 1 and not trigger.gaps[1] and following not in trigger.steps[1]:
                continue
            if (end := _match(trigger, words, at)) is not None:
                # Among equally long ones that which names more of the words.
                size = (end - at, len(trigger.steps))
                if size > most:
                    best, most = [], size
                if size == most and (not best or best[0].trigger.steps == trigger.steps):
                    best.append(Cue(trigger, at, end))
        found.extend(best)
        at = best[0].end if best else at + 1
    return found


def _word(word: str) -> str:
    if not word.isdigit():
        return word
    return "YEAR" if _YEAR.fullmatch(word) else "DIGITS"


def _match(trigger: Trigger, words: list[str], at: int) -> int | None:
    """Where the trigger ends if it begins at `words[at]`."""
    for step, gap in zip(trigger.steps, trigger.gaps, strict=True):
        for place in range(at, min(at + gap + 1, len(words))):
            if words[place] in step:
                at = place + 1
                break
            if words[place] in _POINTS:
                return None
        else:
            return None
    return at


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[Trigger, ...]]:
    """Triggers by their first word, in the order of the file."""
    table: dict[str, list[Trigger]] = {}
    for trigger in _read():
        for word in trigger.steps[0]:
            table.setdefault(word, []).append(trigger)
    return {word: tuple(found) for word, found in table.items()}


def _read() -> Iterator[Trigger]:
    sets: dict[str, Step] = {}
    text = files("clhcode.text").joinpath("data", "triggers.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        label, side, reach, pattern = line.split("\t")
        if label == "SET":
            name, words = pattern.split(" ")
            sets[name] = _step(words, sets)
            continue
        steps: list[Step] = []
        gaps: list[int] = []
        gap = 0
        for part in pattern.split(" "):
            if part in (_GAP, _ANY):
                gap += _WIDEST if part == _GAP else 1
                continue
            steps.append(_step(part, sets))
            gaps.append(gap)
            gap = 0
        yield Trigger(label, side, reach, tuple(steps), tuple(gaps))


def _step(part: str, sets: dict[str, Step]) -> Step:
    return frozenset().union(*(sets.get(word, {word}) for word in part.split("/")))
