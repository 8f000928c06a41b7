"""What a person sees of one coded encounter on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from clhcode.agents.locate import PASSED_OVER
from clhcode.agents.verify import REJECTED
from clhcode.cli.console import ACCENT, DIM
from clhcode.edits.registry import BY_CODE
from clhcode.records import Code, Condition, Encounter, Span
from clhcode.text.spans import line_of, window

if TYPE_CHECKING:
    from clhcode.agents.tools import Tools
    from clhcode.tasks import Agent

_AROUND = 36
RESEARCH = "Research use only."


@dataclass(frozen=True, slots=True)
class Header:
    """The line over an encounter: what it is and what the result stood on."""

    name: str
    setting: str
    stood_on: str
    engine: str
    seconds: float


def encounter_view(
    encounter: Encounter, tools: Tools, header: Header, stage: Agent, explain: bool
) -> Iterator[Text]:
    """The lines of an encounter after `stage`: its codes, or else its conditions."""
    parts = (header.name, header.setting, header.stood_on, header.engine)
    yield Text(" · ".join((*parts, f"{header.seconds:.2f} s")), style=DIM)
    yield Text("")
    if stage == "assign":
        yield from _codes(encounter, tools, explain)
    else:
        yield from _conditions(encounter, explain)
    for error in encounter.errors:
        yield Text(f" error    {error.stage}: {error.kind}: {error.message}", style="red")
    yield Text("")


def _codes(encounter: Encounter, tools: Tools, explain: bool) -> Iterator[Text]:
    codes = encounter.codes or ()
    if not codes:
        yield Text(" no condition of this encounter leads to a code", style=DIM)
    for code in codes:
        node = tools.store.node(code.code)
        line = Text(f"{code.sequence:>2}  ")
        line.append(f"{code.code:<9}", style=f"bold {ACCENT}")
        line.append(node.title if node else "")
        yield line
        yield from _evidence(encounter, code, every=explain)
        if explain:
            yield from _reasons(encounter, code, tools)
    if left := _left_out(encounter):
        yield Text("")
        shown = left if explain else left[:6]
        more = f" · and {len(left) - len(shown)} more (--explain)" if len(left) > 6 else ""
        if explain:
            yield Text(" not coded", style=DIM)
            for item in left:
                yield Text(f"    {item}", style=DIM)
        else:
            yield Text(f" not coded   {' · '.join(shown)}{more}", style=DIM)
    hint = "" if explain else " `--explain` shows each decision."
    yield Text(f" {RESEARCH}{hint}", style=DIM)


def _evidence(encounter: Encounter, code: Code, *, every: bool) -> Iterator[Text]:
    conditions = [(encounter.conditions or ())[i] for i in code.conditions]
    spans = list(dict.fromkeys(span for c in conditions for span in c.evidence))
    for span in spans if every else spans[:2]:
        yield _context(encounter, span)
    if not every and len(spans) > 2:
        yield Text(f"{'':13}and {len(spans) - 2} more places", style=DIM)


def _context(encounter: Encounter, span: Span) -> Text:
    note = encounter.notes[span.note]
    begin, end = window(note.text, span.begin, span.end, _AROUND)
    line = Text(f"{'':13}", style=DIM)
    line.append("…" if begin else "")
    line.append(_flat(note.text[begin : span.begin]))
    line.append(_flat(note.text[span.begin : span.end]), style=f"not dim bold {ACCENT}")
    line.append(_flat(note.text[span.end : end]))
    line.append("…" if end < len(note.text) else "")
    where = f"l. {line_of(note.text, span.begin)}"
    line.append(f"   {where}" if len(encounter.notes) == 1 else f"   {note.note_id}, {where}")
    return line


def _flat(text: str) -> str:
    return text.replace("\n", " ").replace("\r", "").replace("\t", " ")


def _reasons(encounter: Encounter, code: Code, tools: Tools) -> Iterator[Text]:
    for number in code.conditions[:1]:
        condition = (encounter.conditions or ())[number]
        for candidate in condition.candidates or ():
            if candidate.code != code.code:
                continue
            label = "index" if candidate.source == "index" else "tabular"
            yield _fact(label, " > ".join(candidate.path))
            for step in candidate.applied:
                yield _fact("specified", step)
            if candidate.reason:
                yield _fact("verified", candidate.reason)
        passed = [c.code for c in condition.candidates or () if c.verdict == PASSED_OVER]
        if passed:
            yield _fact("passed over", ", ".join(passed[:6]))
    node = tools.store.node(code.code)
    notes = tools.store.instructions(node) if node else ()
    own = [n for n in notes if n.kind in ("code first", "use additional", "code also")]
    for note in own[:3]:
        yield _fact("note", f"{note.kind} {note.text}")
    for dropped in encounter.dropped or ():
        if dropped.because_of == code.code and dropped.edit in BY_CODE:
            edit = BY_CODE[dropped.edit]
            text = f"{edit.code} {edit.name}: {dropped.code} gave way   {edit.guideline}"
            yield _fact("edit", text)


def _fact(label: str, text: str) -> Text:
    line = Text(f"    {label:<11}", style=DIM)
    return line.append(text, style="not dim")


def _left_out(encounter: Encounter) -> list[str]:
    left: list[str] = []
    for condition in encounter.conditions or ():
        if condition.candidates is None:
            left.append(
                f"{_flat(condition.quote)} ({condition.assertion}{_at(encounter, condition)})"
            )
        elif not condition.candidates:
            left.append(f"{_flat(condition.quote)} (nothing found{_at(encounter, condition)})")
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
        line.append(_flat(condition.quote), style=f"bold {ACCENT}")
        words = (condition.assertion, condition.section or "", *condition.modifiers)
        line.append(f"   {' · '.join(w for w in words if w)}", style=DIM)
        yield line
        for candidate in (condition.candidates or ())[: None if explain else 3]:
            text = f"{candidate.code:<9}{' > '.join(candidate.path)}"
            verdict = candidate.verdict or "chosen"
            yield Text(f"       {text}   {verdict}", style=DIM)
