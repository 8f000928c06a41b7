"""Phenotype Annotations 1.20.03: what ails a patient, told for a whole note of MIMIC-III.

Layout (PhysioNet `phenotype-annotations-mimic/1.20.03`): `ACTdb102003.csv` with HADM_ID,
SUBJECT_ID, ROW_ID, a column of 0 and 1 for each of `PHENOTYPES`, NONE, UNSURE, BATCH.ID and
OPERATOR; a row is an operator's reading of a note, and a note has several. ROW_ID is that of
NOTEEVENTS.

An encounter is a note; the code is the name of the column; no evidence is marked.

Ours: a phenotype holds where more than half of the note's operators see it. Several rows of one
operator are one reading, which sees what any of them sees. NONE, or no phenotype at all, is a
reading that sees nothing. A reading that is UNSURE, or NONE beside a phenotype, does not count, and
a note without a reading that counts has no gold. MedDEC's authors rank the operators instead, and
take all that the highest rank sees. There is no published split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from clhcode.datasets.csvfile import find
from clhcode.datasets.csvfile import rows as read
from clhcode.datasets.gold import golden
from clhcode.datasets.noteevents import texts
from clhcode.datasets.registry import Raw
from clhcode.datasets.splits import flags_of
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row

PHENOTYPES = (
    "ADVANCED.CANCER",
    "ADVANCED.HEART.DISEASE",
    "ADVANCED.LUNG.DISEASE",
    "ALCOHOL.ABUSE",
    "CHRONIC.NEUROLOGICAL.DYSTROPHIES",
    "CHRONIC.PAIN.FIBROMYALGIA",
    "DEMENTIA",
    "DEPRESSION",
    "DEVELOPMENTAL.DELAY.RETARDATION",
    "NON.ADHERENCE",
    "OBESITY",
    "OTHER.SUBSTANCE.ABUSE",
    "SCHIZOPHRENIA.AND.OTHER.PSYCHIATRIC.DISORDERS",
)
_MARKS = ("NONE", "UNSURE")
_COLUMNS = ("ROW_ID", "SUBJECT_ID", "OPERATOR", *PHENOTYPES, *_MARKS)

Reading = set[str]
"""The columns that an operator has marked."""


def rows(raw: Raw) -> Iterator[Row]:
    """One encounter a note, by ROW_ID."""
    path = find(raw.folder, "ACTdb102003", "--from")
    readings: dict[int, dict[str, Reading]] = {}
    subjects: dict[int, str] = {}
    for number, values in enumerate(read(path, _COLUMNS, raw.left_out), 1):
        row, subject, operator = values[:3]
        marks = dict(zip(_COLUMNS[3:], values[3:], strict=True))
        try:
            # Some releases write the marks of a column with gaps as `1.0`.
            seen = {name for name, mark in marks.items() if float(mark or 0)}
            note = int(row)
        except ValueError:
            raise UserError(f"{path}: row {number}: ROW_ID and marks must be numbers") from None
        if operator in readings.setdefault(note, {}):
            raw.left_out["further rows of one operator, joined to the first"] += 1
        readings[note].setdefault(operator, set()).update(seen)
        subjects[note] = subject.strip()
    notes = texts(raw.others["mimic-iii"], readings, raw.left_out)
    placed = flags_of(raw.others.get("splits"), "phenotypes")
    for note, by_operator in sorted(readings.items()):
        event = notes[note]
        if event.subject.strip() != subjects[note]:
            raise UserError(
                f"{path}: ROW_ID {note} is of another patient in NOTEEVENTS: is this MIMIC-III 1.4?"
            )
        stay = event.stay.strip().removesuffix(".0")
        found = agreed(by_operator.values(), raw.left_out)
        encounter = Encounter(
            f"{event.subject}_{event.stay}_{note}",
            (Note(str(note), event.text, event.category),),
            dataset="phenotypes",
            subject_id=event.subject,
            setting="inpatient",
            flags=placed(int(stay) if stay.isdigit() else None),
        )
        gold = None if found is None else golden(("phenotype", name, []) for name in found)
        yield Row(encounter, gold)


def agreed(readings: Iterable[Reading], left_out: Counter[str]) -> list[str] | None:
    """The phenotypes that more than half of the readings see; `None` where no reading counts."""
    counted = []
    for reading in readings:
        if "UNSURE" in reading:
            left_out["readings that are UNSURE"] += 1
        elif "NONE" in reading and len(reading) > 1:
            left_out["readings that say NONE and a phenotype"] += 1
        else:
            counted.append(reading)
    if not counted:
        left_out["gold of notes without a reading that counts"] += 1
        return None
    votes = Counter(name for reading in counted for name in reading if name != "NONE")
    minority = [name for name in votes if 2 * votes[name] <= len(counted)]
    if minority:
        left_out["phenotypes that at most half of a note's operators see"] += len(minority)
    return [name for name in PHENOTYPES if name in votes and name not in minority]
