"""What a note claims of a condition: present, negated, possible, historical, family, hypothetical.

A trigger reaches over part of its clause (NegEx, Chapman 2001); the label of a condition is the
first of `PRECEDENCE` that reaches it (ConText, Harkema 2009). Uncertain terms are those of
ICD-10-CM Official Guidelines II.H.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from clhcode.records import Assertion
from clhcode.text.lasting import lasts
from clhcode.text.sections import Section, section_at
from clhcode.text.tokens import Token, clauses, sentences
from clhcode.text.triggers import Cue, cues, units

PRECEDENCE: tuple[Assertion, ...] = (
    "family",
    "hypothetical",
    "negated",
    "possible",
    "historical",
)
"""`present` is what no trigger reaches."""

# What may stand between a trigger and a verb without the verb beginning a new claim:
# `denies that she has had any fever`.
_FILLERS = frozenset(
    "a an the this that it there he she they we i patient pt any ever also is are was were be been "
    "being has have had having do does did clearly currently now".split()
)
_LINKS = frozenset({",", "(", "which", "that", "who"})
# At the end of their clause they speak of what came before: `Transfusion: no`.
_CLAIMS = frozenset({"negated", "possible", "historical", "history"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a trigger reaches; offsets in code points of the sentence.

    Attributes:
        label: What it says of a condition inside; `history` is past unless the disease lasts.
        begin: Where the trigger begins, or what it reaches if that stands before it.
        end: End of what it reaches, or of the trigger.
        forward: Whether the trigger stands before the condition.
    """

    label: str
    begin: int
    end: int
    forward: bool

    def reaches(self, begin: int, end: int) -> bool:
        """Whether it speaks of a condition there.

        A trigger inside a condition's own words, as in `diabetes without complications`,
        says nothing of the condition.
        """
        if self.forward:
            return self.begin <= begin < self.end
        return self.begin < end <= self.end


def assertions(
    text: str, spans: Iterable[tuple[int, int]], found: tuple[Section, ...]
) -> list[Assertion]:
    """What a note claims of each span of it.

    Args:
        text: The note.
        spans: Half-open spans of conditions, in any order.
        found: The note's sections.
    """
    places = sentences(text)
    starts = [begin for begin, _ in places]
    labels: list[Assertion] = []
    for begin, end in spans:
        at = bisect_right(starts, begin) - 1
        section = section_at(found, begin)
        first, last = places[at] if at >= 0 else (0, 0)
        first = max(first, section.begin) if begin >= section.begin else first
        labels.append(assert_at(text[first:last], begin - first, end - first, section.name))
    return labels


def assert_at(sentence: str, begin: int, end: int, section: str | None = None) -> Assertion:
    """What a sentence claims of the condition at `sentence[begin:end]`.

    Args:
        sentence: One sentence of a note.
        begin: Where the condition begins in it.
        end: Where it ends.
        section: Canonical name of the section it stands in.
    """
    if section == "family_history":
        return "family"
    reached = {scope.label for scope in scopes(sentence) if scope.reaches(begin, end)}
    if "history" in reached and not lasts(sentence, begin, end):
        reached.add("historical")
    for label in PRECEDENCE:
        if label in reached:
            return label
    return "historical" if section == "surgical_history" else "present"


@lru_cache(maxsize=1024)
def scopes(sentence: str) -> tuple[Scope, ...]:
    """What the triggers of a sentence reach, left to right."""
    return tuple(
        scope
        for begin, end in clauses(sentence, 0, len(sentence))
        for scope in _scopes(units(sentence, begin, end))
    )


def _scopes(clause: list[Token]) -> Iterator[Scope]:
    found = cues(clause)
    for cue in found:
        trigger = cue.trigger
        if trigger.side not in ("before", "after"):
            continue
        label = trigger.label
        last = cue.end == len(clause) or clause[cue.end].text in ",)"
        forward = trigger.side == "before" and not (last and label in _CLAIMS)
        if forward:
            to = _forward(clause, found, cue)
            yield Scope(label, clause[cue.begin].begin, clause[to - 1].end, True)
        else:
            at = _backward(clause, found, cue)
            yield Scope(label, clause[at].begin, clause[cue.end - 1].end, False)


def _forward(clause: list[Token], found: list[Cue], cue: Cue) -> int:
    """The unit before which the reach of a trigger to its right ends."""
    border = len(clause)
    for other in found:
        if other.begin >= cue.end and _parts(clause, cue, other, cue.end, other.begin):
            border = other.begin
            break
    depth = 0
    for at in range(cue.end, border):
        depth += {"(": 1, ")": -1}.get(clause[at].text, 0)
        if depth < 0:
            border = at
            break
    if cue.trigger.reach == "clause":
        return border
    border = _item_end(clause, cue.end, border)
    if cue.trigger.reach == "item":
        return border
    return min(border, cue.end + int(cue.trigger.reach))


def _item_end(clause: list[Token], begin: int, end: int) -> int:
    """The first comma, unless a list goes on to an `or`."""
    words = [unit.text for unit in clause[:end]]
    for at in range(begin + 1, end):
        if words[at] == "," and "or" not in words[at:]:
            return at
    return end


def _backward(clause: list[Token], found: list[Cue], cue: Cue) -> int:
    """The unit with which the reach of a trigger to its left begins."""
    begin = 0
    for other in found:
        if other.end <= cue.begin and _parts(clause, cue, other, other.end, cue.begin):
            begin = other.end
    words = [unit.text for unit in clause[: cue.begin]]
    # What stands right before the trigger does not part it from its condition: `fever, which
    # was ruled out`.
    edge = cue.begin
    while edge > begin and (words[edge - 1] in _LINKS or _filler(words[edge - 1])):
        edge -= 1
    commas = [at for at in range(begin, edge) if words[at] == ","]
    if commas and (begin > 0 or cue.trigger.reach != "clause" or cue.trigger.side == "before"):
        begin = commas[-1] + 1
    if cue.trigger.reach.isdigit():
        begin = max(begin, cue.begin - int(cue.trigger.reach))
    return min(begin, cue.begin)


def _parts(clause: list[Token], cue: Cue, other: Cue, begin: int, end: int) -> bool:
    """Whether `other` ends what `cue` reaches, with `clause[begin:end]` between the two."""
    label = cue.trigger.label
    if other.trigger.side == "stop":
        applies = other.trigger.label == "all" or label in _CLAIMS
        return applies and not all(_filler(unit.text) for unit in clause[begin:end])
    if other.trigger.side == "before" and other.trigger.label != label and label in _CLAIMS:
        led = clause[other.begin - 1].text if other.begin else ""
        return other.begin < cue.begin or led in (",", "and")
    return False


def _filler(word: str) -> bool:
    return word in _FILLERS or word == ":" or (word.endswith("ly") and word != "family")
