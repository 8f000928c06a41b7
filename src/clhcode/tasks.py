"""The two questions an agent can ask, and what may come back.

`Extract` asks for the conditions of a note, `Choose` for some of a numbered list.
Codes are only ever chosen from a list, so no engine can make one up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from clhcode.records import Assertion, Note, Setting, Span

Agent = Literal["analyse", "locate", "verify", "assign"]
AGENTS: tuple[Agent, ...] = ("analyse", "locate", "verify", "assign")


@dataclass(frozen=True, slots=True)
class Extract:
    """Find the conditions that `notes[note]` states."""

    agent: Agent
    notes: tuple[Note, ...]
    note: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition as an engine reports it.

    Attributes:
        quote: Words of the note, copied.
        places: Offsets of the quote's fragments, from engines that know them; others
            leave it empty and `analyse` looks the quote up.
    """

    quote: str
    assertion: Assertion = "present"
    lead_term: str | None = None
    modifiers: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What was said to and by a language model; quotes notes."""

    question: str
    answer: str
    thought: str | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """The answer to `Extract`, in reading order."""

    findings: tuple[Finding, ...]
    said: Said | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Option:
    """One numbered line of a `Choose`.

    Attributes:
        code: The code it stands for.
        text: What a reader sees: a path through the index, or a title.
        notes: Instructional notes of the Tabular List that bear on it.
        score: How well retrieval liked it, 0 to 1; 0 where nothing was retrieved.
        stands: Where the conditions behind it stand (step `set`): names of sections, and
            `problem` where an assessment or a list of diagnoses has it as a problem.
        asked_by: Codes whose notes ask for this one beside them (step `set`).
    """

    code: str
    text: str
    notes: tuple[str, ...] = ()
    score: float = 0.0
    stands: frozenset[str] = frozenset()
    asked_by: frozenset[str] = frozenset()


Step = Literal["entry", "subdivision", "seventh", "code", "set"]
"""What is chosen: an index entry, a child of a header code, a 7th character, the codes
of one condition, the codes of the encounter."""


@dataclass(frozen=True, slots=True)
class Choose:
    """Pick from `options` what the notes say of `phrase`.

    Attributes:
        phrase: The condition in words; empty for the whole encounter (step `set`).
        evidence: Where the condition stands in `notes`.
        several: Whether more than one option may be chosen. None always may.
        guidance: What the Official Guidelines say of it, in their words or in ours.
    """

    agent: Agent
    step: Step
    notes: tuple[Note, ...]
    phrase: str
    evidence: tuple[Span, ...]
    options: tuple[Option, ...]
    several: bool
    setting: Setting = "outpatient"
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The answer to `Choose`: 1-based numbers, best first.

    Attributes:
        confidence: The probability of each chosen number among all options.
        scores: Log-likelihood of every option in the options' order, by the model alone;
            only from engines that score.
    """

    numbers: tuple[int, ...]
    confidence: tuple[float, ...] | None = None
    scores: tuple[float, ...] | None = None
    said: Said | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that could not be had. It costs its question, never the row."""

    kind: str
    message: str
    raw: str | None = None


Task: TypeAlias = Extract | Choose
Answer: TypeAlias = Extracted | Chosen
