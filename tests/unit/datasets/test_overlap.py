"""Overlaps by hand: which rows of two tables are the same stay, note or patient."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.datasets.overlap import Overlap, flag, overlap, refuse, with_subjects
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row


def row(name, dataset="mimic-iii", split="train", subject=None, notes=(), flags=()):
    listed = tuple(Note(note, "text") for note in notes)
    about = {"dataset": dataset, "split": split, "subject_id": subject, "flags": tuple(flags)}
    return Row(Encounter(name, listed, **about), [])


def counts(train, scored, **more):
    found = overlap(train, scored, **more)
    return (found.encounters, found.subjects, found.flagged)


@pytest.mark.parametrize(
    ("train", "scored", "met"),
    [
        # One stay, as each data set calls it.
        (row("100197"), row("inpatient-100197", "mdace", "test"), (1, 0, 0)),
        (
            row("profee-100197", "mdace-profee"),
            row("inpatient-100197", "mdace", "test"),
            (1, 0, 0),
        ),
        (row("100197"), row("5_100197_77", "meddec", "test"), (1, 0, 0)),
        (row("100197", "mimic-iii-clean"), row("100197", "mimic-iii-50", "test"), (1, 0, 0)),
        (row("100197/77"), row("100197", split="test"), (1, 0, 0)),
        # One note.
        (row("1", notes=["77"]), row("9__77", "phenotypes", None, notes=["77"]), (1, 0, 0)),
        (
            row("20001", "mimic-iv", notes=["100-DS-3"]),
            row("100-DS-3", "snomed-entity", notes=["100-DS-3"]),
            (1, 0, 0),
        ),
        (row("S1", "codiesp-es"), row("S1", "codiesp", "dev"), (1, 0, 0)),
        # One patient.
        (row("1", subject="5"), row("2", split="test", subject="5"), (0, 1, 0)),
        (row("1", subject="5"), row("5_2_77", "meddec", "test", subject="5"), (0, 1, 0)),
        # The numbers of another corpus are other people's.
        (row("1", subject="5"), row("1", "mimic-iv", "test", subject="5"), (0, 0, 0)),
        (row("1", "mine", subject="5"), row("1", "theirs", subject="5"), (0, 0, 0)),
        # Notes of one's own table are called alike in each encounter.
        (row("1", "mine", notes=["1"]), row("2", "mine", "test", notes=["1"]), (0, 0, 0)),
        (row("1", None), row("1", None), (1, 0, 0)),
        # Ids tell that this stay is not among those trained on, whatever its split.
        (
            row("1"),
            row("inpatient-2", "mdace", "test", flags=["overlaps:mimic-iii/train"]),
            (0, 0, 0),
        ),
        # Its ids were lost, its flags were not.
        (row("1"), row("x", "mine", "test", flags=["overlaps:mimic-iii/train"]), (0, 0, 1)),
        (row("1"), row("x", "mine", "test", flags=["overlaps:mimic-iii/test"]), (0, 0, 0)),
        (row("1", "mimic-iii-50"), row("x", "mine", flags=["overlaps:mimic-iii"]), (0, 0, 1)),
        (row("1"), row("x", "mine", flags=["other:mimic-iii/train", "seen"]), (0, 0, 0)),
    ],
)
def test_who_meets_whom(train, scored, met):
    assert counts([train], [scored]) == met


def test_splits_whose_rows_are_not_here_are_told_by_flags_and_names():
    told = {"splits": ["mimic-iii/train"]}
    flagged = row("inpatient-2", "mdace", "test", flags=["overlaps:mimic-iii/train"])
    assert counts([], [flagged], **told) == (0, 0, 1)
    unknown = row("5_2_7", "meddec", "test", flags=["overlaps:mimic-iii"])
    assert counts([], [unknown], **told) == (0, 0, 1)
    assert counts([], [row("2"), row("3", split="test")], **told) == (0, 0, 1)
    other = row("inpatient-2", "mdace", "test", flags=["overlaps:mimic-iii/test"])
    assert counts([], [other], **told) == (0, 0, 0)


def test_each_row_counts_once_and_is_told():
    train = [row("1", subject="5"), row("2", subject="6")]
    scored = [row("1", subject="5"), row("3", subject="6"), row("4", subject="7")]
    found = overlap(train, scored)
    assert found == Overlap(1, 1, 0, 3, "1")
    with pytest.raises(UserError) as told:
        refuse(found, "mimic-iii, test")
    assert str(told.value) == (
        "mimic-iii, test: 2 of 3 scored encounters meet the training rows (1 by the stay or note,"
        " 1 by the patient), the first is 1: figures would tell of memory"
        " (--allow-overlap scores all the same, and says so)"
    )
    refuse(overlap(train[:1], scored[2:]), "mimic-iii, test")


def test_a_patient_of_two_splits_is_flagged_in_both():
    rows = [
        row("a", "mdace", "train", "5"),
        row("b", "mdace", "test", "5", flags=["overlaps:mimic-iii/test"]),
        row("c", "mdace", "test", "5"),
        row("d", "mdace-profee", "val", "5"),
        row("e", "mdace", "val", "6"),
        row("f", "mdace", None, "6"),
        row("g", "mdace", "val"),
        row("h", "mdace", "test"),
    ]
    assert [r.encounter.flags for r in with_subjects(rows)] == [
        ("subject:mdace/test",),
        ("overlaps:mimic-iii/test", "subject:mdace/train"),
        ("subject:mdace/train",),
        (),
        (),
        ("subject:mdace/val",),
        (),
        (),
    ]
    assert flag("subject", "mdace", "test") == "subject:mdace/test"
    assert flag("overlaps", "mimic-iii") == "overlaps:mimic-iii"


names = st.sampled_from("1 2 3 4".split())
some = st.lists(st.builds(row, names, subject=st.none() | names), max_size=6)


@given(some, some)
def test_nothing_overlaps_with_rows_that_were_taken_out(train, scored):
    found = overlap(train, scored)
    apart = [each for each in scored if not overlap(train, [each])]
    assert not overlap(train, apart)
    assert len(apart) == len(scored) - found.encounters - found.subjects - found.flagged
    renamed = [replace(r, encounter=replace(r.encounter, dataset="mimic-iv")) for r in scored]
    assert not overlap(train, renamed)
