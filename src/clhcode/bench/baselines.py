"""What a method has to beat: frequency, the plain dictionary, a linear classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from clhcode.bench.cases import Case
from clhcode.bench.protocol import gold_codes
from clhcode.errors import UserError
from clhcode.icd.store import Node, Store
from clhcode.rules.extract import extract
from clhcode.search.find import Finder
from clhcode.table.convert import Row
from clhcode.tasks import Extract

BASELINES = ("frequent", "dictionary", "tfidf")
LEARNING = ("frequent", "tfidf")
"""Those that learn from the train split, and predict its codes as they stand there."""
_LEAST = 2
"""Times a code must stand in train to be learned."""
_THRESHOLDS = [0.05 * step for step in range(1, 15)]


def predict(name: str, rows: Sequence[Row], train: Sequence[Row], finder: Finder) -> list[Case]:
    """The cases of a baseline.

    Args:
        name: One of `BASELINES`.
        rows: What is scored.
        train: The train split with gold; the dictionary does without.
        finder: Search in the classification, for the dictionary.

    Raises:
        UserError: The train split is not there, or scikit-learn is not installed.
    """
    if name == "dictionary":
        return [_dictionary(row, finder) for row in rows]
    if not train:
        raise UserError(f"the baseline `{name}` learns from the train split, which is not here")
    return _frequent(rows, train) if name == "frequent" else _linear(rows, train)


def _frequent(rows: Sequence[Row], train: Sequence[Row]) -> list[Case]:
    """The most frequent codes of train, as many as an encounter has on average."""
    counts = Counter(code for row in train for code in gold_codes(row))
    usual = round(counts.total() / len(train))
    codes = tuple(sorted(counts, key=lambda code: (-counts[code], code))[:usual])
    return [Case(row.encounter.encounter_id, codes) for row in rows]


def _dictionary(row: Row, finder: Finder) -> Case:
    """The first code of each wording of the classification that the text has."""
    codes: dict[str, None] = {}
    for number in range(len(row.encounter.notes)):
        task = Extract("analyse", row.encounter.notes, number)
        for finding in extract(task, finder).findings:
            if matches := finder.find(finding.quote, 1, widen=False):
                codes[_default(matches[0].node, finder.store)] = None
    return Case(row.encounter.encounter_id, tuple(codes))


def _default(node: Node, store: Store) -> str:
    """What a header ends in when the text says no more."""
    while not node.billable:
        children = store.children(node)
        plain = [c for c in children if "unspecified" in c.title.lower()]
        node = (plain or list(children))[0]
    return node.code


def _linear(rows: Sequence[Row], train: Sequence[Row]) -> list[Case]:
    """One logistic regression a code over TF-IDF of words and pairs of words.

    The threshold is the one that is best on a fifth of train that the first fit does not see.
    """
    fifth = [row for n, row in enumerate(train) if n % 5 == 4]
    rest = [row for n, row in enumerate(train) if n % 5 != 4]
    gold = [set(gold_codes(row)) for row in fifth]
    classes, likely = _fitted(rest, fifth)
    best = max(_THRESHOLDS, key=lambda t: _f1(gold, [_above(classes, p, t) for p in likely]))
    classes, likely = _fitted(train, rows)
    return [
        Case(row.encounter.encounter_id, tuple(_above(classes, p, best)))
        for row, p in zip(rows, likely, strict=True)
    ]


def _fitted(train: Sequence[Row], rows: Sequence[Row]) -> tuple[list[str], Any]:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.preprocessing import MultiLabelBinarizer
    except ImportError:
        raise UserError(
            'the baseline `tfidf` needs scikit-learn: pip install "clhcode[baselines]"'
        ) from None
    counts = Counter(code for row in train for code in gold_codes(row))
    classes = sorted(code for code, count in counts.items() if count >= _LEAST)
    known = set(classes)
    labels = MultiLabelBinarizer(classes=classes)
    there = labels.fit_transform([[c for c in gold_codes(row) if c in known] for row in train])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = OneVsRestClassifier(
        LogisticRegression(C=10, class_weight="balanced", solver="liblinear")
    )
    model.fit(words.fit_transform(_text(row) for row in train), there)
    return classes, model.predict_proba(words.transform(_text(row) for row in rows))


def _text(row: Row) -> str:
    return "\n".join(note.text for note in row.encounter.notes)


def _above(classes: Sequence[str], likely: Any, threshold: float) -> list[str]:
    ranked = sorted(zip(likely, classes, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [code for p, code in ranked if p >= threshold]


def _f1(gold: Sequence[set[str]], said: Sequence[Sequence[str]]) -> float:
    hits = sum(len(g & set(s)) for g, s in zip(gold, said, strict=True))
    return 2 * hits / max(1, sum(map(len, gold)) + sum(map(len, said)))
