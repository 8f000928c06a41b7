"""Finds conditions by the wordings of the classification, in running text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache

from clhcode.search.find import Finder
from clhcode.search.normalise import expand, generic, norm, qualifiers, words
from clhcode.tasks import Extract, Extracted, Finding
from clhcode.text.assertion import assert_at
from clhcode.text.sections import section_at, sections
from clhcode.text.tokens import matches, sentences

_SKIPPED = frozenset({"medications", "allergies"})
"""Sections that list what is given or avoided, not what the patient has."""

_REASONS = frozenset({"chief_complaint", "diagnoses"})
"""Sections that say why the patient came."""

_REACH = 3
"""Tokens before and after a wording in which its modifiers may stand."""

_BORDER = re.compile(r"[.:;()\[\]]")
_GRADED = frozenset(words("stage grade type class degree"))


def extract(task: Extract, finder: Finder) -> Extracted:
    """Answers an `Extract`: every known wording, with its modifiers and assertion."""
    text = task.notes[task.note].text
    return Extracted(tuple(_findings(text, finder)))


def _findings(text: str, finder: Finder) -> Iterator[Finding]:
    found = sections(text)
    for begin, end in sentences(text):
        section = section_at(found, begin)
        if section.name in _SKIPPED:
            continue
        tokens = matches(text, begin, end)
        content, places = _content(text, tokens)
        for first, last in finder.spots(content):
            said = tuple(content[first:last])
            if not _names_condition(finder, said):
                continue
            if section.name not in _REASONS and _names_encounter(finder, said):
                continue
            left, right = places[first], places[last - 1]
            if left == right and finder.acronym(said) and not tokens[left][0].isupper():
                continue
            place = (tokens[left].start(), tokens[right].end())
            yield Finding(
                quote=text[slice(*place)],
                assertion=assert_at(
                    text[begin:end], place[0] - begin, place[1] - begin, section.name
                ),
                modifiers=tuple(_modifiers(tokens, left, right)),
                places=(place,),
            )


def _content(text: str, tokens: list[re.Match[str]]) -> tuple[list[str], list[int]]:
    """Content words, and for each the number of its token.

    An empty word stands at a border, across which no wording reaches.
    """
    if not tokens:
        return [], []
    said = [token[0] for token in tokens]
    spelt = expand(said, lambda: map(norm, said))
    begins = [token.start() for token in tokens]
    behind: set[int] = set()
    for border in _BORDER.finditer(text, begins[0], begins[-1]):
        number = bisect_left(begins, border.start())
        if tokens[number - 1].end() <= border.start():
            behind.add(number)
    content: list[str] = []
    places: list[int] = []
    for number, words_ in enumerate(spelt):
        if number in behind:
            content.append("")
            places.append(number)
        for word in words_:
            content.append(word)
            places.append(number)
    return content, places


@lru_cache(maxsize=50_000)
def _names_condition(finder: Finder, content: tuple[str, ...]) -> bool:
    """Whether a wording says a condition by itself.

    One word that leads to a status, an encounter or an external cause alone (`fall`,
    `test`, `removal`) needs others beside it; so does a generic word (`disease`).
    """
    if all(word in generic() or word.isdigit() for word in content):
        return False
    if len(content) > 1:
        return True
    (word,) = content
    return len(word) > 2 and any(node.code[0] not in "VWXYZ" for node in finder.codes(content))


@lru_cache(maxsize=50_000)
def _names_encounter(finder: Finder, content: tuple[str, ...]) -> bool:
    """Whether a wording leads to nothing but codes for a reason to come (Z00 to Z13).

    `Follow-up` and `blood test` are said in every plan; they are a diagnosis only where the
    note gives the reason for the encounter.
    """
    codes = finder.codes(content)
    return bool(codes) and all("Z00" <= node.code[:3] <= "Z13" for node in codes)


def _modifiers(tokens: list[re.Match[str]], left: int, right: int) -> Iterator[str]:
    """Qualifiers that stand close to a wording, as the note writes them."""
    around = [*range(max(0, left - _REACH), left), *range(right + 1, right + 1 + _REACH)]
    for at in around:
        if at >= len(tokens):
            return
        word = norm(tokens[at][0])
        if word in qualifiers():
            yield tokens[at][0]
        elif word in _GRADED:
            # "Stage 3b", and "third degree".
            beside = at - 1 if word == "degree" else at + 1
            if 0 <= beside < len(tokens):
                first, last = sorted((at, beside))
                yield f"{tokens[first][0]} {tokens[last][0]}"
