"""Rows to test with: one full by hand, and arbitrary ones."""

from __future__ import annotations

from hypothesis import strategies as st

from clhcode.records import (
    ASSERTIONS,
    Candidate,
    Code,
    Condition,
    Dropped,
    Encounter,
    Failure,
    Note,
    Span,
    Turn,
)
from clhcode.table.convert import Row

FULL = Row(
    Encounter(
        encounter_id="e1",
        notes=(Note("n1", "Type 2 diabetes.\r\n", "discharge"), Note("n2", "Ça va 🫀")),
        dataset="demo",
        split="test",
        subject_id="s1",
        sex="female",
        age=63,
        setting="inpatient",
        conditions=(
            Condition(
                quote="Type 2 diabetes",
                evidence=(Span(0, 0, 15),),
                assertion="possible",
                section="assessment",
                lead_term="Diabetes",
                modifiers=("type 2",),
                candidates=(
                    Candidate(
                        code="E11.9",
                        path=("Diabetes", "type 2"),
                        source="index",
                        score=0.9,
                        confidence=0.25,
                        verdict="accepted",
                        reason="billable",
                        applied=("default",),
                    ),
                    Candidate("E10.9", ("Diabetes", "type 1"), "index", 0.1),
                ),
            ),
            Condition(quote="va", evidence=(), candidates=()),
            Condition(quote="va", evidence=(), assertion="negated"),
        ),
        codes=(Code("E11.9", 1, (0,), "stated", 0.3), Code("Z79.4", 2, (), "inferred")),
        dropped=(Dropped("E10.9", (0,), "EX101", "E11.9"), Dropped("R73.9", (), "WI101")),
        errors=(Failure("locate", "late", "no answer", "raw"), Failure("verify", "x", "y")),
        transcript=(Turn("analyse", "q", "a", "t"), Turn("analyse", "q", "a")),
        flags=("overlap",),
        runs=("r1", "r2"),
    ),
    gold=[
        {
            "code": "E11.9",
            "system": "icd10cm",
            "evidence": [[{"note": 0, "begin": 0, "end": 15}], []],
        }
    ],
)
EMPTY = Row(Encounter("e2", ()))

texts = st.text(max_size=12)
maybe_text = st.none() | texts
scores = st.sampled_from((0.0, 0.1, 0.9, 0.123457, 1.0)) | st.integers(0, 999).map(
    lambda n: n / 999
)
# What is stored is a float32; a row in memory may hold more digits, one that was read cannot.
small = st.integers(0, 2**15 - 1)


def lists(item: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(item, max_size=3).map(tuple)


spans = st.builds(Span, small, st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
candidates = st.builds(
    Candidate,
    code=texts,
    path=lists(texts),
    source=texts,
    score=scores,
    confidence=st.none() | scores,
    verdict=maybe_text,
    reason=maybe_text,
    applied=lists(texts),
)
conditions = st.builds(
    Condition,
    quote=texts,
    evidence=lists(spans),
    assertion=st.sampled_from(ASSERTIONS),
    section=maybe_text,
    lead_term=maybe_text,
    modifiers=lists(texts),
    candidates=st.none() | lists(candidates),
)
encounters = st.builds(
    Encounter,
    encounter_id=texts,
    notes=lists(st.builds(Note, texts, st.text(), maybe_text)),
    dataset=maybe_text,
    split=maybe_text,
    subject_id=maybe_text,
    sex=st.sampled_from((None, "female", "male")),
    age=st.none() | st.integers(0, 150),
    setting=st.sampled_from((None, "inpatient", "outpatient")),
    conditions=st.none() | lists(conditions),
    codes=st.none() | lists(st.builds(Code, texts, small, lists(small), texts, st.none() | scores)),
    dropped=st.none() | lists(st.builds(Dropped, texts, lists(small), texts, maybe_text)),
    errors=lists(st.builds(Failure, texts, texts, texts, maybe_text)),
    transcript=st.none() | lists(st.builds(Turn, texts, texts, texts, maybe_text)),
    flags=lists(texts),
    runs=lists(texts),
)
places = st.fixed_dictionaries({"note": small, "begin": small, "end": small})
golds = st.none() | st.lists(
    st.fixed_dictionaries(
        {
            "code": texts,
            "system": texts,
            "evidence": st.lists(st.lists(places, max_size=2), max_size=2),
        }
    ),
    max_size=3,
)
rows = st.builds(Row, encounters, golds)
