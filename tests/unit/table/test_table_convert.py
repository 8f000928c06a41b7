from __future__ import annotations

import math
from dataclasses import replace
from struct import pack

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_cases import EMPTY, FULL, rows

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, from_batch, from_dict, to_batch, to_dict
from clhcode.table.plain import short
from clhcode.table.schema import KEYS


def rounded(row: Row) -> Row:
    """The row as it is once its scores have been float32."""
    return from_dict(to_dict(row), "row")


def test_a_row_as_plain_types():
    plain = to_dict(FULL)
    assert list(plain) == list(KEYS)
    assert plain["encounter_id"] == "e1"
    assert plain["age"] == 63
    assert plain["notes"][1] == {"note_id": "n2", "category": None, "text": "Ça va 🫀"}
    assert plain["gold"] == FULL.gold
    first = plain["conditions"][0]
    assert list(first) == [
        *("quote", "evidence", "section", "lead_term", "modifiers", "assertion", "candidates")
    ]
    assert first["evidence"] == [{"note": 0, "begin": 0, "end": 15}]
    assert first["candidates"][0]["score"] == 0.9
    assert plain["conditions"][1]["candidates"] == []
    assert plain["conditions"][2]["candidates"] is None
    assert plain["codes"][1] == {
        "code": "Z79.4",
        "sequence": 2,
        "confidence": None,
        "conditions": [],
        "rationale": "inferred",
    }
    assert to_dict(EMPTY) == {
        **dict.fromkeys(KEYS),
        "encounter_id": "e2",
        "notes": [],
        "errors": [],
        "flags": [],
        "runs": [],
    }


def test_the_full_row_comes_back():
    assert from_dict(to_dict(FULL), "row") == FULL
    assert from_batch(to_batch([FULL, EMPTY, FULL])) == [FULL, EMPTY, FULL]
    assert from_batch(to_batch([])) == []


@settings(deadline=None)
@given(rows)
def test_json_round_trip(row):
    read = from_dict(orjson.loads(orjson.dumps(to_dict(row))), "row")
    assert replace(read.encounter, conditions=None, codes=None) == replace(
        row.encounter, conditions=None, codes=None
    )
    assert read.gold == row.gold
    assert rounded(read) == read


@settings(deadline=None)
@given(st.lists(rows, max_size=4), st.integers(0, 3))
def test_arrow_round_trip_also_of_a_slice(some, begin):
    batch = to_batch(some)
    batch.validate(full=True)
    assert from_batch(batch) == [rounded(row) for row in some]
    assert from_batch(batch.slice(begin, 2)) == [rounded(row) for row in some[begin : begin + 2]]


@given(st.floats(width=32, min_value=0, exclude_min=True, allow_infinity=False))
def test_a_short_decimal_is_the_same_float32(number):
    assert pack("f", short(number)) == pack("f", number)
    assert short(short(number)) == short(number)


def test_short_decimals():
    assert short(0.8999999761581421) == 0.9
    assert short(1 / 3) == 0.33333334
    assert short(0.5) == 0.5
    assert math.isinf(short(math.inf))


def test_optional_keys_may_be_left_out_and_others_are_ignored():
    least = {"encounter_id": "e", "notes": [{"note_id": "n", "text": "t", "x": 1}], "more": 2}
    assert from_dict(least, "row") == Row(Encounter("e", (Note("n", "t"),)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encounter_id": None}, "`encounter_id` is null"),
        ({"encounter_id": 3}, "`encounter_id` must be a string"),
        ({"notes": None}, "has neither `text` nor `notes`"),
        ({"notes": [{"note_id": "n"}]}, "`notes[0].text` is missing"),
        ({"notes": ["SECRET"]}, "`notes[0]` must be an object"),
        ({"sex": "SECRET"}, "`sex` must be one of f, female, m, male"),
        ({"age": 151}, "`age` must be between 0 and 150"),
        ({"age": True}, "`age` must be a whole number"),
        ({"setting": "SECRET"}, "`setting` must be one of inpatient, outpatient"),
        ({"flags": "SECRET"}, "`flags` must be a list"),
        ({"flags": ["a", None]}, "`flags[1]` must be a string"),
        (
            {"gold": [{"code": "A", "evidence": [[{"note": 0}]]}]},
            "`gold[0].evidence[0][0].begin` is missing",
        ),
        (
            {"conditions": [{"quote": "SECRET", "evidence": []}] * 2 + [{"quote": "SECRET"}]},
            "`conditions[2].evidence` is missing",
        ),
        (
            {"codes": [{"code": "A", "sequence": 1, "conditions": [-1], "rationale": ""}]},
            "`codes[0].conditions[0]` must be between 0 and 32767",
        ),
        (
            {
                "codes": [
                    {
                        "code": "A",
                        "sequence": 1,
                        "conditions": [],
                        "rationale": "",
                        "confidence": 1e40,
                    }
                ]
            },
            "`codes[0].confidence` must be a finite number",
        ),
    ],
)
def test_the_wrong_key_is_named_and_no_value(change, message):
    with pytest.raises(UserError) as told:
        from_dict({**to_dict(FULL), **change}, "x.jsonl: line 3")
    assert str(told.value) == f"x.jsonl: line 3: {message}"


def test_columns_of_other_but_compatible_types():
    batch = pa.record_batch(
        {
            "notes": pa.array(
                [[{"text": "a", "note_id": "n"}], []],
                pa.large_list(pa.struct([("text", pa.large_string()), ("note_id", pa.string())])),
            ),
            "encounter_id": pa.array(["e1", "e2"]).dictionary_encode(),
            "age": pa.array([63.0, None]),
            "sex": pa.array(["F", None]),
            "gold": pa.nulls(2),
            "flags": pa.array([["x", "y"], None], pa.list_(pa.string(), 2)),
            "stranger": pa.array([1, 2]),
        }
    )
    assert from_batch(batch) == [
        Row(Encounter("e1", (Note("n", "a"),), sex="female", age=63, flags=("x", "y"))),
        Row(Encounter("e2", ())),
    ]


def test_nulls_deep_in_a_slice():
    kind = pa.list_(pa.struct([("note_id", pa.string()), ("text", pa.string())]))
    some = [None, [{"note_id": "a", "text": "1"}], [], [{"note_id": "b", "text": "2"}] * 2]
    ids = pa.array(["0", "1", "2", "3"])
    batch = pa.record_batch({"encounter_id": ids, "notes": pa.array(some, kind)})
    read = from_batch(batch.slice(1))
    assert [[n.text for n in row.encounter.notes] for row in read] == [["1"], [], ["2", "2"]]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("encounter_id", pa.array([None], pa.string()), "`encounter_id` is null"),
        ("age", pa.array(["SECRET"]), "`age` is string that does not fit int16"),
        ("age", pa.array([151]), "`age` must be between 0 and 150"),
        ("sex", pa.array(["SECRET"]), "`sex` must be one of f, female, m, male"),
        ("notes", pa.array(["SECRET"]), "`notes` is string, not a list"),
        ("notes", pa.array([["SECRET"]]), "`notes[]` is string, not a struct"),
        ("notes", pa.array([[{"note_id": "a"}]]), "`notes[].text` is null"),
        ("notes", pa.array([[{"note_id": "a", "text": "b"}, None]]), "`notes[]` is null"),
        ("flags", pa.array([["a", None]]), "`flags[]` is null"),
        ("dataset", pa.array([b"\xff"]), "`dataset` is binary that does not fit string"),
    ],
)
def test_the_wrong_column_is_named_and_no_value(column, values, message):
    batch = to_batch([FULL])
    columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | {column: values}
    with pytest.raises(UserError) as told:
        from_batch(pa.record_batch(columns), "x.parquet: rows 1-1")
    assert str(told.value) == f"x.parquet: rows 1-1: {message}"
