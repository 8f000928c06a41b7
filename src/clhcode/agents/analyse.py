"""Analyse: read the notes of an encounter for codeable conditions."""

from __future__ import annotations

from dataclasses import replace

from clhcode.agents.tools import Tools, failure
from clhcode.records import Condition, Encounter, Failure, Span, quoted
from clhcode.search.normalise import words
from clhcode.talk import Talk
from clhcode.tasks import Extract, Fault, Finding
from clhcode.text.sections import Section, section_at, sections
from clhcode.text.spans import locate_quote


def analyse(encounter: Encounter, tools: Tools) -> Talk[Encounter]:
    """Asks for the conditions of each note and pins every one to its place in the text.

    A quote that does not stand in its note is no evidence: it is left out and counted
    in `errors`.
    """
    notes = encounter.notes
    replies = yield [Extract("analyse", notes, number) for number in range(len(notes))]
    conditions: list[Condition] = []
    errors: list[Failure] = []
    for number, reply in enumerate(replies):
        if isinstance(reply, Fault):
            errors.append(failure("analyse", reply))
            continue
        found = sections(notes[number].text)
        after = 0
        for finding in getattr(reply, "findings", ()):
            evidence = _evidence(encounter, number, finding, after)
            if not evidence:
                where = f"note {notes[number].note_id}"
                errors.append(Failure("analyse", "no-quote", f"a quote is not in {where}"))
                continue
            # The same words again are the next ones; wordings may overlap.
            after = evidence[0].begin + 1
            conditions.append(_condition(encounter, finding, evidence, found, tools))
    return replace(encounter, conditions=tuple(conditions), errors=(*encounter.errors, *errors))


def _evidence(encounter: Encounter, number: int, finding: Finding, after: int) -> tuple[Span, ...]:
    text = encounter.notes[number].text
    spans = tuple(Span(number, begin, end) for begin, end in finding.places)
    if not spans or quoted(encounter.notes, spans) != finding.quote:
        # The engine gave no places, or they do not fit: the words decide.
        places = locate_quote(text, finding.quote, after) or ()
        spans = tuple(Span(number, begin, end) for begin, end in places)
    return spans


def _condition(
    encounter: Encounter,
    finding: Finding,
    evidence: tuple[Span, ...],
    found: tuple[Section, ...],
    tools: Tools,
) -> Condition:
    quote = quoted(encounter.notes, evidence)
    section: Section = section_at(found, evidence[0].begin)
    return Condition(
        quote=quote,
        evidence=evidence,
        assertion="present" if "assertion" in tools.policy.without else finding.assertion,
        section=section.name,
        lead_term=finding.lead_term or tools.finder.lead_term(words(quote)),
        modifiers=finding.modifiers,
    )
