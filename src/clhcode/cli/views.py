"""What a person sees of one coded encounter on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from clhcode.agents.locate import PASSED_OVER
from clhcode.agents.verify import REJECTED
from clhcode.cli.console import ACCENT, DIM, visible
from clhcode.edits.registry import BY_CODE
from clhcode.records import Code, Condition, Encounter, Span
from clhcode.text.spans import line_of, window

if TYPE_CHECKING:
    from clhcode.agents.tools import Tools
    from clhcode.tasks import Agent

_INDENT = 13
_MOST_AROUND = 60
RESEARCH = "Research use only."


@dataclass(frozen=True, slots=True)
class Header:
    """The line over an encounter: what it is and what the result stood on.

    Attributes:
        width: Columns of the terminal; context is cut so that its place in the note is seen.
    """

    name: str
    setting: str
    stood_on: str
    engine: str
    seconds: float
    width: int


def encounter_view(
    encounter: Encounter, tools: Tools, header: Header, stage: Agent, explain: bool
) -> Iterator[Text]:
    """The lines of an encounter after `stage`: its codes, or else its conditions."""
    parts = (visible(header.name), header.setting, header.stood_on, header.engine)
    yield Text(" · ".join((*parts, f"{header.seconds:.2f} s")), style=DIM)
    yield Text("")
    if stage == "assign":
        yield from _codes(encounter, tools, explain, header.width)
    else:
        yield from _conditions(encounter, explain)
    for error in encounter.errors:
        yield Text(f" error    {error.stage}: {error.kind}: {error.message}", style="red")
    yield Text("")


def _codes(encounter: Encounter, tools: Tools, explain: bool, width: int) -> Iterator[Text]:
    codes = encounter.codes or ()
    if not codes:
        yield Text(" no condition of this encounter leads to a code", style=DIM)
    for code in codes:
        node = tools.store.node(code.code)
        line = Text(f"{code.sequence:>3} ")
        line.append(f"{code.code:<9}", style=f"bold {ACCENT}")
        line.append(node.title if node else "")
        yield line
        yield from _evidence(encounter, code, width, every=explain)
        if explain:
            yield from _reasons(encounter, code, tools)
    if left := _left_out(encounter):
        yield Text("")
        yield from _not_coded(left, width, every=explain)
    hint = "" if explain else " `--explain` shows each decision."
    yield Text(f" {RESEARCH}{hint}", style=DIM)


def _not_coded(left: list[str], width: int, *, every: bool) -> Iterator[Text]:
    if every:
        yield Text(" not coded", style=DIM)
        for item in left:
            yield Text(f"    {item}", style=DIM)
        return
    more = f" · and {len(left) - 6} more" if len(left) > 6 else ""
    words = " · ".join(left[:6]) + more
    label = " not coded"
    # The last column of some terminals wraps on its own.
    for line in wrap(words, max(20, width - _INDENT - 1), break_long_words=False):
        yield Text(f"{label:<{_INDENT}}{line}", style=DIM)
        label = ""


def _evidence(encounter: Encounter, code: Code, width: int, *, every: bool) -> Iterator[Text]:
    conditions = [(encounter.conditions or ())[i] for i in code.conditions]
    spans = list(dict.fromkeys(span for c in conditions for span in c.evidence))
    for span in spans if every else spans[:2]:
        yield _context(encounter, span, width)
    more = len(spans) - 2
    if not every and more > 0:
        yield Text(f"{'':13}and {more} more place{'s' * (more > 1)}", style=DIM)


def _context(encounter: Encounter, span: Span, width: int) -> Text:
    """The span among the words of its line, and where that stands."""
    note = encounter.notes[span.note]
    where = f"l. {line_of(note.text, span.begin)}"
    where = where if len(encounter.notes) == 1 else f"{visible(note.note_id)}, {where}"
    room = width - _INDENT - len(where) - 5
    quote = visible(note.text[span.begin : span.end])
    quote = quote if len(quote) <= room else f"{quote[: max(1, room - 1)]}…"
    around = max(0, min(_MOST_AROUND, (room - len(quote)) // 2))
    begin, end = window(note.text, span.begin, span.end, around)
    # Another line is another thought: a heading, the next problem of a list.
    before = re.split(r"[\r\n]", note.text[begin : span.begin])
    after = re.split(r"[\r\n]", note.text[span.end : end])
    line = Text(f"{'':{_INDENT}}", style=DIM)
    line.append("…" if begin and len(before) == 1 else "")
    line.append(visible(before[-1]).lstrip())
    line.append(quote, style=f"not dim bold {ACCENT}")
    line.append(visible(after[0]).rstrip())
    line.append("…" if end < len(note.text) and len(after) == 1 else "")
    return line.append(f"   {where}")


def _reasons(encounter: Encounter, code: Code, tools: Tools) -> Iterator[Text]:
    for number in code.conditions[:1]:
        condition = (encounter.conditions or ())[number]
        for candidate in condition.candidates or ():
            if candidate.code != code.code:
                continue
            yield _fact(candidate.source, " > ".join(candidate.path))
            for step in candidate.applied:
                yield _fact("specified", step)
        passed = [c.code for c in condition.candidates or () if c.verdict == PASSED_OVER]
        if passed:
            yield _fact("passed over", ", ".join(passed[:6]))
    node = tools.store.node(code.code)
    if node:
        category = tools.store.category(node)
        yield _fact("below", f"{category.code} {category.title}")
    notes = tools.store.instructions(node) if node else ()
    sends = ("code first", "use additional", "code also")
    own = [n for n in notes if n.kind in sends and not n.text.endswith(":")]
    for note in own[:3]:
        yield _fact("note", f"{note.kind} {note.text}")
    for dropped in encounter.dropped or ():
        if dropped.because_of == code.code and dropped.edit in BY_CODE:
            edit = BY_CODE[dropped.edit]
            text = f"{edit.code} {edit.name}: {dropped.code} gave way   {edit.guideline}"
            yield _fact("edit", text)


def _fact(label: str, text: str) -> Text:
    line = Text(f"    {label:<13}", style=DIM)
    return line.append(text, style="not dim")


def _left_out(encounter: Encounter) -> list[str]:
    left: list[str] = []
    for condition in encounter.conditions or ():
        if condition.candidates is None:
            left.append(
                f"{visible(condition.quote)} ({condition.assertion}{_at(encounter, condition)})"
            )
        elif not condition.candidates:
            left.append(f"{visible(condition.quote)} (nothing found{_at(encounter, condition)})")
        else:
            rejected = [c for c in condition.candidates if c.verdict == REJECTED]
            left += [f"{c.code} ({c.reason})" for c in rejected]
    for dropped in encounter.dropped or ():
        because = f" for {dropped.because_of}" if dropped.because_of else ""
        left.append(f"{dropped.code} ({dropped.edit}{because})")
    return list(dict.fromkeys(left))


def _at(encounter: Encounter, condition: Condition) -> str:
    if not condition.evidence:
        return ""
    first = condition.evidence[0]
    return f", l. {line_of(encounter.notes[first.note].text, first.begin)}"


def _conditions(encounter: Encounter, explain: bool) -> Iterator[Text]:
    for number, condition in enumerate(encounter.conditions or (), 1):
        line = Text(f"{number:>3}  ")
        line.append(visible(condition.quote), style=f"bold {ACCENT}")
        words = (condition.assertion, condition.section or "", *condition.modifiers)
        line.append(f"   {' · '.join(w for w in words if w)}", style=DIM)
        yield line
        for candidate in (condition.candidates or ())[: None if explain else 3]:
            text = f"{candidate.code:<9}{' > '.join(candidate.path)}"
            verdict = candidate.verdict or "chosen"
            yield Text(f"       {text}   {verdict}", style=DIM)
