"""What edits look at, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from clhcode.icd.store import Node, Store
from clhcode.records import Sex

Action = Literal["drop", "move", "report"]


@dataclass(frozen=True, slots=True)
class Line:
    """One code of a claim as it was given.

    Attributes:
        node: Its place in the Tabular List; `None` where there is no such code.
        weight: How sure the coder is of it; decides which of two codes stays.
    """

    code: str
    node: Node | None
    weight: float = 1.0


@dataclass(frozen=True)
class Claim:
    """The codes of one encounter in their sequence, and what is known of the patient."""

    lines: tuple[Line, ...]
    store: Store = field(compare=False)
    sex: Sex | None = None
    age: int | None = None

    @cached_property
    def known(self) -> tuple[tuple[int, Line, Node], ...]:
        """Position, line and node of each code that exists."""
        return tuple((i, line, line.node) for i, line in enumerate(self.lines) if line.node)


@dataclass(frozen=True, slots=True)
class Finding:
    """One objection of an edit.

    Attributes:
        at: Position of the code in the claim.
        action: `drop` the code, `move` it behind `other`, or only `report`.
        other: Position of the code it is about as well.
        message: What is wrong, for people.
    """

    edit: str
    at: int
    action: Action
    message: str
    other: int | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A rule.

    Attributes:
        code: `EX101`: two letters for the family, a number within it.
        guideline: Section of the ICD-10-CM Official Guidelines it stands on.
        explanation: What it means, its exceptions, and what to do.
        fires: Codes of an example that it objects to; `passes`: one that it leaves alone.
        patient: Sex and age of the example, where it needs them.
        always: Enforced under every policy: without it the set would not be valid.
    """

    code: str
    name: str
    guideline: str
    explanation: str
    check: Callable[[Claim], Iterator[Finding]]
    fires: tuple[str, ...]
    passes: tuple[str, ...]
    patient: tuple[Sex | None, int | None] = (None, None)
    always: bool = False


def claim_of(
    codes: list[tuple[str, float]],
    store: Store,
    sex: Sex | None = None,
    age: int | None = None,
) -> Claim:
    """A claim from codes in their printed form with their weights."""
    lines = tuple(Line(code, store.node(code), weight) for code, weight in codes)
    return Claim(lines, store, sex, age)
