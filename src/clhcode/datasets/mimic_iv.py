"""MIMIC-IV (2.0 to 3.1) with MIMIC-IV-Note 2.2: hospital stays, discharge summaries, codes.

Layout (PhysioNet `mimiciv/VERSION` and `mimic-iv-note/2.2`; each file `.csv.gz` or `.csv`; columns
are found by name, since their order differs by version):

    hosp/diagnoses_icd   subject_id, hadm_id, seq_num, icd_code, icd_version
    hosp/procedures_icd  subject_id, hadm_id, seq_num, chartdate, icd_code, icd_version
    hosp/admissions      subject_id, hadm_id, admittime, ...
    hosp/patients        subject_id, gender, anchor_age, anchor_year, anchor_year_group, dod
    note/discharge       note_id, subject_id, hadm_id, note_type, note_seq, charttime,
                         storetime, text

icd_version is 9 or 10; icd_code has no dot and may be padded with blanks. Which file it is in tells
ICD-10-CM from ICD-10-PCS, and ICD-9-CM from its procedures.

An encounter is a stay with a discharge summary and a code of the version that the data set is of.
As Edin et al. 2023 (medical-coding-reproducibility, `prepare_data`) do: codes are dotted, one that
repeats in a stay counts once, stays without a code are left out. Ours: all codes are kept, while
they leave out codes that fewer than ten stays have (the card tells how many there are), and with
them stays that have no other, which here stand in no split; a code of three characters has no dot
(they write `I10.`); text is neither lowered nor cut; diagnoses come before procedures, each in the
order of seq_num. `mimic-iv-50` has the 50 codes, of diagnoses and procedures, that most stays of
train have, ties by system and code; stays of no split or with none of them are left out.

Age is anchor_age plus the years from anchor_year to the year of admission. MIMIC-IV gives all who
are older than 89 the age of 91; here they, and whoever has become older than 89, are 90.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.datasets.csvfile import find, rows
from clhcode.datasets.registry import Raw
from clhcode.datasets.stays import (
    CodeFile,
    Cut,
    StayNote,
    add_codes,
    add_notes,
    capped,
    coded_stays,
    sex_of,
    stays,
)
from clhcode.datasets.workbench import Texts, load, workbench
from clhcode.errors import UserError
from clhcode.table.convert import Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TYPES = {"DS": "Discharge summary", "AD": "Discharge summary, addendum"}
_NOTE = ("note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "text")

TEN = Cut("mimic-iv", "mimiciv_icd10_split.feather")
NINE = Cut("mimic-iv-icd9", "mimiciv_icd9_split.feather")
TOP = Cut("mimic-iv-50", "mimiciv_icd10_split.feather", split_only=True, most=50)


def icd10(raw: Raw) -> Iterator[Row]:
    """The stays with ICD-10 codes, and all of these."""
    return _rows(raw, TEN, "10")


def icd9(raw: Raw) -> Iterator[Row]:
    """The stays with ICD-9 codes, and all of these."""
    return _rows(raw, NINE, "9")


def fifty(raw: Raw) -> Iterator[Row]:
    """The 50 ICD-10 codes that are the most frequent in train."""
    return _rows(raw, TOP, "10")


def _rows(raw: Raw, cut: Cut, version: str) -> Iterator[Row]:
    columns = {
        "stay": "hadm_id",
        "place": "seq_num",
        "code": "icd_code",
        "version": "icd_version",
    }
    files = [
        CodeFile(find(raw.folder, "diagnoses_icd", "--from"), columns, procedures=False),
        CodeFile(find(raw.folder, "procedures_icd", "--from"), columns, procedures=True),
    ]
    with workbench(raw.work) as connection, closing(Texts(raw.work)) as texts:
        _people(connection, raw.folder)
        add_codes(connection, files, version, raw.left_out)
        summaries = _summaries(raw, coded_stays(connection), version)
        add_notes(connection, summaries, texts, raw.left_out)
        yield from stays(connection, cut, raw.others["splits"], texts, raw.left_out)


def _people(connection: DuckDBPyConnection, folder: Path) -> None:
    patients = find(folder, "patients", "--from")
    admissions = find(folder, "admissions", "--from")
    told = {"subject": "subject_id", "sex": "gender", "old": "anchor_age", "year": "anchor_year"}
    load(connection, "patient", patients, told)
    told = {"stay": "hadm_id", "subject": "subject_id", "came": "admittime"}
    load(connection, "admission", admissions, told)
    age = (
        "(TRY_CAST(old AS INTEGER) + year(TRY_CAST(came AS TIMESTAMP)) - TRY_CAST(year AS INTEGER))"
    )
    connection.execute(
        f"CREATE TABLE person AS SELECT TRY_CAST(stay AS BIGINT) AS stay, {sex_of('sex')} AS sex,"
        f" {capped(age)} AS age FROM admission LEFT JOIN patient USING (subject)"
    )


def _summaries(raw: Raw, coded: Collection[int], version: str) -> Iterator[StayNote]:
    left_out = raw.left_out
    path = find(raw.others["mimic-iv-note"], "discharge", "--mimic-iv-note")
    uncoded: set[int] = set()
    for number, values in enumerate(rows(path, _NOTE, left_out), 1):
        note_id, subject, stay, kind, place, when, text = values
        if not stay.strip():
            left_out["discharge summaries without hadm_id"] += 1
            continue
        if not text.strip():
            left_out["discharge summaries without text"] += 1
            continue
        try:
            own = int(stay.strip().removesuffix(".0"))
            order = int(place.strip() or 0)
        except ValueError:
            told = "hadm_id and note_seq must be numbers"
            raise UserError(f"{path}: row {number}: {told}") from None
        if own in coded:
            category = TYPES.get(kind.strip(), TYPES["DS"])
            yield StayNote(own, subject, when, order, note_id, category, text)
        elif own not in uncoded:
            uncoded.add(own)
            told = f"stays with a discharge summary and no code of ICD-{version}"
            left_out[told] += 1
