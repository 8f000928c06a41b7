"""Chooses by words: what an option says against what the note says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from clhcode.search.normalise import norm, words
from clhcode.tasks import Choose, Chosen, Option
from clhcode.text.tokens import matches, sentence_at

LEAST = 0.75
"""Below this agreement an index entry is not taken for the phrase."""

_SIDES = frozenset({"left", "right", "bilateral", "unilateral"})
_BOTH = frozenset({"bilateral", "both"})
_EMPTY = frozenset(words("unspecified other specified elsewhere classified side site type and or"))
_LATER = frozenset(words("subsequent followup follow healing healed aftercare removal recheck"))
_SEQUELA = frozenset(words("sequela sequelae late residual"))
_ASSESSED = frozenset({"diagnoses", "assessment_plan"})
_OBSERVED = frozenset({"exam", "review_of_systems", "results"})
_WITH = re.compile(r"(?i)(?<!whether )\bwith\b")
_DENIED = re.compile(r"(?i)\b(not|without) (\w+)")
_ENDING = {"9": 2, "0": 1}


def choose(task: Choose) -> Chosen:
    """Answers a `Choose` by its step."""
    return _STEPS[task.step](task)


def _entry(task: Choose) -> Chosen:
    """The entry that agrees best with the phrase, if any agrees enough."""
    best = max(range(len(task.options)), key=lambda i: (task.options[i].score, -i))
    return Chosen((best + 1,) if task.options[best].score >= LEAST else ())


def _subdivision(task: Choose) -> Chosen:
    """The child whose own words stand in the phrase, else the default."""
    said = frozenset(words(task.phrase))
    around = _around(task)
    own = _own_words(task.options)
    if task.several and (said | around) & _BOTH:
        sides = [n for n, each in enumerate(own, 1) if each & _SIDES]
        if len(sides) == len(_SIDES & frozenset().union(*own)):
            return Chosen(tuple(sides))
    scores = [_support(words_, said | (around & _SIDES)) for words_ in own]
    best = max(range(len(scores)), key=lambda i: (scores[i], _plainness(task.options[i]), -i))
    if scores[best] > 0:
        return Chosen((best + 1,))
    return _default([_contradicted(option, said) for option in task.options])


def _contradicted(option: Option, said: frozenset[str]) -> Option:
    """The option, or an empty one where it denies what the phrase says: `without aura`."""
    for denied in _DENIED.finditer(option.text):
        if norm(denied[2]) in said and denied[1].lower() not in said:
            return Option(option.code[:-1], "other with other")
    return option


def _own_words(options: Sequence[Option]) -> list[frozenset[str]]:
    """For each option the words that set it apart from the others."""
    all_words = [frozenset(words(option.text)) for option in options]
    common = frozenset.intersection(*all_words)
    return [each - common - _EMPTY for each in all_words]


def _support(own: frozenset[str], said: frozenset[str]) -> float:
    """How much of an option's own words are said: more than half, and longer is better."""
    found = own & said
    if not found or len(found) * 2 <= len(own):
        return 0.0
    return len(found) / len(own) + 0.1 * len(found)


def _default(options: Sequence[Option]) -> Chosen:
    """What a coder takes when the note does not say."""
    best = max(range(len(options)), key=lambda i: (_plainness(options[i]), -i))
    said, _, *marks = _plainness(options[best])
    return Chosen((best + 1,) if said or any(marks) else ())


def _plainness(option: Option) -> tuple[float, ...]:
    """What stands first for an option that nothing in the note speaks for.

    What the index leads to, then the unspecified and the uncomplicated; a fracture is closed
    and displaced unless said otherwise (guideline I.C.19.c).
    """
    return (option.score, *_plain(option.text), _ENDING.get(option.code[-1:], 0))


@lru_cache(maxsize=20_000)
def _plain(text: str) -> tuple[float, ...]:
    text = text.lower().replace("other and unspecified", "unspecified")
    return (
        -text.count("other") - len(_WITH.findall(text)),
        text.count("unspecified"),
        "without" in text or "not " in text,
        text.startswith("displaced"),
    )


def _seventh(task: Choose) -> Chosen:
    """The encounter (initial, subsequent, sequela) by the sentence; else by its own words."""
    chars = {option.code[-1]: number for number, option in enumerate(task.options, 1)}
    around = _around(task)
    if "A" in chars:
        wanted = "D" if around & _LATER else "S" if around & _SEQUELA else "A"
        if wanted == "A" and "B" in chars and "open" in around:
            wanted = "B"
        return Chosen((chars.get(wanted, chars["A"]),))
    return _subdivision(task)


def _code(task: Choose) -> Chosen:
    """All codes but those whose Excludes1 note describes the phrase."""
    said = frozenset(words(task.phrase))
    kept = [
        number
        for number, option in enumerate(task.options, 1)
        if not any(_describes(note, option, said) for note in option.notes)
    ]
    return Chosen(tuple(kept))


def _describes(note: str, option: Option, said: frozenset[str]) -> bool:
    if not note.startswith("excludes1: "):
        return False
    text = note.removeprefix("excludes1: ")
    named = frozenset(words(text.partition(" (")[0]))
    title = frozenset(words(option.text))
    return bool(named) and named <= said and not named <= title


def _set(task: Choose) -> Chosen:
    """What the encounter was about, by where the note says it.

    An outpatient is coded for the conditions the visit dealt with (guideline IV.J): the
    problems the assessment lists, else all it speaks of, else all the note speaks of. Chronic
    diseases of a past-history list, statuses, past cancers and external causes come along, what
    a code taken asks for, and what says more of an unspecified one. For an inpatient every
    diagnosis counts that the stay dealt with (section III), but neither findings without a
    diagnosis (III.B) nor, once one is settled, the symptoms that led to it (II.A, I.B.5).
    """
    options = task.options
    listed = [o for o in options if "problem" in o.stands]
    assessed = listed or [o for o in options if o.stands & _ASSESSED]
    if not assessed:
        return Chosen(tuple(range(1, len(options) + 1)))
    settled = any(not _is_symptom(o) and o.code[0] not in "VWXYZ" for o in assessed)
    inpatient = task.setting == "inpatient"

    final = any("diagnoses" in o.stands and not _is_symptom(o) for o in options)

    def reported(option: Option) -> bool:
        if final and _is_symptom(option) and "diagnoses" not in option.stands:
            # The final list explains what an earlier assessment still asked.
            return False
        if option in assessed:
            return bool(listed) or not (settled and _is_symptom(option))
        if option.code[:3] in ("Z86", "Z87"):
            return inpatient
        if option.code[0] in "VWXYZ":
            return True
        if _is_symptom(option) or option.stands <= _OBSERVED:
            return not settled
        return inpatient or "past_history" in option.stands

    taken = {o.code for o in options if reported(o)}
    if not any(code[0] in "ST" for code in taken):
        # How it happened is said of an injury (I.C.20.a).
        taken = {code for code in taken if code[0] not in "VWXY"}
    vague = {o.code[:3] for o in options if o.code in taken and _is_vague(o)}
    kept = [
        number
        for number, option in enumerate(options, 1)
        if option.code in taken or option.asked_by & taken or option.code[:3] in vague
    ]
    return Chosen(tuple(kept))


def _is_vague(option: Option) -> bool:
    """Whether what the note says elsewhere may be the same disease, more precisely."""
    return "unspecified" in option.text.lower() or "without complication" in option.text.lower()


def _is_symptom(option: Option) -> bool:
    """Whether a code is a symptom or sign: chapter 18, and pains of a place."""
    return option.code[0] == "R" or "pain" in words(option.text)


def _around(task: Choose) -> frozenset[str]:
    """The words of the sentences the evidence stands in."""
    found: set[str] = set()
    for span in task.evidence:
        found |= _words_of(sentence_at(task.notes[span.note].text, span.begin))
    return frozenset(found)


@lru_cache(maxsize=1_000)
def _words_of(sentence: str) -> frozenset[str]:
    return frozenset(norm(token[0]) for token in matches(sentence, 0, len(sentence)))


_STEPS: dict[str, Callable[[Choose], Chosen]] = {
    "entry": _entry,
    "subdivision": _subdivision,
    "seventh": _seventh,
    "code": _code,
    "set": _set,
}
