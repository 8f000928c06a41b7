"""All edits, and what is done with what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from clhcode.edits import combination, conflicts, patient, sequencing, validity
from clhcode.edits.claim import Claim, Edit, Finding

EDITS: tuple[Edit, ...] = (
    *validity.EDITS,
    *conflicts.EDITS,
    *combination.EDITS,
    *sequencing.EDITS,
    *patient.EDITS,
)
BY_CODE = {edit.code: edit for edit in EDITS}


def check(claim: Claim) -> list[Finding]:
    """Everything the edits have to say of a claim, in the order of the registry."""
    return [finding for edit in EDITS for finding in edit.check(claim)]


@dataclass(frozen=True, slots=True)
class Settled:
    """A claim after its edits.

    Attributes:
        kept: Positions in the claim given, in their final sequence.
        dropped: (position, edit, position of the code it was dropped for).
    """

    kept: tuple[int, ...]
    dropped: tuple[tuple[int, str, int | None], ...]


def settle(claim: Claim, enforced: Callable[[Edit], bool]) -> Settled:
    """Applies the edits until none objects: drops, then moves.

    One code is dropped at a time, since it may be the cause of another objection. Of
    several objections the registry's first wins; under it the code the coder is least
    sure of goes first.
    """
    positions = list(range(len(claim.lines)))
    dropped: list[tuple[int, str, int | None]] = []
    active = [edit for edit in EDITS if enforced(edit)]

    def now() -> Claim:
        return replace(claim, lines=tuple(claim.lines[p] for p in positions))

    def objections(action: str) -> list[Finding]:
        current = now()
        for edit in active:
            if found := [f for f in edit.check(current) if f.action == action]:
                return found
        return []

    while found := objections("drop"):
        worst = min(found, key=lambda f: (claim.lines[positions[f.at]].weight, -f.at))
        other = positions[worst.other] if worst.other is not None else None
        dropped.append((positions.pop(worst.at), worst.edit, other))
    # Each move puts a code behind another; a ring of "code first" notes must still end.
    for _ in range(len(positions) ** 2):
        found = objections("move")
        if not found or found[0].other is None:
            break
        positions.insert(found[0].other, positions.pop(found[0].at))
    return Settled(tuple(positions), tuple(dropped))
