"""Overlaps: what stands on both sides of a figure, or in two splits of a data set.

Data sets lie over each other: MDACE, MedDEC and the phenotypes over notes of MIMIC-III, the
SNOMED entities over notes of MIMIC-IV. Two things tell of it.

Ids. Data sets of one corpus share its numbers of stays, notes and patients, however each calls its
encounters. Corpora are worlds of their own: patients of 2008 to 2012 stand in MIMIC-III and in
MIMIC-IV under numbers drawn anew, and nothing here can see that.

Flags, which `clh prepare` writes into a row, `KIND:DATASET[/SPLIT]`:

    overlaps:mimic-iii/test   the row's stay stands in that split of that data set, too
    overlaps:mimic-iii        its text is of that corpus; which split was not known
    subject:mdace/train       another stay of its patient stands in that split of its own data set
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from clhcode.datasets.registry import DATASETS
from clhcode.errors import UserError
from clhcode.records import Encounter
from clhcode.table.convert import Row

OVERLAPS, SUBJECT = "overlaps", "subject"
Id = tuple[str, str]
"""A corpus, and a number in it."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the scored rows meet the training rows; each counts once, where it comes first.

    Attributes:
        encounters: Those whose stay or note is trained on.
        subjects: Those whose patient is, by another stay.
        flagged: Those that only their flags, or those of the training rows, tell of.
        scored: All of them.
        first: The name of one that meets.
    """

    encounters: int
    subjects: int
    flagged: int
    scored: int
    first: str = ""

    def __bool__(self) -> bool:
        return bool(self.encounters or self.subjects or self.flagged)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def describe(self) -> str:
        """For people: how many, and by what."""
        kinds = (
            (self.encounters, "by the stay or note"),
            (self.subjects, "by the patient"),
            (self.flagged, "by their split or a flag"),
        )
        told = ", ".join(f"{count:,} {how}" for count, how in kinds if count)
        met = self.encounters + self.subjects + self.flagged
        return f"{met:,} of {self.scored:,} scored encounters meet the training rows ({told})"


def overlap(train: Iterable[Row], scored: Iterable[Row], splits: Iterable[str] = ()) -> Overlap:
    """What of the scored rows is known from the training rows.

    Flags are asked only where ids cannot tell: they name a whole split, of which the training
    rows may be a part, and a row that lost its data set's name on the way may have kept them.

    Args:
        train: Rows that a method has learned from; of these no text is looked at.
        scored: Rows that it is judged by.
        splits: What else it has learned from, where the rows are not here: `mimic-iii/train`.
    """
    stays: set[Id] = set()
    notes: set[Id] = set()
    subjects: set[Id] = set()
    gone = {place for each in splits for place in (each, _corpus(each.partition("/")[0]))}
    exact: dict[str, bool] = {}
    for row in train:
        one = row.encounter
        stays.add(_stay(one))
        notes.update(_notes(one))
        subjects.update(_subject(one))
        for place in _homes(one):
            exact[place] = _numbered(one) and exact.get(place, True)
    counts = {"encounters": 0, "subjects": 0, "flagged": 0}
    total, first = 0, ""
    for row in scored:
        one, total = row.encounter, total + 1
        told = {place for place in _places(one.flags) if place in gone or place in exact}
        sure = _numbered(one)
        if _stay(one) in stays or not notes.isdisjoint(_notes(one)):
            kind = "encounters"
        elif not subjects.isdisjoint(_subject(one)):
            kind = "subjects"
        elif home(one) in gone or any(p in gone or not (sure and exact[p]) for p in told):
            kind = "flagged"
        else:
            continue
        counts[kind] += 1
        first = first or one.encounter_id
    return Overlap(**counts, scored=total, first=first)


def refuse(found: Overlap, what: str) -> None:
    """Ends the command where something overlaps.

    Args:
        found: What `overlap` found.
        what: What is scored, for the message.

    Raises:
        UserError: Something does.
    """
    if found:
        raise UserError(
            f"{what}: {found.describe()}, the first is {found.first}: figures would tell of"
            " memory (--allow-overlap scores all the same, and says so)"
        )


def flag(kind: str, dataset: str, split: str | None = None) -> str:
    """A flag of `overlaps` or `subject`."""
    return f"{kind}:{dataset}/{split}" if split else f"{kind}:{dataset}"


def with_subjects(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows, each flagged with the other splits of its data set that have its patient."""
    splits: dict[tuple[str | None, str], set[str]] = {}
    for row in rows:
        one = row.encounter
        if one.subject_id and one.split:
            splits.setdefault((one.dataset, one.subject_id), set()).add(one.split)
    for row in rows:
        one = row.encounter
        others = splits.get((one.dataset, one.subject_id or ""), set()) - {one.split}
        more = tuple(flag(SUBJECT, one.dataset or "", split) for split in sorted(others))
        yield replace(row, encounter=replace(one, flags=(*one.flags, *more))) if more else row


def _corpus(dataset: str | None) -> str:
    known = DATASETS.get(dataset or "")
    return (known.corpus if known else "") or dataset or ""


def _stay(one: Encounter) -> Id:
    known = DATASETS.get(one.dataset or "")
    name = one.encounter_id
    if known and known.stay and (match := re.match(known.stay, name)):
        name = match[1]
    return _corpus(one.dataset), name


def _notes(one: Encounter) -> Iterator[Id]:
    """Where notes are numbered by a corpus; a user's own may be called 1, 2, 3 in each stay."""
    known = DATASETS.get(one.dataset or "")
    if known and known.corpus:
        yield from ((known.corpus, note.note_id) for note in one.notes)


def _subject(one: Encounter) -> Iterator[Id]:
    if one.subject_id:
        yield _corpus(one.dataset), one.subject_id


def _numbered(one: Encounter) -> bool:
    """Whether its ids are those of a corpus, so that they tell all that there is to tell."""
    known = DATASETS.get(one.dataset or "")
    return bool(known and known.corpus)


def home(one: Encounter) -> str:
    """Where a row stands: `DATASET/SPLIT`."""
    return f"{one.dataset or ''}/{one.split or ''}"


def _homes(one: Encounter) -> Iterator[str]:
    """Where a row stands, as flags name it: by data set and split, and by corpus."""
    if one.dataset:
        yield home(one)
        yield _corpus(one.dataset)


def _places(flags: Iterable[str]) -> Iterator[str]:
    for each in flags:
        kind, colon, place = each.partition(":")
        if colon and kind in (OVERLAPS, SUBJECT):
            yield place if "/" in place else _corpus(place)
