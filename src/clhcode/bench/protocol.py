"""What exactly was scored: the part of a figure that is mostly left unsaid."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from clhcode.errors import UserError
from clhcode.records import Span
from clhcode.table.convert import Row

Unit = Literal["encounter", "note"]
Level = Literal["full", "5", "4", "category", "chapter"]
LEVELS: tuple[Level, ...] = get_args(Level)

PREDICTED = "icd10cm"
"""The system of codes that the agents predict."""
PROCEDURES = {"icd10cm": "icd10pcs", "icd9cm": "icd9pcs"}
"""The systems of diagnoses that can be scored, and those of the procedures beside them."""

Counted = Literal["diagnoses", "all"]

GOLD_WARNING = (
    "the label space is cut to the codes of the gold standard: the figure is of another, easier"
    " task and cannot be set beside one over all codes"
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """The conditions of a figure. Two results are comparable where all of these are equal.

    Attributes:
        data: Hash of ids, texts and gold of what was scored.
        label_space: `all`, `gold`, `top50` or the name of a file, with its size.
        level: How much of a code counts.
        release: The classification and its books.
        policy: What is coded at all.
        setting: What overrode the rows' own setting.
        first: How many encounters of the split were taken, where not all.
        codes: Which systems of gold count.
        mapping: What takes predictions to the year and book of gold.
    """

    dataset: str
    split: str
    unit: Unit
    data: str
    encounters: int
    label_space: str
    level: Level
    release: str
    policy: str
    setting: str | None
    first: int | None = None
    codes: str = PREDICTED
    mapping: str = "code years"

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> Protocol:
        """From plain JSON; keys it does not know are left alone."""
        # What older files do not say was the only way then.
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

    def differing(self, other: Protocol) -> list[str]:
        """Names of the conditions that are not the same."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]


def chosen_split(
    rows: Iterable[Row], dataset: str | None, split: str, *, learn: bool = False
) -> tuple[list[Row], list[Row]]:
    """The scored rows (with gold) of a split, and those of train.

    Args:
        rows: The table, as a stream.
        dataset: The rows of it that are meant; None for all of a user's own table.
        split: Which part is scored; where no row names a split, all of them are.
        learn: Keep the notes of train; else its codes alone, to count them.

    Raises:
        UserError: There is no such split, or no gold in it that can be scored.
    """
    kept: list[Row] = []
    train: list[Row] = []
    unnamed: list[Row] = []
    there: Counter[str] = Counter()
    for row in rows:
        if dataset is not None and row.encounter.dataset not in (None, dataset):
            continue
        own = row.encounter.split
        if own is None:
            # Beside rows that name one, a row without a split is of none.
            if not there:
                unnamed.append(row)
            continue
        unnamed.clear()
        there[own] += 1
        if own == split:
            kept.append(row)
        if own == "train" and row.gold is not None:
            train.append(row if learn else replace(row, encounter=replace(row.encounter, notes=())))
    kept = kept if there else unnamed
    if not kept:
        known = ", ".join(f"{name} ({count:,})" for name, count in sorted(there.items()))
        raise UserError(
            f"{dataset or 'the table'} has no split `{split}` here: there are {known or 'no rows'}"
        )
    scored = [row for row in kept if row.gold is not None]
    if not scored:
        raise UserError(f"{dataset or 'the table'}, {split}: no encounter has gold codes")
    systems = {one["system"] for row in scored for one in _gold(row)}
    if systems and systems.isdisjoint(PROCEDURES):
        raise UserError(
            f"{dataset or 'the table'}, {split}: its gold is {', '.join(sorted(systems))};"
            f" what is scored is {' or '.join(PROCEDURES)}"
        )
    return scored, train


def book_of(rows: Iterable[Row]) -> str:
    """The system of diagnoses that is scored: ICD-10-CM wherever gold has it."""
    systems = {one["system"] for row in rows for one in _gold(row)}
    return "icd9cm" if "icd9cm" in systems and PREDICTED not in systems else PREDICTED


def counted(rows: Iterable[Row], systems: Collection[str]) -> list[Row]:
    """The rows with the gold of some systems alone; one without gold stays so."""
    return [
        row
        if row.gold is None
        else replace(row, gold=[one for one in _gold(row) if one["system"] in systems])
        for row in rows
    ]


def by_note(rows: Iterable[Row]) -> list[Row]:
    """One row a note, each with the gold that has its evidence there.

    Raises:
        UserError: A code of an encounter with several notes has no evidence to tell which.
    """
    found = []
    for row in rows:
        encounter, gold = row.encounter, _gold(row)
        for number, note in enumerate(encounter.notes):
            if len(encounter.notes) == 1:
                own = gold
            else:
                homeless = next((g["code"] for g in gold if not g["evidence"]), None)
                if homeless:
                    raise UserError(
                        f"{encounter.encounter_id}: no evidence says which note {homeless} is of,"
                        " so `--unit note` cannot be scored"
                    )
                own = [_in_note(g, number) for g in gold]
            name = f"{encounter.encounter_id}/{note.note_id}"
            single = replace(encounter, encounter_id=name, notes=(note,))
            found.append(Row(single, [g for g in own if g]))
    return found


def _gold(row: Row) -> list[dict[str, Any]]:
    return row.gold if isinstance(row.gold, list) else []


def _in_note(gold: dict[str, Any], number: int) -> dict[str, Any]:
    evidence = [
        [{**place, "note": 0} for place in mention]
        for mention in gold["evidence"]
        if all(place["note"] == number for place in mention)
    ]
    return {**gold, "evidence": evidence} if evidence else {}


def fingerprint(rows: Iterable[Row]) -> str:
    """A short hash of the ids, texts and gold of rows, in their order."""
    digest = hashlib.sha256()
    for row in rows:
        notes = [
            (n.note_id, hashlib.sha256(n.text.encode()).hexdigest()) for n in row.encounter.notes
        ]
        digest.update(orjson.dumps([row.encounter.encounter_id, notes, row.gold]))
    return digest.hexdigest()[:16]


def gold_codes(row: Row) -> tuple[str, ...]:
    """The codes of a row's gold, which `counted` has cut to what is scored."""
    return tuple(dict.fromkeys(g["code"] for g in _gold(row)))


def gold_spans(row: Row) -> list[tuple[str, tuple[Span, ...]]]:
    """(code, fragments) of each mention of such a code."""
    return [
        (g["code"], tuple(Span(p["note"], p["begin"], p["end"]) for p in mention))
        for g in _gold(row)
        for mention in g["evidence"]
    ]


def label_space(
    name: str, gold: Sequence[Iterable[str]], train: Sequence[Iterable[str]]
) -> tuple[str, frozenset[str] | None]:
    """What is written of the label space, and its codes (None: all of the classification).

    Args:
        name: `all`, `gold`, `topN` (of the train split) or a file with a code a line.
        gold: The gold codes of what is scored.
        train: Those of the train split.

    Raises:
        UserError: There is no such file, or no train split to count in.
    """
    if name == "all":
        return "all", None
    if name == "gold":
        space = frozenset(code for codes in gold for code in codes)
        return f"gold ({len(space):,} codes)", space
    if name.startswith("top") and name[3:].isdigit():
        if not train:
            raise UserError(f"--label-space {name} counts in the train split, which is not here")
        counts = Counter(code for codes in train for code in set(codes))
        ranked = sorted(counts, key=lambda code: (-counts[code], code))
        space = frozenset(ranked[: int(name[3:])])
        return f"{name} ({len(space):,} codes)", space
    path = Path(name)
    if not path.is_file():
        raise UserError(f"--label-space {name}: neither all, gold, top50 nor a file")
    space = frozenset(path.read_text("utf-8").upper().split())
    digest = hashlib.sha256("\n".join(sorted(space)).encode()).hexdigest()[:8]
    return f"{path.name} ({len(space):,} codes, {digest})", space
