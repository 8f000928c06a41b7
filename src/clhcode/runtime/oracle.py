"""The engine that knows the gold codes of one encounter: what the other steps could reach at best.

The pipeline makes one for each row. Agents and questions never see gold; only answers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clhcode.records import Note, Span, quoted
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Finding, Task


@dataclass(frozen=True, slots=True)
class Truth:
    """A gold code and where its mentions stand; `mentions` is empty where nobody marked them."""

    code: str
    mentions: tuple[tuple[Span, ...], ...]


class Oracle:
    """Answers both questions from gold, for the agents it stands in for."""

    def __init__(self, gold: Iterable[dict[str, Any]], agents: Iterable[str]) -> None:
        """Takes the gold codes of one encounter, of whatever system.

        Args:
            gold: As the table holds them; codes of other systems than ICD-10-CM are no answer.
            agents: Whose questions it answers.
        """
        self._agents = frozenset(agents)
        self._truths = tuple(
            Truth(one["code"], tuple(_spans(mention) for mention in one["evidence"]))
            for one in gold
            if one["system"] == "icd10cm"
        )
        self._marked = any(truth.mentions for truth in self._truths)

    @property
    def marked(self) -> bool:
        """Whether anybody marked where gold stands."""
        return self._marked

    def answer(self, task: Task) -> Extracted | Chosen | None:
        """The answer; `None` where gold has none to give and another engine must be asked."""
        if task.agent not in self._agents:
            return None
        if isinstance(task, Extract):
            return self._extract(task) if self._marked else None
        return self._choose(task)

    def _extract(self, task: Extract) -> Extracted:
        """Every marked mention of the note, in reading order."""
        mentions = {
            mention
            for truth in self._truths
            for mention in truth.mentions
            if mention and all(span.note == task.note for span in mention)
        }
        return Extracted(tuple(_finding(task.notes, mention) for mention in sorted(mentions)))

    def _choose(self, task: Choose) -> Chosen:
        """The options that are gold or on the way to it.

        Of the evidence's own codes where the text is marked, else of all the encounter's. A
        header on the way down counts, and a code below a gold code of an older year. For an
        index entry the deepest such options are taken, so that a mere category does not win.
        """
        gold = self.codes(() if task.step == "set" else task.evidence)
        fits = [
            (len(option.code), number)
            for number, option in enumerate(task.options, 1)
            if any(_related(option.code, code) for code in gold)
        ]
        if task.step == "set":
            # The set is of whole codes: a relative of gold is not gold.
            exact = [n for _, n in fits if task.options[n - 1].code in gold]
            return Chosen(tuple(exact or (n for _, n in fits)))
        if not task.several and fits:
            return Chosen((max(fits, key=lambda fit: (fit[0], -fit[1]))[1],))
        return Chosen(tuple(number for _, number in fits))

    def codes(self, evidence: Sequence[Span]) -> list[str]:
        """The gold codes that some evidence speaks of; all of the encounter's without any.

        All of them, too, where nobody marked where gold stands.
        """
        if not evidence or not self._marked:
            return [truth.code for truth in self._truths]
        return [
            truth.code
            for truth in self._truths
            if any(_meet(span, own) for each in truth.mentions for span in each for own in evidence)
        ]


def _spans(mention: Sequence[dict[str, int]]) -> tuple[Span, ...]:
    return tuple(Span(p["note"], p["begin"], p["end"]) for p in mention)


def _finding(notes: tuple[Note, ...], mention: tuple[Span, ...]) -> Finding:
    places = tuple((span.begin, span.end) for span in mention)
    return Finding(quoted(notes, mention), places=places)


def _meet(one: Span, other: Span) -> bool:
    return one.note == other.note and one.begin < other.end and other.begin < one.end


def _related(option: str, gold: str) -> bool:
    """Whether an option is a gold code, above it, or below it (older years end higher)."""
    one, other = _bare(option), _bare(gold)
    return one.startswith(other) or other.startswith(one)


def _bare(code: str) -> str:
    return code.replace(".", "")
