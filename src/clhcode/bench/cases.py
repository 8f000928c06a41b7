"""What of a coded encounter is scored: ids, codes and places, no text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from clhcode.agents.verify import ACCEPTED
from clhcode.bench.evidence import Evidence
from clhcode.bench.protocol import gold_codes, gold_spans
from clhcode.records import Encounter, Span
from clhcode.table.convert import Row

Place = tuple[str, int, int]
"""A note's id, begin and end."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scored unit.

    Attributes:
        codes: The assigned codes, best first: by confidence, then in their sequence.
        located: Codes that search offered and locate chose, or passed over.
        verified: Codes that stood after the Tabular List was read.
        evidence: (code, note, begin, end) behind the assigned codes.
        found: Places of all conditions.
        failed: Whether a stage had an error.
    """

    id: str
    codes: tuple[str, ...]
    located: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str, int, int], ...] = ()
    found: tuple[Place, ...] = ()
    failed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "id": self.id,
            "codes": list(self.codes),
            "located": list(self.located),
            "verified": list(self.verified),
            "evidence": [list(e) for e in self.evidence],
            "found": [list(p) for p in self.found],
            "failed": self.failed,
        }

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> Case:
        """From plain JSON."""
        return cls(
            values["id"],
            tuple(values["codes"]),
            tuple(values["located"]),
            tuple(values["verified"]),
            tuple((c, n, b, e) for c, n, b, e in values["evidence"]),
            tuple((n, b, e) for n, b, e in values["found"]),
            values["failed"],
        )


def case_of(encounter: Encounter) -> Case:
    """What is kept of a coded encounter."""
    conditions = encounter.conditions or ()
    candidates = [c for condition in conditions for c in condition.candidates or ()]
    ranked = sorted(encounter.codes or (), key=lambda c: (-(c.confidence or 0.0), c.sequence))
    evidence = {
        (code.code, *_place(encounter, span))
        for code in ranked
        for number in code.conditions
        for span in conditions[number].evidence
    }
    return Case(
        encounter.encounter_id,
        tuple(code.code for code in ranked),
        tuple(dict.fromkeys(c.code for c in candidates)),
        tuple(dict.fromkeys(c.code for c in candidates if c.verdict == ACCEPTED)),
        tuple(sorted(evidence)),
        tuple(sorted({_place(encounter, s) for c in conditions for s in c.evidence})),
        bool(encounter.errors),
    )


def _place(encounter: Encounter, span: Span) -> Place:
    return (encounter.notes[span.note].note_id, span.begin, span.end)


@dataclass(frozen=True, slots=True)
class Key:
    """What is true of one unit.

    Attributes:
        spans: (code, fragments) of each mention; empty where none were marked.
    """

    id: str
    codes: tuple[str, ...]
    spans: tuple[tuple[str, tuple[Span, ...]], ...]
    notes: tuple[str, ...]


def key_of(row: Row) -> Key:
    """The gold of a row."""
    notes = tuple(note.note_id for note in row.encounter.notes)
    return Key(row.encounter.encounter_id, gold_codes(row), tuple(gold_spans(row)), notes)


def gold_evidence(keys: Iterable[Key]) -> list[Evidence]:
    """The marked fragments as evidence; notes are named within their encounter."""
    return [
        Evidence(key.id, f"{key.id}/{key.notes[s.note]}", s.begin, s.end, code)
        for key in keys
        for code, fragments in key.spans
        for s in fragments
    ]


def said_evidence(cases: Iterable[Case]) -> list[Evidence]:
    """What stands behind the assigned codes, as evidence."""
    return [
        Evidence(case.id, f"{case.id}/{note}", begin, end, code)
        for case in cases
        for code, note, begin, end in case.evidence
    ]
