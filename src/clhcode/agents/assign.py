"""Assign: one sequenced set of codes for the encounter, edits enforced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clhcode.agents.tools import Tools, failure
from clhcode.agents.verify import ACCEPTED
from clhcode.edits.claim import Edit, claim_of
from clhcode.edits.combination import combinations
from clhcode.edits.registry import settle
from clhcode.icd.store import Node, Store
from clhcode.records import Candidate, Code, Dropped, Encounter
from clhcode.talk import Talk
from clhcode.tasks import Choose, Chosen, Fault, Option
from clhcode.text.problems import listed

_PARTNERS = ("use additional", "code also", "code first")

NOT_CHOSEN = "not-chosen"
"""In `dropped`: the engine left the code out of the set."""

# Where a statement stands tells how close it is to the reason for the encounter.
_PRIORITY = {
    "diagnoses": 0,
    "assessment_plan": 1,
    "hospital_course": 2,
    "chief_complaint": 3,
    "hpi": 4,
    "results": 6,
    "exam": 7,
    "past_history": 8,
    "surgical_history": 8,
    "social_history": 8,
    "review_of_systems": 9,
}


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A code with the conditions that carry it and the best candidate behind it."""

    conditions: tuple[int, ...]
    candidate: Candidate


def assign(encounter: Encounter, tools: Tools) -> Talk[Encounter]:
    """Merges, asks for the set, settles it by the edits, and sequences it."""
    merging = "merging" not in tools.policy.without
    claimed = _merge(encounter) if merging else _each(encounter)
    errors = encounter.errors
    dropped: list[Dropped] = []
    if claimed and merging and tools.policy.enforce:
        (reply,) = yield [_question(encounter, claimed, tools)]
        if isinstance(reply, Fault):
            errors = (*errors, failure("assign", reply))
        elif isinstance(reply, Chosen):
            left = [c for n, c in enumerate(claimed, 1) if n not in reply.numbers]
            dropped = [Dropped(c.candidate.code, c.conditions, NOT_CHOSEN) for c in left]
            claimed = [c for n, c in enumerate(claimed, 1) if n in reply.numbers]
    if claimed and merging and tools.policy.enforce:
        claimed, superseded = _combine(claimed, tools.store)
        made = {one.candidate.code for one in claimed}
        # A code that was not chosen may yet be what others combine to.
        dropped = [out for out in dropped if out.code not in made] + superseded
    weights = [(c.candidate.code, _weight(c.candidate)) for c in claimed]
    claim = claim_of(weights, tools.store, encounter.sex, encounter.age)
    settled = settle(claim, lambda edit: _enforced(edit, tools))
    for at, edit, other in settled.dropped:
        because = claimed[other].candidate.code if other is not None else None
        dropped.append(Dropped(claimed[at].candidate.code, claimed[at].conditions, edit, because))
    codes = [_code(claimed[at], sequence) for sequence, at in enumerate(settled.kept, 1)]
    return replace(encounter, codes=tuple(codes), dropped=tuple(dropped), errors=errors)


def _accepted(encounter: Encounter) -> Iterator[_Claimed]:
    """Every accepted candidate with its condition, the reason for the encounter first."""
    conditions = list(enumerate(encounter.conditions or ()))
    conditions.sort(key=lambda item: (_PRIORITY.get(item[1].section or "", 5), item[0]))
    for number, condition in conditions:
        for candidate in condition.candidates or ():
            if candidate.verdict == ACCEPTED:
                yield _Claimed((number,), candidate)


def _each(encounter: Encounter) -> list[_Claimed]:
    return list(_accepted(encounter))


def _merge(encounter: Encounter) -> list[_Claimed]:
    """One line a code: conditions that carry the same code are one diagnosis."""
    merged: dict[str, _Claimed] = {}
    for one in _accepted(encounter):
        known = merged.get(one.candidate.code)
        if known is None:
            merged[one.candidate.code] = one
            continue
        conditions = dict.fromkeys((*known.conditions, *one.conditions))
        best = max(known.candidate, one.candidate, key=_weight)
        merged[one.candidate.code] = _Claimed(tuple(conditions), best)
    return list(merged.values())


def _combine(claimed: list[_Claimed], store: Store) -> tuple[list[_Claimed], list[Dropped]]:
    """Puts combination codes where the codes they replace stood."""
    made: dict[int, list[_Claimed]] = {}
    because: dict[int, str] = {}
    for one in combinations([c.candidate.code for c in claimed]):
        if store.node(one.code) is None:
            continue
        parts = [claimed[i] for i in one.of]
        conditions = dict.fromkeys(number for part in parts for number in part.conditions)
        reason = f"with {parts[-1].candidate.code}: {one.code} (guideline {one.guideline})"
        first = parts[0].candidate
        candidate = replace(first, code=one.code, applied=(*first.applied, reason))
        at = one.replaces[0] if one.replaces else one.of[0]
        made.setdefault(at, []).append(_Claimed(tuple(conditions), candidate))
        because |= dict.fromkeys(one.replaces, one.code)
    combined: dict[str, _Claimed] = {}
    dropped: list[Dropped] = []
    for at, part in enumerate(claimed):
        for new in made.get(at, ()):
            combined[new.candidate.code] = new
        code = part.candidate.code
        if at not in because:
            combined.setdefault(code, part)
        elif code != because[at]:
            dropped.append(Dropped(code, part.conditions, "CB101", because[at]))
    return list(combined.values()), dropped


def _question(encounter: Encounter, claimed: list[_Claimed], tools: Tools) -> Choose:
    nodes = [tools.store.node(one.candidate.code) for one in claimed]
    options = []
    for one, node in zip(claimed, nodes, strict=True):
        asked_by = {
            other.code
            for other in nodes
            if other and node and other is not node and _asks_for(other, node, tools.store)
        }
        options.append(
            Option(
                one.candidate.code,
                node.title if node else "",
                score=one.candidate.score,
                stands=frozenset(_stands(encounter, one)),
                asked_by=frozenset(asked_by),
            )
        )
    setting = tools.setting_of(encounter)
    return Choose(
        agent="assign",
        step="set",
        notes=encounter.notes,
        phrase="",
        evidence=(),
        options=tuple(options),
        several=True,
        setting=setting,
        guidance=tools.guidelines.of_setting(setting) if tools.guidelines else "",
    )


def _asks_for(code: Node, other: Node, store: Store) -> bool:
    """Whether a note of one code ("use additional code ...") names the other."""
    return any(n.kind in _PARTNERS and n.names(other) for n in store.instructions(code))


def _stands(encounter: Encounter, claimed: _Claimed) -> Iterator[str]:
    for number in claimed.conditions:
        condition = (encounter.conditions or ())[number]
        if condition.section:
            yield condition.section
        first = condition.evidence[0] if condition.evidence else None
        assessed = condition.section in ("diagnoses", "assessment_plan")
        if assessed and first and listed(encounter.notes[first.note].text, first.begin):
            yield "problem"


def _enforced(edit: Edit, tools: Tools) -> bool:
    """Validity always; the rest under a policy that enforces, unless merging is taken away."""
    enforcing = tools.policy.enforce and "merging" not in tools.policy.without
    return edit.always or enforcing


def _weight(candidate: Candidate) -> float:
    return candidate.score if candidate.confidence is None else candidate.confidence


def _code(claimed: _Claimed, sequence: int) -> Code:
    candidate = claimed.candidate
    steps = " > ".join(candidate.path)
    rationale = "; ".join((f"{candidate.source}: {steps}", *candidate.applied))
    return Code(candidate.code, sequence, claimed.conditions, rationale, candidate.confidence)
