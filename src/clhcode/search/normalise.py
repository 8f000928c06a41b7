"""Clinical English reduced to comparable words: British spelling, plurals, numerals, case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import cast

STOP = frozenset(
    "a an any are as at be been being by due for from has have her his in into is it its my nec"
    " nos of on our that the their these this to was were which with your associated"
    " involving".split()
)
"""Words that carry no meaning for a look-up. `without`, `no`, `not` and `other` do; so do
`and` and `or`, which hold the members of a list apart."""
JOINING = frozenset({"and", "or"})

KNOWN = 200_000
"""Words whose normal form is remembered; notes repeat themselves."""

_LETTERS = frozenset("AI")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8"}
_NUMERALS = {"one": "1", "two": "2", "three": "3", "four": "4", "first": "1", "second": "2"}
_BRITISH = (
    (re.compile(r"ae(?!r|l$)(?=[a-z])"), "e"),
    (re.compile(r"oe(?=dem|soph|str|t[ua]|li|br|ci)"), "e"),
    (re.compile(r"rrhoe"), "rrhe"),
    (re.compile(r"(?<=[lmvd])our(?=$|s$|ed$)"), "or"),
    (re.compile(r"is(?=e$|ed$|ation|ing$)(?<=[a-z]{4})"), "iz"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"yse(?=d?$)"), "yze"),
    (re.compile(r"(?<=[bt])re$"), "er"),
)
_IRREGULAR: dict[str, str] = {
    "diagnoses": "diagnosis",
    "vertebrae": "vertebra",
    "bronchi": "bronchus",
    "feet": "foot",
    "teeth": "tooth",
    "children": "child",
    "women": "woman",
    "men": "man",
    "ribs": "rib",
    "axes": "axis",
    "lungs": "lung",
    "sequelae": "sequela",
    "varices": "varix",
    "calculi": "calculus",
    "thrombi": "thrombus",
    "emboli": "embolus",
    "pelves": "pelvis",
    "testes": "testis",
    "aids": "aids",
    **dict.fromkeys(("fell", "fallen", "falling"), "fall"),
    **dict.fromkeys(("slipped", "slipping"), "slip"),
    **dict.fromkeys(("tripped", "tripping"), "trip"),
    **dict.fromkeys(("stumbled", "stumbling"), "stumble"),
    **dict.fromkeys(("struck", "striking"), "strike"),
    **dict.fromkeys(("twisted", "twisting"), "twist"),
    **dict.fromkeys(("bitten", "biting"), "bite"),
    "golfing": "golf",
}
# stenoses, metastases, prostheses: the singular ends in -is.
_GREEK = re.compile(r"(?:[rtnc]o|sta|the|lep|gno|ly)ses$")
_NOT_PLURAL = ("ss", "us", "is", "as", "os", "ps")


@lru_cache(maxsize=KNOWN)
def norm(word: str) -> str:
    """One word as it is compared; the empty string for a word without meaning.

    Args:
        word: A token of the text, in any case.
    """
    low = word.lower()
    if not low.isascii():
        low = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower()
    low = low.removesuffix("'s").replace("'", "")
    # `hepatitis A` is not `a hepatitis`.
    if low in STOP and word not in _LETTERS:
        return ""
    low = _ROMAN.get(low) or _NUMERALS.get(low) or low
    for pattern, american in _BRITISH:
        low = pattern.sub(american, low)
    return _singular(low)


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(_NOT_PLURAL):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if _GREEK.search(word):
        return f"{word[:-2]}is"
    if word.endswith(("sses", "xes", "ches", "shes")) and not word.endswith("aches"):
        return word[:-2]
    return word[:-1]


_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*(?:\.\d+)?")


def split(text: str) -> list[str]:
    """The words and numbers of a text, as they stand."""
    return _WORD.findall(text.replace("’", "'"))


@lru_cache(maxsize=50_000)
def words(text: str) -> tuple[str, ...]:
    """The content words of a text, normalised, in order."""
    return tuple(w for token in split(text) if (w := norm(token)))


def key(parts: Sequence[str]) -> str:
    """The dictionary's key of a sequence of content words.

    A blank ends each word, so that a key is a prefix of another only at a word's end.
    """
    return f"{' '.join(parts)} " if parts else ""


@cache
def table(name: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a data file of this room, without its header and comments."""
    lines = files("clhcode.search").joinpath("data", name).read_text("utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines[1:] if line and line[0] != "#")


@cache
def abbreviations() -> dict[str, tuple[tuple[tuple[str, ...], str, frozenset[str]], ...]]:
    """Short form in lower case -> (content words of the long form, `upper` or "", context).

    A context is a set of normalised words one of which must stand in the same sentence.
    """
    found: dict[str, list[tuple[tuple[str, ...], str, frozenset[str]]]] = {}
    for short, long, *rest in table("abbreviations.tsv"):
        context = rest[0].strip() if rest else ""
        upper = "upper" if context == "upper" else ""
        near = frozenset() if upper else frozenset(w for c in context.split(",") for w in words(c))
        found.setdefault(short, []).append((words(long), upper, near))
    return {short: tuple(rows) for short, rows in found.items()}


@cache
def generic() -> frozenset[str]:
    """Normalised words that name no condition when they stand alone (`generic.tsv`)."""
    return frozenset(w for row in table("generic.tsv") for w in words(row[0]))


@cache
def qualifiers() -> frozenset[str]:
    """Normalised words of side, course and degree, which may stand anywhere in a phrase."""
    return frozenset(w for row in table("qualifiers.tsv") for w in words(row[0]))


def expand(tokens: Sequence[str], near: Callable[[], Iterable[str]]) -> Sequence[tuple[str, ...]]:
    """The content words each token of a note stands for: none, itself, or its long form.

    Args:
        tokens: As they stand in the note.
        near: Gives the normalised words of their sentence, for abbreviations that need a
            context; most sentences have none.
    """
    said = list(map(_alone, tokens))
    if None in said:
        around = frozenset(near())
        said = [_within(t, around) if s is None else s for t, s in zip(tokens, said, strict=True)]
    return cast("Sequence[tuple[str, ...]]", said)


@lru_cache(maxsize=KNOWN)
def _alone(token: str) -> tuple[str, ...] | None:
    """What a token stands for in any sentence; `None` where its neighbours decide."""
    if any(context for _, _, context in abbreviations().get(token.lower(), ())):
        return None
    return _within(token, frozenset())


def _within(token: str, near: frozenset[str]) -> tuple[str, ...]:
    for long, upper, context in abbreviations().get(token.lower(), ()):
        if (not upper or token.isupper()) and (not context or context & near):
            return long
    word = norm(token)
    return (word,) if word else ()
