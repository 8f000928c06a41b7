"""MIMIC-III over files of the official shape, whose stays are known."""

import os
import random
from collections import Counter
from dataclasses import replace

import mimic_files as made
import pytest
from mimic_files import Stay, Style, text_of

from clhcode.datasets.dots import printed
from clhcode.datasets.mimic_iii import FIFTY
from clhcode.datasets.registry import Raw, dataset
from clhcode.errors import UserError
from clhcode.table.convert import to_dict

OFFICIAL = Style()


def prepared(name, folder, splits, tmp_path):
    """The rows as plain dicts, cut to what `table_of` says, and what was left out."""
    work = tmp_path / "work"
    work.mkdir()
    raw = Raw(folder, {"splits": splits}, Counter(), work)
    kept = ("encounter_id", "dataset", "split", "subject_id", "sex", "age", "setting")
    rows = [to_dict(row) for row in dataset(name).rows()(raw)]
    return [{key: row[key] for key in (*kept, "notes", "gold")} for row in rows], raw.left_out


def files(tmp_path, stays, style=OFFICIAL, name="mimiciii_full_splits.feather", **more):
    folder = made.mimic_iii(tmp_path / "raw", stays, style, **more)
    return folder, made.splits(tmp_path / "splits", name, stays)


@pytest.mark.parametrize(
    ("plain", "form", "wanted"),
    [
        ("4019", ("9", False), "401.9"),
        ("486", ("9", False), "486"),
        ("00845", ("9", False), "008.45"),
        ("V3001", ("9", False), "V30.01"),
        ("E9342", ("9", False), "E934.2"),
        ("E975", ("9", False), "E975"),
        ("3893", ("9", True), "38.93"),
        ("0066", ("9", True), "00.66"),
        ("66", ("9", True), "66"),
        ("966", ("9", True), "96.6"),
        ("I10", ("10", False), "I10"),
        ("E1122", ("10", False), "E11.22"),
        ("E860", ("10", False), "E86.0"),
        ("s72001a ", ("10", False), "S72.001A"),
        ("02703ZZ", ("10", True), "02703ZZ"),
        ("401.9", ("9", False), "401.9"),
    ],
)
def test_dots_stand_where_the_book_has_them(plain, form, wanted):
    assert printed(plain, form) == wanted


@pytest.mark.parametrize(
    "style",
    [
        Style(),
        Style(zipped=False, tree=False, upper=False),
        Style(shuffled=True),
        Style(shuffled=True, zipped=False, line_end="\r\n"),
    ],
    ids=["official", "plain", "shuffled", "crlf"],
)
def test_stays_come_out_as_they_are(tmp_path, style):
    stays = made.many(30)
    random.Random(0).shuffle(stays)
    rows, left_out = prepared("mimic-iii", *files(tmp_path, stays, style), tmp_path)
    assert rows == made.table_of(stays, "mimic-iii")
    assert left_out == {}


def test_notes_stand_in_the_order_of_date_and_row(tmp_path):
    notes = [
        (40, "2150-06-20", False, text_of("report")),
        (7, "2150-06-21", True, text_of("second")),
        (9, "2150-06-21", True, text_of("third")),
        (3, "2150-06-30", True, text_of("last")),
    ]
    stay = Stay(100_001, 5, notes, ["4019"])
    ((row,), _) = prepared("mimic-iii", *files(tmp_path, [stay]), tmp_path)
    assert [note["note_id"] for note in row["notes"]] == ["40", "7", "9", "3"]
    assert [note["category"] for note in row["notes"]] == [
        "Discharge summary",
        *["Discharge summary, addendum"] * 3,
    ]
    assert [note["text"] for note in row["notes"]] == [text for *_, text in notes]


@pytest.mark.parametrize(
    ("born", "came", "age"),
    [
        ("2080-06-15 00:00:00", "2150-06-14 23:59:59", 69),
        ("2080-06-15 00:00:00", "2150-06-15 00:00:00", 70),
        ("2150-06-14 00:00:00", "2150-06-14 10:00:00", 0),
        ("2061-01-01 00:00:00", "2150-12-31 10:00:00", 89),
        ("2060-01-01 00:00:00", "2150-01-01 10:00:00", 90),
        ("1850-06-14 00:00:00", "2150-06-14 10:00:00", 90),
        ("1850-06-14 00:00:00", "2154-01-01 10:00:00", 90),
        ("2151-06-14 00:00:00", "2150-06-14 10:00:00", None),
        (None, "2150-06-14 10:00:00", None),
        ("2080-06-15 00:00:00", None, None),
        ("2080-02-29 00:00:00", "2150-02-28 12:00:00", 69),
    ],
)
def test_age_is_in_whole_years_and_capped(tmp_path, born, came, age):
    stay = Stay(100_001, 5, [(1, "2150-06-20", False, "Well.")], ["486"], born=born, came=came)
    stay = replace(stay, sex=None, age=age)
    (rows, _) = prepared("mimic-iii", *files(tmp_path, [stay]), tmp_path)
    assert rows == made.table_of([stay], "mimic-iii")


def summary(row, subject, stay, text="Well.", error=None, date="2150-06-20"):
    about = (date, None, None, "Discharge summary", "Report", None, error)
    return [row, subject, stay, *about, text]


def test_what_is_left_out_is_counted(tmp_path):
    stays = made.many(4)
    stays[0] = replace(stays[0], diagnoses=["486", "4019", "486"], procedures=["3893"])
    more = [
        summary(9_001, 1, 100_001, error="1"),
        summary(9_002, 1, None),
        summary(9_003, 1, 100_001, text=" \n"),
        summary(9_004, 77, 777_777),
        summary(9_005, 77, 777_777),
        summary(1, 1, 100_001),  # its ROW_ID has been there: rows of the stays come later
    ]
    more[-1][-1] = stays[0].notes[0][3]
    codes = [
        [1, 1, 100_001, 4, None],
        [1, 1, None, 1, "4019"],
        [1, 55, 555_555, 1, "4019"],
    ]
    folder, splits = files(tmp_path, stays, more=more, codes=codes)
    extra = [*stays, Stay(999_999, 1, [], split="test")]
    made.splits(splits, "mimiciii_full_splits.feather", extra)
    rows, left_out = prepared("mimic-iii", folder, splits, tmp_path)
    wanted = made.table_of(stays, "mimic-iii")
    assert [r["encounter_id"] for r in rows] == [r["encounter_id"] for r in wanted]
    assert [g["code"] for g in rows[0]["gold"]] == ["486", "401.9", "38.93"]
    assert left_out == {
        "rows of DIAGNOSES_ICD.csv.gz without a code": 1,
        "rows of DIAGNOSES_ICD.csv.gz without a stay": 1,
        "rows of DIAGNOSES_ICD.csv.gz that repeat a code of their stay": 1,
        "discharge summaries marked as an error (ISERROR)": 1,
        "discharge summaries without HADM_ID": 1,
        "discharge summaries without text": 1,
        "stays with a discharge summary and no code": 1,
        "notes that are there twice": 1,
        "stays with codes and no discharge summary": 1,
        "stays of the split file that are not here": 1,
    }


def test_a_stay_of_no_split_is_kept_without(tmp_path):
    stays = [replace(stay, split=None if n == 1 else "test") for n, stay in enumerate(made.many(3))]
    rows, _ = prepared("mimic-iii", *files(tmp_path, stays), tmp_path)
    assert [row["split"] for row in rows] == ["test", None, "test"]


def test_fifty_codes_and_the_stays_of_their_split(tmp_path):
    stays = [
        Stay(1, 1, [(1, "2150-01-01", False, "One.")], ["E8889", "4019"], ["0066", "3893"]),
        Stay(2, 2, [(2, "2150-01-01", False, "Two.")], ["V290"]),
        Stay(3, 3, [(3, "2150-01-01", False, "Three.")], ["4019"], split=None),
    ]
    name = "mimiciii_50_splits.feather"
    rows, left_out = prepared("mimic-iii-50", *files(tmp_path, stays, name=name), tmp_path)
    assert [(r["encounter_id"], [g["code"] for g in r["gold"]]) for r in rows] == [
        ("1", ["401.9", "38.93"])
    ]
    assert left_out == {
        "stays that are in no split": 1,
        "codes that the data set is not of": 3,
        "stays without a code that the data set is of": 1,
        "stays of the split file that are not here": 1,
    }
    assert len(FIFTY) == 50
    assert {code for system, code in FIFTY if system == "icd9pcs"} & {"38.93", "96.6", "37.23"}


def test_clean_has_codes_of_ten_stays(tmp_path):
    # Ten stays have 401.9 (one of them in no split), nine have 486; one has 486 alone.
    stays = [
        Stay(n, n, [(n, "2150-01-01", False, f"Note {n}.")], ["4019"], split="train")
        for n in range(1, 11)
    ]
    stays[0] = replace(stays[0], split=None)
    stays[1:9] = [replace(stay, diagnoses=["486", "4019"]) for stay in stays[1:9]]
    stays.append(Stay(11, 11, [(11, "2150-01-01", False, "Last.")], ["486"], split="test"))
    name = "mimiciii_clean_splits.feather"
    rows, left_out = prepared("mimic-iii-clean", *files(tmp_path, stays, name=name), tmp_path)
    assert [row["encounter_id"] for row in rows] == [str(n) for n in range(2, 11)]
    assert {g["code"] for row in rows for g in row["gold"]} == {"401.9"}
    assert left_out == {
        "different codes of fewer than 10 stays": 1,
        "stays that are in no split": 1,
        "codes that the data set is not of": 9,
        "stays without a code that the data set is of": 1,
        "stays of the split file that are not here": 1,
    }


def test_a_diagnosis_and_a_procedure_of_one_number_are_two(tmp_path):
    # 38.93 is a procedure; 389.3 would be a diagnosis. SEQ_NUM missing comes last.
    stay = Stay(1, 1, [(1, "2150-01-01", False, "One.")], ["4019"], ["3893"])
    codes = [[1, 1, 1, None, "486"], [1, 1, 1, 0, "0389"]]
    ((row,), _) = prepared("mimic-iii", *files(tmp_path, [stay], codes=codes), tmp_path)
    assert [(g["system"], g["code"]) for g in row["gold"]] == [
        ("icd9cm", "038.9"),
        ("icd9cm", "401.9"),
        ("icd9cm", "486"),
        ("icd9pcs", "38.93"),
    ]


def test_bytes_that_are_not_utf_8_are_counted_and_move_nothing(tmp_path):
    text = f"fever{made.BAD}\u4e2d of 39{made.BAD * 2} gout"
    stay = Stay(1, 1, [(1, "2150-01-01", False, text)], ["4019"])
    ((row,), left_out) = prepared("mimic-iii", *files(tmp_path, [stay]), tmp_path)
    assert row["notes"][0]["text"] == "fever\ufffd\u4e2d of 39\ufffd\ufffd gout"
    assert left_out == {
        "bytes of NOTEEVENTS.csv.gz that are not UTF-8 (a U+FFFD stands for each)": 3
    }


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("DIAGNOSES_ICD", b"ROW_ID,HADM_ID,SEQ_NUM\n", "no column ICD9_CODE"),
        ("DIAGNOSES_ICD", b"HADM_ID,SEQ_NUM,ICD9_CODE\n1,1,486\n1,2\n", "not a row of 3 columns"),
        ("PATIENTS", b"SUBJECT_ID,GENDER,DOB\n1,F,\xff\xff\n", "not a row of 3 columns in UTF-8"),
        ("ADMISSIONS", None, "no ADMISSIONS.csv.gz or ADMISSIONS.csv here"),
        ("NOTEEVENTS", b"ROW_ID,SUBJECT_ID,HADM_ID\n", "no column CHARTDATE"),
    ],
)
def test_a_damaged_file_is_told_in_a_line(tmp_path, name, data, says):
    folder, splits = files(tmp_path, made.many(2), Style(zipped=False, tree=False))
    path = folder / f"{name}.csv"
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    with pytest.raises(UserError) as told:
        prepared("mimic-iii", folder, splits, tmp_path)
    assert says in str(told.value)
    assert str(path if data else folder) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_code_file_cut_short_is_told(tmp_path):
    folder, splits = files(tmp_path, made.many(200), Style(tree=False))
    path = folder / "PROCEDURES_ICD.csv.gz"
    os.truncate(path, path.stat().st_size - 40)
    with pytest.raises(UserError, match=r"PROCEDURES_ICD\.csv\.gz: Compressed file ended"):
        prepared("mimic-iii", folder, splits, tmp_path)


def test_a_header_alone_is_no_error(tmp_path):
    stays = [replace(stay, procedures=[]) for stay in made.many(3)]
    rows, _ = prepared("mimic-iii", *files(tmp_path, stays), tmp_path)
    assert rows == made.table_of(stays, "mimic-iii")


def test_missing_splits_are_told(tmp_path):
    folder, splits = files(tmp_path, made.many(2), name="other.feather")
    with pytest.raises(UserError, match=r"no mimiciii_full_splits.feather here \(--splits names"):
        prepared("mimic-iii", folder, splits, tmp_path)
