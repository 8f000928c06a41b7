"""MIMIC-III 1.4: stays in intensive care with their discharge summaries and ICD-9 codes.

Layout (PhysioNet `mimiciii/1.4`; each file `.csv.gz` or `.csv`):

    NOTEEVENTS      see `clhcode.datasets.noteevents`
    DIAGNOSES_ICD   ROW_ID, SUBJECT_ID, HADM_ID, SEQ_NUM, ICD9_CODE (no dots, leading zeros)
    PROCEDURES_ICD  the same
    ADMISSIONS      ..., SUBJECT_ID, HADM_ID, ADMITTIME, ...
    PATIENTS        ..., SUBJECT_ID, GENDER, DOB, ...

An encounter is a stay (HADM_ID) with at least one code and one note of the category `Discharge
summary`. Mullenbach et al. 2018 (caml-mimic, `dataproc`) and Edin et al. 2023 (medical-coding-
reproducibility, `prepare_data`) take all rows of that category, reports and addenda, and join their
texts; so do we, but each stays a note of its own, in the order of CHARTDATE and ROW_ID.

As they do: codes are dotted, one that repeats in a stay counts once, rows without ICD9_CODE and
stays without a code are left out. `mimic-iii-50` has the 50 codes that Edin et al. list as those of
Mullenbach: counting on version 1.4, they found others. Its stays without one of the 50 are left
out. `mimic-iii-clean` has codes that ten or more stays with a discharge summary have.

Ours: notes with ISERROR `1` are left out; text is neither lowered nor cut; diagnoses come before
procedures, each in the order of SEQ_NUM; stays of no split stay in `mimic-iii` without one. The
births of patients older than 89 are set 300 years before their first stay: their age is given as
90. Edin et al. name procedure codes that two entries of D_ICD_PROCEDURES share without leading
zeros, and keep them; so do we.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.datasets.csvfile import find
from clhcode.datasets.noteevents import Event, events
from clhcode.datasets.registry import Raw
from clhcode.datasets.stays import (
    CodeFile,
    Cut,
    StayNote,
    add_codes,
    add_notes,
    age_of,
    coded_stays,
    sex_of,
    stays,
)
from clhcode.datasets.workbench import Texts, load, workbench
from clhcode.errors import UserError
from clhcode.table.convert import Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CATEGORY = "Discharge summary"

_DIAGNOSES = """
    401.9 428.0 427.31 414.01 584.9 250.00 272.4 518.81 599.0 530.81 272.0 285.9 244.9 486 285.1
    276.2 496 995.92 V58.61 507.0 038.9 585.9 403.90 311 305.1 412 287.5 410.71 276.1 V45.81 424.0
    V15.82 511.9
""".split()
_PROCEDURES = """
    38.93 96.04 96.6 96.71 99.04 39.61 96.72 88.56 38.91 36.15 99.15 88.72 37.22 33.24 39.95 45.13
    37.23
""".split()
FIFTY = frozenset(
    [("icd9cm", code) for code in _DIAGNOSES] + [("icd9pcs", code) for code in _PROCEDURES]
)
"""The most frequent codes of Mullenbach et al. 2018."""

FULL = Cut("mimic-iii", "mimiciii_full_splits.feather")
TOP = Cut("mimic-iii-50", "mimiciii_50_splits.feather", split_only=True, codes=FIFTY)
CLEAN = Cut("mimic-iii-clean", "mimiciii_clean_splits.feather", split_only=True, fewest=10)


def full(raw: Raw) -> Iterator[Row]:
    """All stays with all codes."""
    return _rows(raw, FULL)


def fifty(raw: Raw) -> Iterator[Row]:
    """The 50 codes, and the stays of their split."""
    return _rows(raw, TOP)


def clean(raw: Raw) -> Iterator[Row]:
    """Codes of ten stays or more, and the stays of their split."""
    return _rows(raw, CLEAN)


def _rows(raw: Raw, cut: Cut) -> Iterator[Row]:
    columns = {"stay": "HADM_ID", "place": "SEQ_NUM", "code": "ICD9_CODE"}
    files = [
        CodeFile(find(raw.folder, "DIAGNOSES_ICD", "--from"), columns, procedures=False),
        CodeFile(find(raw.folder, "PROCEDURES_ICD", "--from"), columns, procedures=True),
    ]
    with workbench(raw.work) as connection, closing(Texts(raw.work)) as texts:
        _people(connection, raw.folder)
        add_codes(connection, files, "9", raw.left_out)
        summaries = _summaries(raw, coded_stays(connection))
        add_notes(connection, summaries, texts, raw.left_out)
        yield from stays(connection, cut, raw.others["splits"], texts, raw.left_out)


def _people(connection: DuckDBPyConnection, folder: Path) -> None:
    patients = find(folder, "PATIENTS", "--from")
    admissions = find(folder, "ADMISSIONS", "--from")
    load(connection, "patient", patients, {"subject": "SUBJECT_ID", "sex": "GENDER", "born": "DOB"})
    told = {"stay": "HADM_ID", "subject": "SUBJECT_ID", "came": "ADMITTIME"}
    load(connection, "admission", admissions, told)
    connection.execute(
        f"CREATE TABLE person AS SELECT TRY_CAST(stay AS BIGINT) AS stay, {sex_of('sex')} AS sex,"
        f" {age_of('born', 'came')} AS age FROM admission LEFT JOIN patient USING (subject)"
    )


def _summaries(raw: Raw, coded: Collection[int]) -> Iterator[StayNote]:
    left_out = raw.left_out
    uncoded: set[int] = set()
    for number, event in enumerate(events(raw.folder, left_out, "--from"), 1):
        if event.category.strip() != CATEGORY:
            continue
        if event.error.strip() == "1":
            left_out["discharge summaries marked as an error (ISERROR)"] += 1
        elif not event.stay.strip():
            left_out["discharge summaries without HADM_ID"] += 1
        elif not event.text.strip():
            left_out["discharge summaries without text"] += 1
        else:
            note = _note(event, number)
            if note.stay in coded:
                yield note
            elif note.stay not in uncoded:
                uncoded.add(note.stay)
                left_out["stays with a discharge summary and no code"] += 1


def _note(event: Event, number: int) -> StayNote:
    try:
        # Some tools write whole numbers of a column with gaps as `167853.0`.
        row, stay = int(event.row_id), int(event.stay.strip().removesuffix(".0"))
    except ValueError:
        told = "ROW_ID and HADM_ID must be numbers"
        raise UserError(f"NOTEEVENTS: row {number}: {told}") from None
    addendum = event.description.strip() == "Addendum"
    category = f"{CATEGORY}, addendum" if addendum else CATEGORY
    return StayNote(stay, event.subject, event.date or "~", row, str(row), category, event.text)
