"""Evidence, as MDACE's paper and its published scorer define it (Cheng et al. 2023, section 5).

A span is a stretch of one note with the code it supports. Before counting, neighbours of one code
that only blanks or punctuation part are merged, and blanks and punctuation at the ends are cut.
Three keys say what is the same: `exact` the place and the code; `overlap` any common character
and the code; and, independent of position, the words and the code, once an encounter. Each is
counted for spans; `exact` and the words also for tokens, and places also for characters.
The published scorer visits the notes of gold alone and adds 1e-6 to denominators: `visited`
does the first, and the second we leave out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from clhcode.datasets.gold import trimmed_span

_BETWEEN = re.compile(r"[\W_]*")
_TOKEN = re.compile(r"\w+")
_LONGEST_NUMBER = 10
"""Tokens of more digits are identifiers of the record and no evidence."""


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """`note` is a name that is unique in the data set; offsets are code points, half-open."""

    encounter: str
    note: str
    begin: int
    end: int
    code: str


@dataclass(frozen=True, slots=True)
class Found:
    """Hits of gold, hits of predictions (they differ only for overlap), and both totals."""

    gold_hits: int
    hits: int
    said: int
    there: int

    def as_dict(self) -> dict[str, float]:
        """Precision, recall and F1 as plain JSON."""
        precision = self.hits / self.said if self.said else 0.0
        recall = self.gold_hits / self.there if self.there else 0.0
        both = precision + recall
        f1 = 2 * precision * recall / both if both else 0.0
        return {"precision": precision, "recall": recall, "f1": f1}


def cleaned(spans: Iterable[Evidence], texts: Mapping[str, str]) -> list[Evidence]:
    """Spans merged with their neighbours and trimmed; empty ones fall away."""
    merged: list[Evidence] = []
    for span in sorted(set(spans), key=lambda s: (s.encounter, s.note, s.code, s.begin, s.end)):
        last = merged[-1] if merged else None
        if (
            last
            and (last.encounter, last.note, last.code) == (span.encounter, span.note, span.code)
            and span.begin >= last.end
            and _BETWEEN.fullmatch(texts[span.note], last.end, span.begin)
        ):
            merged[-1] = replace(last, end=span.end)
        else:
            merged.append(span)
    trimmed = (_trimmed(each, texts[each.note]) for each in merged)
    return [span for span in trimmed if span]


def _trimmed(span: Evidence, text: str) -> Evidence | None:
    begin, end = trimmed_span(text, span.begin, span.end)
    return replace(span, begin=begin, end=end) if begin < end else None


def visited(predicted: Iterable[Evidence], gold: Iterable[Evidence]) -> list[Evidence]:
    """What the published scorer looks at: predictions in notes that hold gold."""
    notes = {(g.encounter, g.note) for g in gold}
    return [p for p in predicted if (p.encounter, p.note) in notes]


def score(
    gold: Iterable[Evidence], predicted: Iterable[Evidence], texts: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by every definition.

    Args:
        gold: The annotated spans, as given.
        predicted: The spans behind the codes that were assigned.
        texts: Note -> text.

    Returns:
        Definition (`span_exact`, `span_overlap`, `span_words`, `token_exact`, `token_words`,
        `character`) -> its figures.
    """
    there, said = cleaned(gold, texts), cleaned(predicted, texts)
    keys: dict[str, Callable[[Evidence], list[tuple[object, ...]]]] = {
        "span_exact": lambda s: [(s.encounter, s.note, s.begin, s.end, s.code)],
        "span_words": lambda s: [(s.encounter, texts[s.note][s.begin : s.end].lower(), s.code)],
        "token_exact": lambda s: [(s.encounter, s.note, b, s.code) for b, _ in tokens(s, texts)],
        "token_words": lambda s: [(s.encounter, word, s.code) for _, word in tokens(s, texts)],
        "character": lambda s: [(s.encounter, s.note, i, s.code) for i in range(s.begin, s.end)],
    }
    found = {"span_overlap": _overlap(there, said)}
    for name, key in keys.items():
        of_gold = {each for span in there for each in key(span)}
        of_said = {each for span in said for each in key(span)}
        hits = len(of_gold & of_said)
        found[name] = Found(hits, hits, len(of_said), len(of_gold))
    return {name: each.as_dict() for name, each in sorted(found.items())}


def tokens(span: Evidence, texts: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Begin and lower-cased word of each token of a span."""
    for match in _TOKEN.finditer(texts[span.note], span.begin, span.end):
        word = match[0].lower()
        if not (word.isdigit() and len(word) > _LONGEST_NUMBER):
            yield match.start(), word


def _overlap(gold: list[Evidence], predicted: list[Evidence]) -> Found:
    by_place: dict[tuple[str, str, str], list[Evidence]] = {}
    for span in gold:
        by_place.setdefault((span.encounter, span.note, span.code), []).append(span)
    met: set[Evidence] = set()
    hits = 0
    for span in predicted:
        touched = [
            g
            for g in by_place.get((span.encounter, span.note, span.code), ())
            if g.begin < span.end and span.begin < g.end
        ]
        met.update(touched)
        hits += bool(touched)
    return Found(len(met), hits, len(predicted), len(gold))
