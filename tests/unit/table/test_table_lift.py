from __future__ import annotations

import pytest

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, is_bad, to_dict
from clhcode.table.lift import lift
from clhcode.table.plain import WrongError


def lifted(*notes):
    return list(lift(((f"f: row {n}", note) for n, note in enumerate(notes, 1)), "notes"))


def test_each_note_is_its_own_encounter_without_encounter_ids():
    assert lifted({"text": "a"}, {"text": "b", "note_id": "x"}, {"text": "c", "note_id": "x"}) == [
        Row(Encounter("notes-1", (Note("notes-1", "a"),))),
        Row(Encounter("x", (Note("x", "b"),))),
        Row(Encounter("x", (Note("x", "c"),))),
    ]


def test_consecutive_notes_of_an_encounter_make_one_row():
    rows = lifted(
        {"encounter_id": "A", "text": "a", "category": "ed", "age": "63"},
        {"encounter_id": "A", "text": "b", "note_id": "n7", "sex": "F", "age": 64},
        {"encounter_id": "B", "text": "c"},
    )
    assert rows == [
        Row(Encounter("A", (Note("notes-1", "a", "ed"), Note("n7", "b")), sex="female", age=63)),
        Row(Encounter("B", (Note("notes-3", "c"),))),
    ]


def test_notes_of_an_encounter_that_stand_apart_are_told():
    apart = [{"encounter_id": each, "text": "a"} for each in "ABA"]
    with pytest.raises(UserError, match="row 3: encounter `A` comes back after another"):
        lifted(*apart)


def test_ids_may_be_numbers_and_blanks_are_nothing():
    (row,) = lifted(
        {"encounter_id": 20001305.0, "subject_id": 7, "note_id": "", "text": "", "sex": " ",
         "age": "63.0", "split": float("nan"), "setting": "outpatient"}
    )  # fmt: skip
    assert row == Row(
        Encounter("20001305", (Note("notes-1", ""),), subject_id="7", age=63, setting="outpatient")
    )


def gold(code, *evidence):
    return {"code": code, "system": "icd10cm", "evidence": list(evidence)}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("E11.9, N18.3;Z79.4 I10", [gold(c) for c in ("E11.9", "N18.3", "Z79.4", "I10")]),
        (["E11.9"], [gold("E11.9")]),
        ([{"code": "E11.9"}], [gold("E11.9")]),
        ([], []),
        (" ", None),
        (None, None),
    ],
)
def test_gold_as_people_write_it(written, meant):
    assert lifted({"text": "a", "gold": written})[0].gold == meant


def test_gold_of_several_notes_points_at_its_own_note():
    def span(note):
        return {"note": note, "begin": 0, "end": 1}

    rows = lifted(
        {"encounter_id": 1, "text": "a"},
        {"encounter_id": 1, "text": "b", "gold": [gold("A00", [span(0)], [])]},
        {"encounter_id": 1, "text": "c", "gold": [gold("B00", [span(0), span(0)])]},
    )
    assert rows[0].gold == [gold("A00", [span(1)], []), gold("B00", [span(2), span(2)])]


def test_a_row_of_the_table_goes_through_by_itself():
    row = Row(Encounter("A", (Note("n", "a"),), flags=("x",)))
    assert lifted({"encounter_id": "A", "text": "b"}, to_dict(row), to_dict(row))[1:] == [row, row]


def test_it_holds_one_encounter():
    seen = []

    def notes():
        for n in range(9):
            seen.append(n)
            yield "row", {"encounter_id": n // 2, "text": "a"}

    rows = lift(notes(), "x")
    next(rows)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({"text": None}, "`text` is null"),
        ({"text": 3}, "`text` must be a string"),
        ({"text": "SECRET", "sex": "SECRET"}, "`sex` must be one of f, female, m, male"),
        ({"text": "SECRET", "age": "SECRET"}, "`age` must be whole years from 0 to 150"),
        ({"text": "SECRET", "age": -1}, "`age` must be whole years from 0 to 150"),
        ({"text": "SECRET", "age": 151}, "`age` must be between 0 and 150"),
        ({"text": "SECRET", "setting": "SECRET"}, "`setting` must be one of inpatient, outpatient"),
        ({"text": "SECRET", "gold": 3}, "`gold` must be a list"),
        ({"text": "SECRET", "note_id": ["SECRET"]}, "`note_id` must be a string"),
        ({"note": "SECRET"}, "has neither `text` nor `notes`"),
    ],
)
def test_the_row_and_column_are_named_and_no_value(note, message):
    good, bad = lifted({"text": "a"}, note)
    assert not is_bad(good)
    assert is_bad(bad)
    assert bad.encounter.notes == ()
    assert [error.message for error in bad.encounter.errors] == [f"f: row 2: {message}"]


def test_a_bad_note_marks_its_encounter_and_no_other():
    rows = lifted(
        {"encounter_id": "a", "text": "1"},
        {"encounter_id": "a", "text": None},
        {"encounter_id": "b", "text": "2"},
    )
    assert [(row.encounter.encounter_id, is_bad(row)) for row in rows] == [
        ("a", True),
        ("b", False),
    ]
    assert [note.text for note in rows[0].encounter.notes] == ["1"]


def test_a_bad_note_without_a_name_belongs_to_what_it_stands_within():
    bad = WrongError("broken JSON at column 1")
    inside = lifted({"encounter_id": "a", "text": "1"}, bad, {"encounter_id": "a", "text": "2"})
    assert [(row.encounter.encounter_id, is_bad(row)) for row in inside] == [("a", True)]
    between = lifted({"encounter_id": "a", "text": "1"}, bad, {"encounter_id": "b", "text": "2"})
    names = [(row.encounter.encounter_id, is_bad(row)) for row in between]
    assert names == [("a", False), ("notes-2", True), ("b", False)]
    at_the_end = lifted({"text": "1"}, bad)
    assert [is_bad(row) for row in at_the_end] == [False, True]
