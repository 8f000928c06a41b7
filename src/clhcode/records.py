"""The vocabulary of the one table: an encounter, its notes, conditions and codes.

Field names and meanings are those of the Arrow schema in `clhcode.table.schema`.
`None` in a stage's field means the stage has not run (or failed); an empty tuple
means it ran and found nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Assertion = Literal["present", "negated", "possible", "historical", "family", "hypothetical"]
ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)

Setting = Literal["inpatient", "outpatient"]
Sex = Literal["female", "male"]

FRAGMENTS = " ... "
"""What joins the fragments of a discontinuous quote."""


@dataclass(frozen=True, slots=True)
class Note:
    """One clinical document of an encounter."""

    note_id: str
    text: str
    category: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of `notes[note].text[begin:end]`, in Unicode code points, half-open."""

    note: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that may describe a condition, with the way it was found.

    Attributes:
        path: The walk through the classification, lead term first.
        source: `index`, `tabular`, `inclusion` or `manifestation`.
        score: Agreement of phrase and path, 0 to 1.
        confidence: The judge's probability of this choice, where it gave one.
        verdict: `accepted` or `rejected` once `verify` has read the Tabular List.
        reason: One sentence for the verdict.
        applied: What `verify` did to reach the code, in order.
    """

    code: str
    path: tuple[str, ...]
    source: str
    score: float
    confidence: float | None = None
    verdict: str | None = None
    reason: str | None = None
    applied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A codeable statement of the notes, with where it stands.

    Attributes:
        quote: The words of the note; fragments are joined by `FRAGMENTS`.
        evidence: One span a fragment.
        section: The heading it stands under, as a canonical name.
        lead_term: The main term to look up in the Alphabetic Index.
        modifiers: Words of the clause that make it more specific.
        assertion: What the note says of it; a label, never a filter.
        candidates: `None` until `locate` ran, or where the policy does not code it.
    """

    quote: str
    evidence: tuple[Span, ...]
    assertion: Assertion = "present"
    section: str | None = None
    lead_term: str | None = None
    modifiers: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the final set. `conditions` holds indexes into the encounter's conditions."""

    code: str
    sequence: int
    conditions: tuple[int, ...]
    rationale: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A code that was considered and left out, with the edit that did it."""

    code: str
    conditions: tuple[int, ...]
    edit: str
    because_of: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong for one row. `message` never holds note text; `raw` may."""

    stage: str
    kind: str
    message: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A question an agent asked and what came back."""

    agent: str
    question: str
    answer: str
    thought: str | None = None


@dataclass(frozen=True, slots=True)
class Encounter:
    """A row: everything of the table but `gold`, which no agent ever sees."""

    encounter_id: str
    notes: tuple[Note, ...]
    dataset: str | None = None
    split: str | None = None
    subject_id: str | None = None
    sex: Sex | None = None
    age: int | None = None
    setting: Setting | None = None
    conditions: tuple[Condition, ...] | None = None
    codes: tuple[Code, ...] | None = None
    dropped: tuple[Dropped, ...] | None = None
    errors: tuple[Failure, ...] = ()
    transcript: tuple[Turn, ...] | None = None
    flags: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


def quoted(notes: tuple[Note, ...], evidence: tuple[Span, ...]) -> str:
    """The words that `evidence` points at, fragments joined by `FRAGMENTS`."""
    return FRAGMENTS.join(notes[s.note].text[s.begin : s.end] for s in evidence)
