"""All figures of a run: gold and predictions brought to one level and year, then counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from clhcode.bench import metrics
from clhcode.bench.bootstrap import DRAWS, intervals
from clhcode.bench.cases import Case, Key, gold_evidence, said_evidence
from clhcode.bench.encode import encode
from clhcode.bench.evidence import score
from clhcode.bench.mapping import UNAIDED, UNMAPPED, Maps, taken
from clhcode.bench.protocol import LEVELS, Level
from clhcode.icd.store import Store

Codes = Sequence[Sequence[str]]

BANDS = ((0, "not in train"), (5, "1-5 in train"), (50, "6-50 in train"))
"""How often a code stands in the train split, at most; above is `over 50 in train`."""

_ABBREVIATION = re.compile(r"[A-Z][A-Z0-9/&-]{1,5}s?")


@dataclass(frozen=True, slots=True)
class Scale:
    """How codes are made comparable.

    Attributes:
        store: The release that was coded with.
        level: How much of a code counts.
        space: The labels that count; None for all.
        mapped: Whether codes of the release are taken to the year and book of gold.
        maps: With what.
        nine: Whether gold is of ICD-9-CM.
    """

    store: Store
    level: Level = "full"
    space: frozenset[str] | None = None
    mapped: bool = True
    maps: Maps = UNAIDED
    nine: bool = False

    def sides(self, keys: Iterable[Key], cases: Iterable[Case]) -> tuple[Codes, Codes]:
        """Gold and ranked predictions of each unit, at this scale."""
        gold = [key.codes for key in keys]
        said: Codes = [case.codes for case in cases]
        if self.mapped:
            read = self.maps.reader(self.store, frozenset(c for codes in gold for c in codes))
            said = [taken(codes, own, read) for codes, own in zip(said, gold, strict=True)]
        return self._fit(gold), self._fit(said)

    def _fit(self, side: Codes) -> Codes:
        cut = self.cutter(self.level)
        inside = [[c for c in codes if self.space is None or c in self.space] for codes in side]
        return [list(dict.fromkeys(cut(code) for code in codes)) for codes in inside]

    def cutter(self, level: Level) -> Callable[[str], str]:
        """Cuts a code of gold's book to a level."""
        return cutter_9(level) if self.nine else cutter(self.store, level)


def cutter(store: Store, level: Level) -> Callable[[str], str]:
    """Cuts a code to its level; a chapter is named by its number."""

    @cache
    def chapter(code: str) -> str:
        node = store.node(code) or store.node(code[:3])
        return store.lineage(node)[0].code if node else "none"

    if level == "full":
        return lambda code: code
    if level == "chapter":
        return chapter
    size = 3 if level == "category" else int(level)
    return lambda code: code if len(code) <= size + (size > 3) else code[: size + (size > 3)]


_CHAPTERS_9 = (139, 239, 279, 289, 319, 389, 459, 519, 579, 629, 679, 709, 739, 759, 779, 799, 999)
"""Last category of each chapter of ICD-9-CM."""


def cutter_9(level: Level) -> Callable[[str], str]:
    """As `cutter` for ICD-9-CM, whose external causes (E) have categories of four characters."""

    def chapter(code: str) -> str:
        stem = code.partition(".")[0]
        if stem[:1] in ("E", "V"):
            return f"chapter {stem[0]}"
        if len(stem) != 3 or not stem.isdigit():
            return "procedures" if stem.isdigit() else "none"
        return f"chapter {1 + sum(int(stem) > last for last in _CHAPTERS_9)}"

    def cut(code: str) -> str:
        stem, _, rest = code.partition(".")
        if level == "category" or code.startswith(UNMAPPED):
            return stem if level == "category" else code
        kept = rest[: max(0, int(level) - len(stem))]
        return f"{stem}.{kept}" if kept else stem

    if level == "full":
        return lambda code: code
    return chapter if level == "chapter" else cut


def figures(gold: Codes, said: Codes) -> dict[str, Any]:
    """Micro, macro, sample, weighted and exact match."""
    problem = encode(gold, said)
    rows, labels = metrics.by_row(problem), metrics.by_label(problem)
    return {
        "micro": metrics.micro(rows).as_dict(),
        "macro": metrics.macro(labels).as_dict(),
        "macro_either": metrics.macro(labels, either=True).as_dict(),
        "sample": metrics.sample(rows).as_dict(),
        "weighted": metrics.weighted(labels).as_dict(),
        "exact_match": metrics.exact(rows),
    }


def measure(
    keys: Sequence[Key],
    cases: Sequence[Case],
    scale: Scale,
    *,
    train: Sequence[Iterable[str]] = (),
    texts: Mapping[str, str] | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Every figure of a run.

    Args:
        keys: The truth, one a unit.
        cases: The predictions, in the same order.
        scale: Level, label space and code year.
        train: Gold codes of the train split, for the bands of frequency.
        texts: `UNIT/NOTE` -> text, where evidence is scored.
        draws: Bootstrap draws; 0 leaves the intervals out.
    """
    gold, said = scale.sides(keys, cases)
    rows = metrics.by_row(encode(gold, said))
    found = figures(gold, said)
    found["ranking"] = metrics.ranked(gold, said)
    found["coding"] = metrics.ratio(rows)
    found["effort"] = _effort(gold, said)
    for level in LEVELS:
        cut = scale.cutter(level)
        if level != scale.level and scale.level == "full":
            sides = [[list(dict.fromkeys(map(cut, codes))) for codes in s] for s in (gold, said)]
            found[level if level in ("category", "chapter") else f"characters_{level}"] = figures(
                *sides
            )
    found["groups"] = _groups(gold, said, scale, train)
    abbreviated = _abbreviated(keys, gold, said, texts or {})
    if abbreviated:
        found["groups"].setdefault("blind_spot", {})["abbreviations"] = abbreviated
    if draws:
        found["intervals"] = intervals(encode(gold, said), draws)
    if scale.mapped and not scale.nine:
        plain = Scale(scale.store, scale.level, scale.space, mapped=False)
        strict = plain.sides(keys, cases)
        found["strict"] = figures(*strict)
        cut = scale.cutter("category")
        three = [[list(dict.fromkeys(map(cut, codes))) for codes in s] for s in strict]
        found["strict"]["category"] = figures(*three)
    # Evidence is told by code and place, and predictions through the GEM are of another book.
    crossed = scale.mapped and scale.nine
    if texts is not None and not crossed and any(key.spans for key in keys):
        found["evidence"] = score(gold_evidence(keys), said_evidence(cases), texts)
    return found


def _effort(gold: Codes, said: Codes) -> dict[str, float]:
    """Means over units, and the share to be accepted as it is."""
    work = metrics.effort(gold, said)
    count = max(1, len(work))
    add, remove, replace = (sum(w[i] for w in work) / count for i in range(3))
    same = sum(w == (0, 0, 0) for w in work) / count
    return {"add": add, "remove": remove, "replace": replace, "accepted_unchanged": same}


def _groups(
    gold: Codes, said: Codes, scale: Scale, train: Sequence[Iterable[str]]
) -> dict[str, dict[str, Any]]:
    """By chapter, by frequency in train and by what coders call blind spots."""
    chapter = scale.cutter("chapter")
    if scale.level == "chapter":
        return {}
    found = {"chapter": _split(gold, said, chapter)}
    if train:
        counts = Counter(code for codes in train for code in set(codes))

        def band(code: str) -> str:
            return next((n for most, n in BANDS if counts[code] <= most), "over 50 in train")

        found["frequency"] = _split(gold, said, band)
    spots = {"Z": "Z", "S": "S-T", "T": "S-T", "V": "V-Y", "W": "V-Y", "X": "V-Y", "Y": "V-Y"}
    if scale.nine:
        spots = {"V": "V", "E": "E"}
    found["blind_spot"] = _split(gold, said, lambda code: spots.get(code[:1], ""))
    found["blind_spot"].pop("", None)
    return found


def _split(gold: Codes, said: Codes, group: Callable[[str], str]) -> dict[str, Any]:
    """Micro figures of each group, with the number of gold codes behind them."""
    names = sorted({group(code) for side in (gold, said) for codes in side for code in codes})
    found = {}
    for name in names:
        own = [[[c for c in codes if group(c) == name] for codes in s] for s in (gold, said)]
        counts = metrics.by_row(encode(*own))
        found[name] = {"gold": int(counts.there.sum()), **metrics.micro(counts).as_dict()}
    return found


def _abbreviated(
    keys: Sequence[Key], gold: Codes, said: Codes, texts: Mapping[str, str]
) -> dict[str, float]:
    """Recall of the codes that the notes say by an abbreviation alone."""
    there = hits = 0
    for key, own, predicted in zip(keys, gold, said, strict=True):
        words: dict[str, list[str]] = {}
        for code, fragments in key.spans:
            pieces = (
                texts.get(f"{key.id}/{key.notes[s.note]}", "")[s.begin : s.end] for s in fragments
            )
            words.setdefault(code, []).append(" ".join(pieces))
        for code in own:
            if code in words and all(_ABBREVIATION.fullmatch(word) for word in words[code]):
                there += 1
                hits += code in predicted
    return {"gold": there, "recall": hits / there} if there else {}
