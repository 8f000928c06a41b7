"""Edits: each fires on its own example and leaves the other alone; sets settle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.edits.claim import claim_of
from clhcode.edits.patient import sex_of
from clhcode.edits.registry import BY_CODE, EDITS, check, settle

POOL = (
    "E11.9 E11.22 E11.2 E10.9 E11.42 I10 I12.9 N18.32 N18.9 R51.9 G43.909 S52.502A S52.502 "
    "W19.XXXA L97.411 E11.621 G63 E85.1 J18.9 J18.1 Z79.4 Z38.00 O80 N40.0 R07.9 I20.9 Q99.99 "
    "E11.9 S52.509A S52.501A M25.569 M25.561"
).split()


def settled(store, codes, weights=None, always_only=False):
    weighted = [(code, (weights or {}).get(code, 1.0)) for code in codes]
    claim = claim_of(weighted, store)
    result = settle(claim, lambda edit: edit.always or not always_only)
    kept = [codes[i] for i in result.kept]
    gone = [(codes[i], edit, codes[o] if o is not None else None) for i, edit, o in result.dropped]
    return kept, gone


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.code)
def test_an_edit_fires_on_its_example_and_not_on_the_other(store, edit):
    def found(codes):
        claim = claim_of([(c, 1.0) for c in codes], store, *edit.patient)
        return [f for f in check(claim) if f.edit == edit.code]

    assert found(edit.fires)
    assert not found(edit.passes)


def test_the_registry_is_documented():
    assert len(BY_CODE) == len(EDITS)
    assert len({e.name for e in EDITS}) == len(EDITS)
    assert all(e.guideline and len(e.explanation) > 40 for e in EDITS)


def test_the_header_says_which_seventh_characters_there_are(store):
    (finding,) = check(claim_of([("S52.502", 1.0)], store))
    assert (finding.edit, finding.action) == ("VA103", "drop")
    assert "A, B, C, D" in finding.message


def test_excludes1_keeps_the_code_that_the_note_names(store):
    # R10 excludes renal colic (N23): the named code stays.
    kept, gone = settled(store, ["R10.9", "N23"])
    assert (kept, gone) == (["N23"], [("R10.9", "EX101", "N23")])
    assert settled(store, ["N23", "R10.9"])[0] == ["N23"]


def test_excludes1_keeps_the_code_the_coder_was_surer_of(store):
    assert settled(store, ["E10.9", "E11.9"], {"E10.9": 0.9, "E11.9": 0.4})[0] == ["E10.9"]
    assert settled(store, ["E10.9", "E11.9"], {"E10.9": 0.4, "E11.9": 0.9})[0] == ["E11.9"]


def test_an_unspecified_code_gives_way(store):
    kept, gone = settled(store, ["E11.9", "E11.22"])
    assert (kept, gone) == (["E11.22"], [("E11.9", "EX204", "E11.22")])


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        # the side stands before a 7th character, at the end, and as "bilateral" without "eye"
        (["S52.509A", "S52.501A"], ["S52.501A"]),
        (["M25.569", "M25.561", "M25.562"], ["M25.561", "M25.562"]),
        (["H25.10", "H25.13"], ["H25.13"]),
        (["H66.90", "H66.92"], ["H66.92"]),
        # another bone, another kind and another condition stay
        (["S52.509A", "S42.301A"], ["S52.509A", "S42.301A"]),
        (["S52.509A", "S52.532A"], ["S52.509A", "S52.532A"]),
        (["M25.569", "M25.551"], ["M25.569", "M25.551"]),
        (["H25.10", "H26.9"], ["H25.10", "H26.9"]),
    ],
)
def test_an_unspecified_side_gives_way_to_a_known_one(store, codes, kept):
    assert settled(store, codes)[0] == kept


def test_both_sides_are_told_of_and_kept(store):
    (finding,) = check(claim_of([("M17.11", 1.0), ("M17.12", 1.0)], store))
    assert (finding.edit, finding.action) == ("EX205", "report")
    assert "M17.0" in finding.message


@pytest.mark.parametrize(
    ("code", "sex"),
    [
        ("C61", "male"),
        ("C50.911", "female"),
        ("C50.921", "male"),
        ("B37.31", "female"),
        ("R97.20", "male"),
        ("Z3A.20", "female"),
        ("Z78.0", "female"),
        ("N39.3", None),
        ("Z80.41", None),
        ("P03.6", None),
        ("Z38.00", None),
        ("Z45.010", None),
        ("Z30.09", None),
        ("I10", None),
    ],
)
def test_the_sex_a_code_is_limited_to(store, code, sex):
    assert sex_of(store.node(code)) == sex


@pytest.mark.parametrize(
    ("code", "age", "told"),
    [
        ("O80", 8, True),
        ("O80", 30, False),
        ("Z38.00", 0, False),
        ("Z38.00", 1, True),
        ("Z00.129", 17, False),
        ("Z00.129", 18, True),
        ("Z68.41", 19, True),
        ("Z68.41", 20, False),
        ("Z68.54", 20, True),
        ("H25.13", 8, True),
        ("M81.0", 70, False),
        ("I10", 3, False),
    ],
)
def test_ages(store, code, age, told):
    findings = check(claim_of([(code, 1.0)], store, None, age))
    assert ("PT102" in {finding.edit for finding in findings}) == told


def test_a_different_site_is_not_a_more_specific_code(store):
    assert settled(store, ["M54.50", "M54.2"])[0] == ["M54.50", "M54.2"]


def test_manifestation_follows_its_cause_and_external_causes_come_last(store):
    kept, _ = settled(store, ["W19.XXXA", "L97.411", "E11.621", "S52.502A"])
    assert kept == ["E11.621", "L97.411", "S52.502A", "W19.XXXA"]


def test_without_enforcement_only_validity_drops(store):
    kept, gone = settled(store, ["E10.9", "E11.9", "E11", "Q99.99"], always_only=True)
    assert kept == ["E10.9", "E11.9"]
    assert [edit for _, edit, _ in gone] == ["VA101", "VA102"]


@given(st.lists(st.sampled_from(POOL), max_size=9), st.randoms())
def test_settling_loses_nothing_and_reaches_a_fixpoint(store, codes, random):
    weights = {code: random.choice([0.5, 1.0]) for code in codes}
    kept, gone = settled(store, codes, weights)
    assert sorted(kept + [code for code, _, _ in gone]) == sorted(codes)
    assert settled(store, kept, weights) == (kept, [])
    nodes = [store.node(code) for code in kept]
    assert all(node and node.billable for node in nodes)
    assert len(set(kept)) == len(kept)


@given(st.lists(st.sampled_from(POOL), max_size=7, unique=True))
def test_nothing_is_dropped_without_a_rule_that_says_so(store, codes):
    _, gone = settled(store, codes)
    objections = {f.edit for f in check(claim_of([(c, 1.0) for c in codes], store))}
    assert {edit for _, edit, _ in gone} <= objections
