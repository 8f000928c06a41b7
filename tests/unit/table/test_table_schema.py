from __future__ import annotations

import pyarrow as pa

from clhcode.table.schema import KEYS, schema

SPAN = "struct<note: int16, begin: int32, end: int32>"


def test_the_columns_are_those_of_the_design():
    assert (
        *("encounter_id", "dataset", "split", "subject_id", "sex", "age", "setting", "notes"),
        *("gold", "conditions", "codes", "dropped", "errors", "transcript", "flags", "runs"),
    ) == KEYS
    types = {f.name: str(f.type).replace("item: ", "").replace(" not null", "") for f in schema()}
    assert list(types) == list(KEYS)
    assert types["age"] == "int16"
    assert {types[k] for k in KEYS[:5]} | {types["setting"]} == {"string"}
    assert types["notes"] == "list<struct<note_id: string, category: string, text: string>>"
    assert types["gold"] == (
        f"list<struct<code: string, system: string, evidence: list<list<{SPAN}>>>>"
    )
    assert types["conditions"] == (
        f"list<struct<quote: string, evidence: list<{SPAN}>, section: string, lead_term: string, "
        "modifiers: list<string>, assertion: string, candidates: list<struct<code: string, "
        "path: list<string>, source: string, score: float, confidence: float, verdict: string, "
        "reason: string, applied: list<string>>>>>"
    )
    assert types["codes"] == (
        "list<struct<code: string, sequence: int16, confidence: float, conditions: list<int16>, "
        "rationale: string>>"
    )
    assert types["dropped"] == (
        "list<struct<code: string, conditions: list<int16>, edit: string, because_of: string>>"
    )
    assert types["errors"] == (
        "list<struct<stage: string, kind: string, message: string, raw: string>>"
    )
    assert types["transcript"] == (
        "list<struct<agent: string, question: string, thought: string, answer: string>>"
    )
    assert types["flags"] == types["runs"] == "list<string>"


def test_runs_are_kept_as_metadata():
    assert schema({"r1": {"engine": "rules"}}).metadata == {
        b"clh.runs": b'{"r1":{"engine":"rules"}}'
    }
    assert schema().metadata is None
    assert schema().equals(schema({"r": 1}))
    assert isinstance(schema(), pa.Schema)
