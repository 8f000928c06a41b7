"""Locate: look each condition up, and choose among what the classification offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from clhcode.agents.tools import Tools, failure
from clhcode.records import Candidate, Condition, Encounter, Failure
from clhcode.search.find import Match
from clhcode.search.history import past
from clhcode.search.retrieve import Query
from clhcode.talk import Talk, together
from clhcode.tasks import Choose, Chosen, Fault, Option
from clhcode.text.tokens import sentence_at

_OF_THE_STAY = ("diagnoses", "assessment_plan", "hospital_course")
"""What stands here as resolved was treated in the stay, and is reported (section III)."""

Found: TypeAlias = Mapping[Query, tuple[Match, ...]]

PASSED_OVER = "passed over"
"""The verdict of a candidate that was offered and not chosen."""


def locate(encounter: Encounter, tools: Tools) -> Talk[Encounter]:
    """Finds candidates for every condition that the policy codes.

    The others keep `candidates=None`: they were not looked up.
    """
    conditions = encounter.conditions or ()
    found = _found(encounter, [c for c in conditions if _coded(c, encounter, tools)], tools)
    results = yield from together(
        _navigate(encounter, condition, found, tools) for condition in conditions
    )
    return replace(
        encounter,
        conditions=tuple(condition for condition, _ in results),
        errors=(*encounter.errors, *(error for _, errors in results for error in errors)),
    )


def _coded(condition: Condition, encounter: Encounter, tools: Tools) -> bool:
    return tools.policy.codes(condition.assertion, tools.setting_of(encounter))


def _navigate(
    encounter: Encounter, condition: Condition, found: Found, tools: Tools
) -> Talk[tuple[Condition, tuple[Failure, ...]]]:
    if not _coded(condition, encounter, tools):
        given = condition.candidates is None
        return condition if given else replace(condition, candidates=None), ()
    matches = _matches(encounter, condition, found, tools)
    treated = condition.section in _OF_THE_STAY and tools.setting_of(encounter) == "inpatient"
    if condition.assertion == "historical" and tools.policy.enforce and not treated:
        matches = _past(matches, tools)
    if not matches:
        return replace(condition, candidates=()), ()
    (reply,) = yield [
        Choose(
            agent="locate",
            step="entry",
            notes=encounter.notes,
            phrase=phrase_of(condition),
            evidence=condition.evidence,
            options=tuple(_option(match) for match in matches),
            several=True,
            setting=tools.setting_of(encounter),
        )
    ]
    errors = (failure("locate", reply),) if isinstance(reply, Fault) else ()
    chosen = reply if isinstance(reply, Chosen) else Chosen(())
    return replace(condition, candidates=tuple(_candidates(matches, chosen, tools))), errors


def phrase_of(condition: Condition) -> str:
    """The condition in words: its modifiers, then what the note calls it."""
    return " ".join((*condition.modifiers, condition.quote))


def _queries(encounter: Encounter, condition: Condition) -> list[Query]:
    """The phrase with its modifiers and without, each with the sentences it stands in."""
    context = " ".join(
        sentence_at(encounter.notes[span.note].text, span.begin) for span in condition.evidence
    )
    phrases = dict.fromkeys((phrase_of(condition), condition.quote))
    return [Query(phrase, context) for phrase in phrases]


def _found(encounter: Encounter, conditions: Sequence[Condition], tools: Tools) -> Found:
    """What search has for every phrase of an encounter, which it is asked for at once."""
    if "retrieval" in tools.policy.without:
        return {}
    asked = dict.fromkeys(q for c in conditions for q in _queries(encounter, c))
    return dict(zip(asked, tools.search(tuple(asked)), strict=True))


def _matches(
    encounter: Encounter, condition: Condition, found: Found, tools: Tools
) -> tuple[Match, ...]:
    """Codes for the phrases of a condition; each code by its best match."""
    best: dict[str, Match] = {}
    for query in _queries(encounter, condition):
        for match in found.get(query, ()):
            known = best.get(match.node.code)
            if known is None or match.score > known.score:
                best[match.node.code] = match
    ranked = sorted(best.values(), key=lambda m: -m.score)
    return tuple(ranked[: tools.candidates])


def _past(matches: tuple[Match, ...], tools: Tools) -> tuple[Match, ...]:
    """The codes of history for what is over; a condition that has none is not coded."""
    best: dict[str, Match] = {}
    for match in matches:
        node = past(match.node, tools.store)
        if node is match.node:
            best.setdefault(node.code, match)
        elif node is not None:
            path = ("History", "personal", node.title)
            best.setdefault(node.code, replace(match, node=node, path=path, manifestation=None))
    return tuple(best.values())


def _option(match: Match) -> Option:
    path = " > ".join(match.path)
    text = path if match.path[-1] == match.node.title else f"{path}: {match.node.title}"
    return Option(match.node.code, text, score=match.score)


def _candidates(matches: tuple[Match, ...], chosen: Chosen, tools: Tools) -> list[Candidate]:
    """The chosen ones first, in the order of choice, then those passed over."""
    confidence = dict(zip(chosen.numbers, chosen.confidence or (), strict=False))
    every = range(1, len(matches) + 1)
    # Whatever an engine says, a number that is not on the list chooses nothing.
    numbers = [n for n in dict.fromkeys(chosen.numbers) if n in every]
    order = [*numbers, *(n for n in every if n not in numbers)]
    found: list[Candidate] = []
    for number in order:
        match = matches[number - 1]
        picked = number in numbers
        found.append(
            Candidate(
                code=match.node.code,
                path=match.path,
                source=match.source,
                score=match.score,
                confidence=confidence.get(number),
                verdict=None if picked else PASSED_OVER,
            )
        )
        if picked and match.manifestation:
            # The index prints both codes, in this order; both are reported (I.A.13).
            path = (*match.path, f"[{match.manifestation}]")
            found.append(
                Candidate(
                    match.manifestation, path, "manifestation", match.score, confidence.get(number)
                )
            )
    return found
