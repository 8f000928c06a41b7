"""The ways a title, an inclusion term or an index path may be worded in a note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from clhcode.icd.index import alternatives
from clhcode.search.normalise import words

MOST_WORDS = 12
"""Longer wordings never stand in a note word for word."""

_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_VAGUE = re.compile(
    r"(?i)(?:, unspecified(?: (?!as\b)[\w-]+)?| unspecified|,? not otherwise specified|,? nos)$"
)
_ELSEWHERE = re.compile(r"(?i),? not elsewhere classified$")
_VAGUE_FIRST = re.compile(r"(?i)^(?:unspecified|other specified) ")
_ONE_OR_OTHER = re.compile(r"^([\w-]+) or ([\w-]+)$")
_WITH = re.compile(r"(?i)\bwith\b")
_AND = re.compile(r"(?i)\b(?:and|or)\b(?:/or\b)?")
_PLACES = re.compile(r"(?i)\b(?:unspecified|nos|nec)\b")

Wording = tuple[tuple[str, ...], int]
"""Content words, and how far they are from the printed form: 0 as printed, 1 without an
aside, 2 in another order or with a nonessential modifier."""


_SITED = re.compile(r"(?i)^([\w-]+(?: [\w-]+)?) (?:of|in) (?:the )?(.+)$")
_MALIGNANT = re.compile(r"(?i)^malignant neoplasm of (.+)$")
_BENIGN = re.compile(r"(?i)^benign neoplasm of (.+)$")
_SECONDARY = re.compile(r"(?i)^secondary malignant neoplasm of (.+)$")
_SAID_FOR = (
    (_MALIGNANT, ("cancer", "carcinoma", "malignancy", "malignant tumor")),
    (_BENIGN, ("benign tumor",)),
    (_SECONDARY, ("metastasis", "metastatic disease", "secondary")),
)
"""What a note says for the classification's neoplasms."""


NEOPLASM = {
    2: ("cancer", "carcinoma", "malignant neoplasm", "malignancy", "malignant tumor"),
    3: ("metastasis", "metastatic cancer", "secondary malignant neoplasm"),
    4: ("carcinoma situ",),
    5: ("benign neoplasm", "benign tumor"),
    6: ("neoplasm uncertain behavior",),
    7: ("neoplasm", "tumor"),
}
"""What a note calls the columns of the neoplasm table; see `clhcode.icd.cells`."""
DRUG = {
    2: ("poisoning", "overdose", "accidental overdose", "toxicity"),
    3: ("intentional overdose", "intentional poisoning", "suicide attempt"),
    4: (),
    5: (),
    6: ("adverse effect", "side effect", "adverse reaction"),
    7: ("underdosing", "noncompliance"),
}
BEHAVIOUR = {
    "in situ": "carcinoma situ",
    "malignant": "cancer",
    "benign": "benign tumor",
    "uncertain": "neoplasm uncertain behavior",
    "unspecified": "tumor",
}
"""What the index names behind "see Neoplasm", and the wording it stands for."""


def of_cell(name: str, path: Sequence[str]) -> Iterator[Wording]:
    """Wordings of a column and a row of a table: `cancer` and `lung`, `upper lobe`."""
    head = words(name)
    rows: list[list[tuple[str, ...]]] = [[]]
    for part in path:
        forms = [words(form) for form in re.split(r",\s*", _PLACES.sub(" ", part)) if form]
        rows = [[*row, form] for row in rows for form in forms[:3]]
    for row in rows:
        yield from _orders(head, row, 1, 2)


def of_title(title: str) -> Iterator[Wording]:
    """Wordings of a title or inclusion term of the Tabular List."""
    for text, distance in _shortened(title):
        said = words(text)
        yield said, distance
        if (ended := _ended(said)) != said:
            yield ended, 1
        for other in _conjoined(text):
            yield words(other), distance + 1
        # "Bronchitis, acute" is said "acute bronchitis".
        head, comma, rest = text.partition(", ")
        if comma and "," not in rest:
            yield words(f"{rest} {head}"), 2
        # "Pain in left wrist" is said "left wrist pain".
        if (turned := _SITED.match(text)) and "," not in text:
            said = words(f"{turned[2]} {turned[1]}")
            yield said, 2
            yield _ended(said), 2
        for pattern, names in _SAID_FOR:
            if site := pattern.match(text):
                for name in names:
                    yield words(f"{name} {site[1]}"), 2
                    yield words(f"{site[1]} {name}"), 2


_ENDS = ((("upper", "end"), "proximal"), (("lower", "end"), "distal"))


def _ended(said: tuple[str, ...]) -> tuple[str, ...]:
    """The same with the ends of a bone as notes name them: `proximal` for `upper end`."""
    for (first, second), short in _ENDS:
        for at in range(len(said) - 1):
            if said[at] == first and said[at + 1] == second:
                return (*said[:at], short, *said[at + 2 :])
    return said


def _shortened(title: str) -> Iterator[tuple[str, int]]:
    """The title, and what is left of it without asides and without "unspecified"."""
    for distance, text in ((0, title), (1, _ASIDE.sub(" ", title))):
        yield text, distance
        short = _VAGUE.sub("", text.strip())
        if short != text.strip():
            yield short, distance
        # What is classified elsewhere may be what the note means.
        if (bare := _ELSEWHERE.sub("", short)) != short:
            yield bare, 2
        if not short.lower().startswith("other"):
            yield _VAGUE_FIRST.sub("", _PLACES.sub(" ", short)), min(2, distance + 1)


def _conjoined(text: str) -> Iterator[str]:
    """A list is also written with another conjunction, or with a comma."""
    if _WITH.search(text):
        yield _WITH.sub("and", text)
    if _AND.search(text):
        yield _AND.sub(" ", text)


def of_path(
    path: Sequence[str], modifiers: Sequence[str], leading: Sequence[str] = ()
) -> Iterator[Wording]:
    """Wordings of a path through the Alphabetic Index, lead term first.

    Args:
        path: Titles from the main term to the subterm.
        modifiers: Nonessential modifiers of the last term; each may be said or not.
        leading: Those of the main term, where it is not the last.
    """
    for number, part in enumerate(path):
        # "Fall > due to > ice or snow" is a fall on either.
        if number and (either := _ONE_OR_OTHER.match(part)):
            for one in either.groups():
                yield from of_path((*path[:number], one, *path[number + 1 :]), modifiers, leading)
            return
    head, *below = path
    if head == "Activity" and len(below) == 1:
        yield words(f"playing {below[0]}"), 2
    subs = [words(_AND.sub(" ", _PLACES.sub(" ", part))) for part in below]
    forms = _heads(head)
    joined = [_with_and(part, said) for part, said in zip(below, subs, strict=True)]
    for form in forms:
        yield from _orders(form, subs, 0, 2)
        if joined != subs:
            yield _join(form, *joined), 1
    for modifier in leading:
        if len(extra := words(modifier)) == 1 and subs:
            # "Diabetes (mellitus) > type 2 > with > ..." is said "type 2 diabetes mellitus with".
            said = (*forms[0], *extra)
            yield _join(said, *subs), 2
            yield _join(subs[0], said, *subs[1:]), 2
    for modifier in modifiers:
        extra = words(modifier)
        if not subs:
            yield _join(extra, forms[0]), 2
            yield _join(forms[0], extra), 2
            if _WITH.match(modifier):
                yield _join(forms[0], ("and", *extra)), 2
        for form in forms if subs else ():
            yield from _orders(form, [*subs[:-1], (*subs[-1], *extra)], 2, 2)


_EITHER = re.compile(r"^(.+?) ([\w-]+), (?:([\w-]+),? )?(?:or|and) ([\w-]+)$")
_ASSUMED = ("traumatic",)


def _heads(title: str) -> list[tuple[str, ...]]:
    """Wordings of a main term.

    What narrows a main term belongs to it: a `Fracture, pathological` is no fracture without
    more, but one is traumatic unless said otherwise. `Raynaud's disease, phenomenon or
    syndrome` is any of the three.
    """
    if either := _EITHER.match(title):
        kinds = (kind for kind in either.groups()[1:] if kind)
        return [words(f"{either[1]} {kind}") for kind in kinds]
    forms = [words(form.replace("(s)", "")) for form in alternatives(title)]
    _, *narrowing = (part.strip() for part in title.split(","))
    if len(forms) > 1 or not narrowing:
        return forms
    tail = words(" ".join(narrowing))
    bare = forms if " ".join(narrowing) in _ASSUMED else []
    return [*bare, (*forms[0], *tail), (*tail, *forms[0])]


def _with_and(part: str, said: tuple[str, ...]) -> tuple[str, ...]:
    return ("and", *said) if _WITH.match(part) else said


def _orders(
    form: tuple[str, ...], subs: list[tuple[str, ...]], printed: int, turned: int
) -> Iterator[Wording]:
    """The printed order, and those a note has it in."""
    if (ended := [_ended(sub) for sub in subs]) != subs:
        yield from _orders(form, ended, min(2, printed + 1), turned)
    yield _join(form, *subs), printed
    if subs:
        yield _join(*reversed(subs), form), turned
        yield _join(*subs, form), turned
        yield _join(subs[0], form, *subs[1:]), turned
    if len(subs) > 1:
        yield _join(subs[-1], form, *subs[:-1]), turned


def _join(*parts: Sequence[str]) -> tuple[str, ...]:
    joined: list[str] = []
    for part in parts:
        # "Disease > kidney > kidney, chronic": a word said twice in a row is said once.
        joined += part if not joined or not part or joined[-1] != part[0] else part[1:]
    return tuple(joined)
