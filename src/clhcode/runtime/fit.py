"""Questions whose notes do not fit a model's context: asked in windows, or of an excerpt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from clhcode.records import FRAGMENTS, Note
from clhcode.runtime.speak import (
    FEW_FINDINGS,
    FIXED_TOKENS,
    LETTERS_A_FINDING,
    TOKENS_A_FINDING,
    most_tokens,
    prompt,
)
from clhcode.tasks import Choose, Extract, Extracted, Finding, Task
from clhcode.text.spans import locate_quote
from clhcode.text.windows import around, windows

MARGIN = 64
"""Tokens for a chat template and for what counting in pieces misses."""
SEAM = 200
"""Characters that two windows share."""
_LEAST = 100
"""Characters of a note below which showing it makes no sense."""
_SPARE = 1.1
"""A piece of a text may have more tokens a character than the whole."""

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Fit:
    """How a question is asked so that it fits.

    Attributes:
        tasks: The question itself, or the same of one window of the note each.
        begins: Where each window begins in the note.
        excerpt: Whether the notes are shown in part.
    """

    tasks: tuple[Task, ...]
    begins: tuple[int, ...] = (0,)
    excerpt: bool = False


def fit(task: Task, template: str, context: int | None, count: Count, more: int = 0) -> Fit | None:
    """How a question fits; None where not even a piece of a note does.

    Args:
        task: The question.
        template: Its prompt's template.
        context: Tokens of prompt and answer together; None where nobody knows.
        count: Tokens of a text.
        more: Tokens of free thought that must fit, too.
    """
    if context is None:
        return Fit((task,))
    asked = prompt(task, template)
    room = context - most_tokens(task) - more - MARGIN
    # A token is at least a byte, so most questions need not be counted.
    if len(asked.user.encode()) + len(asked.system.encode()) <= room:
        return Fit((task,))
    if count(asked.user) + count(asked.system) <= room:
        return Fit((task,))
    if isinstance(task, Extract):
        return _windows(task, template, context - more - MARGIN, count)
    return _excerpt(task, template, room, count)


def _windows(task: Extract, template: str, room: int, count: Count) -> Fit | None:
    note = task.notes[task.note]
    bare = prompt(_of(task, note, "."), template)
    # The answer grows with its window: some tokens a character, and those of the first few.
    answer = FIXED_TOKENS + TOKENS_A_FINDING * FEW_FINDINGS
    free = room - count(bare.user) - count(bare.system) - answer
    rate = _SPARE * count(note.text) / max(len(note.text), 1)
    most = int(free / (rate + TOKENS_A_FINDING / LETTERS_A_FINDING))
    if most < _LEAST:
        return None
    pieces = windows(note.text, most, min(SEAM, most // 4))
    tasks = tuple(_of(task, note, note.text[begin:end]) for begin, end in pieces)
    return Fit(tasks, tuple(begin for begin, _ in pieces), excerpt=len(pieces) == 1)


def _of(task: Extract, note: Note, text: str) -> Extract:
    return replace(task, notes=(replace(note, text=text),), note=0)


def _excerpt(task: Choose, template: str, room: int, count: Count) -> Fit | None:
    alone = replace(task, notes=())
    bare = prompt(alone, template)
    free = room - count(bare.user) - count(bare.system)
    if free < 0:
        return None
    near = sorted({span.note for span in task.evidence})
    text = "".join(task.notes[n].text for n in near)
    rate = _SPARE * count(text) / len(text) if text else 1.0
    most = int(free / rate) // max(len(near), 1) - MARGIN
    if not text or most < _LEAST:
        return Fit((alone,), excerpt=True)
    shown = []
    for n in near:
        places = [(span.begin, span.end) for span in task.evidence if span.note == n]
        shown.append(replace(task.notes[n], text=around(task.notes[n].text, places, most)))
    return Fit((replace(task, notes=tuple(shown)),), excerpt=True)


def joined(task: Extract, parts: Sequence[tuple[int, Extract, Extracted]]) -> Extracted:
    """The findings of several windows as one list in reading order, each place once.

    Args:
        task: What was asked.
        parts: Where each window begins, what was asked of it, and what it was found to state.
    """
    note = task.notes[task.note].text
    placed: dict[tuple[tuple[int, int], ...], Finding] = {}
    lost: list[Finding] = []
    for begin, window, extracted in parts:
        after = 0
        for finding in extracted.findings:
            places = locate_quote(window.notes[0].text, finding.quote, after)
            if not places:
                lost.append(finding)
                continue
            after = places[0][0] + 1
            own = tuple((begin + left, begin + right) for left, right in places)
            quote = FRAGMENTS.join(note[left:right] for left, right in own)
            placed.setdefault(own, replace(finding, quote=quote, places=own))
    return Extracted((*(placed[own] for own in sorted(placed)), *lost))
