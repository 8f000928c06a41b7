"""Where codes are lost: how much of gold is still there after each agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clhcode.bench.cases import Case, Key
from clhcode.bench.mapping import reached, taken
from clhcode.bench.measure import Scale

STAGES = ("locate", "verify", "assign")


def stages(keys: Sequence[Key], cases: Sequence[Case], scale: Scale) -> dict[str, dict[str, float]]:
    """Recall and precision after each agent, over codes; of `analyse` over marked places.

    After locate a header above a gold code counts as the gold code, since verify goes down from
    it; codes are taken to the year and book of gold. `analyse` stands there only where gold marks
    evidence in the text that was coded: a place counts that shares a character.
    """
    known = frozenset(code for key in keys for code in key.codes)
    read = scale.maps.reader(scale.store, known)
    reach = reached(scale.store, read)
    found: dict[str, dict[str, float]] = {}
    places = _places(keys, cases)
    if places:
        found["analyse"] = places
    for stage in STAGES:
        hits = right = there = said = 0
        for key, case in zip(keys, cases, strict=True):
            gold = set(key.codes)
            after = list(_after(case, stage))
            codes = set(taken(after, gold, read))
            held = good = len(gold & codes)
            size = len(codes)
            if stage == "locate" and scale.nine:
                ways = [reach(code) for code in after]
                held = len(gold & frozenset().union(*ways))
                good, size = sum(not gold.isdisjoint(way) for way in ways), len(ways)
            elif stage == "locate":
                held = sum(any(code.startswith(c) for c in codes) for code in gold)
                good = sum(any(code.startswith(c) for code in gold) for c in codes)
            hits, right = hits + held, right + good
            there, said = there + len(gold), said + size
        found[stage] = {
            "recall": hits / there if there else 0.0,
            "precision": right / said if said else 0.0,
        }
    return found


def lost(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """The share of gold that is lost on the way to and at each agent."""
    before = 1.0
    shares = {}
    for stage, name in zip(STAGES, ("search", "verify", "assign"), strict=True):
        shares[name] = max(0.0, before - found[stage]["recall"])
        before = found[stage]["recall"]
    return shares


def _after(case: Case, stage: str) -> Iterable[str]:
    of: dict[str, Callable[[Case], Iterable[str]]] = {
        "locate": lambda c: c.located,
        "verify": lambda c: c.verified,
        "assign": lambda c: c.codes,
    }
    return of[stage](case)


def _places(keys: Sequence[Key], cases: Sequence[Case]) -> dict[str, Any]:
    """How many marked places a condition touches, and how many conditions touch one."""
    met = there = right = said = 0
    for key, case in zip(keys, cases, strict=True):
        gold: dict[str, set[tuple[int, int]]] = {}
        own: dict[str, set[tuple[int, int]]] = {}
        for _, fragments in key.spans:
            for span in fragments:
                gold.setdefault(key.notes[span.note], set()).add((span.begin, span.end))
        if not gold:
            continue
        for note, begin, end in case.found:
            own.setdefault(note, set()).add((begin, end))
        for note in gold.keys() | own.keys():
            marked, found = gold.get(note, set()), own.get(note, set())
            met += sum(any(_meet(g, f) for f in found) for g in marked)
            right += sum(any(_meet(g, f) for g in marked) for f in found)
            there, said = there + len(marked), said + len(found)
    if not there:
        return {}
    return {"recall": met / there, "precision": right / said if said else 0.0}


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
