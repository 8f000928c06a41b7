"""Finds conditions by the wordings of the classification, in running text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from clhcode.icd.store import Store
from clhcode.search.find import Finder
from clhcode.search.normalise import expand, generic, norm, words
from clhcode.tasks import Extract, Extracted, Finding
from clhcode.text.assertion import assert_at
from clhcode.text.sections import section_at, sections
from clhcode.text.tokens import Token, sentences, tokenise

_SKIPPED = frozenset({"medications", "allergies"})
"""Sections that list what is given or avoided, not what the patient has."""

_REACH = 3
"""Tokens before and after a wording in which its modifiers may stand."""

QUALIFIERS = frozenset(
    words(
        "left right bilateral unilateral acute chronic subacute recurrent severe moderate mild"
        " primary secondary open closed displaced nondisplaced upper lower proximal distal"
        " medial lateral anterior posterior initial subsequent persistent intractable"
        " paroxysmal permanent congenital acquired malignant benign traumatic"
    )
)
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
        tokens = [Token(t.text, t.begin + begin, t.end + begin) for t in tokenise(text[begin:end])]
        near = frozenset(norm(token.text) for token in tokens)
        content = [(word, i) for i, t in enumerate(tokens) for word in expand(t.text, near)]
        plain = [word for word, _ in content]
        for first, last in finder.spots(plain):
            if not _names_condition(finder.store, finder, tuple(plain[first:last])):
                continue
            left, right = content[first][1], content[last - 1][1]
            place = (tokens[left].begin, tokens[right].end)
            yield Finding(
                quote=text[slice(*place)],
                assertion=assert_at(
                    text[begin:end], place[0] - begin, place[1] - begin, section.name
                ),
                modifiers=tuple(_modifiers(tokens, left, right)),
                places=(place,),
            )


@lru_cache(maxsize=50_000)
def _names_condition(store: Store, finder: Finder, content: tuple[str, ...]) -> bool:
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


def _modifiers(tokens: list[Token], left: int, right: int) -> Iterator[str]:
    """Qualifiers that stand close to a wording, as the note writes them."""
    around = [*range(max(0, left - _REACH), left), *range(right + 1, right + 1 + _REACH)]
    for at in around:
        if at >= len(tokens):
            return
        word = norm(tokens[at].text)
        if word in QUALIFIERS:
            yield tokens[at].text
        elif word in _GRADED and at + 1 < len(tokens):
            yield f"{tokens[at].text} {tokens[at + 1].text}"
