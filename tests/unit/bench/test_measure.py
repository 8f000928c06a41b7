"""Scales, groups and stages, by hand over the packaged classification."""

import pytest

from clhcode.bench.cases import Case, Key
from clhcode.bench.mapping import backwards
from clhcode.bench.measure import Scale, cutter, measure
from clhcode.bench.protocol import by_note, chosen_split
from clhcode.bench.stages import lost, stages
from clhcode.errors import UserError
from clhcode.records import Encounter, Note, Span
from clhcode.table.convert import Row


@pytest.mark.parametrize(
    ("code", "known", "older"),
    [
        ("M54.50", {"M54.5"}, "M54.5"),  # divided in 2021
        ("M54.50", {"M54.5", "M54.50"}, "M54.50"),  # gold has both
        ("S00.32XA", {"S00.32X"}, "S00.32X"),
        ("I10", {"E11.9"}, "I10"),
        ("E11.22", {"E11"}, "E11"),  # a category is never billable
        ("I50.9", {"I50.22"}, "I50.9"),
    ],
)
def test_codes_are_taken_back_to_gold(store, code, known, older):
    assert backwards(store, frozenset(known))(code) == (older,)


@pytest.mark.parametrize(
    ("level", "code", "cut"),
    [
        ("full", "S52.502A", "S52.502A"),
        ("5", "S52.502A", "S52.50"),
        ("4", "S52.502A", "S52.5"),
        ("category", "S52.502A", "S52"),
        ("category", "I10", "I10"),
        ("4", "I10", "I10"),
        ("chapter", "I10", "chapter 9"),
        ("chapter", "I99.999", "chapter 9"),
        ("chapter", "nonsense", "none"),
    ],
)
def test_levels(store, level, code, cut):
    assert cutter(store, level)(code) == cut


def key(name, *codes, spans=()):
    return Key(name, codes, tuple(spans), ("n",))


def test_everything_of_a_small_run(store):
    keys = [
        key("a", "I10", "E11.9", "M54.5", spans=[("I10", (Span(0, 0, 3),))]),
        key("b", "Z23", "S52.502A", "W19.XXXA"),
        key("c"),
    ]
    cases = [
        Case("a", ("I10", "M54.50"), ("I10", "M54", "E11"), ("I10", "M54.50")),
        Case("b", ("Z23", "R05.9"), ("Z23", "R05.9"), ("Z23", "R05.9")),
        Case("c", ()),
    ]
    texts = {"a/n": "HTN, diabetes", "b/n": "", "c/n": ""}
    train = [("I10",), ("I10", "Z23")] * 4
    found = measure(keys, cases, Scale(store), train=train, texts=texts, draws=20)
    # I10, Z23 and, taken back, M54.5 of four predictions and six gold codes.
    assert found["micro"] == {"precision": 0.75, "recall": 0.5, "f1": 0.6}
    assert found["strict"]["micro"] == {"precision": 0.5, "recall": 1 / 3, "f1": 0.4}
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["groups"]["frequency"]["6-50 in train"]["gold"] == 1
    assert found["groups"]["frequency"]["1-5 in train"]["recall"] == 1
    assert found["groups"]["frequency"]["not in train"]["gold"] == 4
    assert found["groups"]["blind_spot"]["Z"]["f1"] == 1
    assert found["groups"]["blind_spot"]["V-Y"]["recall"] == 0
    assert found["groups"]["blind_spot"]["abbreviations"] == {"gold": 1, "recall": 1.0}
    assert found["groups"]["chapter"]["chapter 9"]["f1"] == 1
    assert found["category"]["micro"]["recall"] == 0.5
    after = stages(keys, cases, Scale(store))
    # After locate the header E11 still holds E11.9.
    assert [after[s]["recall"] for s in ("locate", "verify", "assign")] == pytest.approx(
        [4 / 6, 0.5, 0.5]
    )
    assert lost(after) == pytest.approx({"search": 2 / 6, "verify": 1 / 6, "assign": 0})


def test_a_label_space_cuts_both_sides(store):
    keys, cases = [key("a", "I10", "E11.9")], [Case("a", ("I10", "R05.9"))]
    found = measure(keys, cases, Scale(store, space=frozenset({"I10", "Z23"})), draws=0)
    assert found["micro"] == {"precision": 1, "recall": 1, "f1": 1}
    assert found["exact_match"] == 1


def at(note, begin, end):
    return [{"note": note, "begin": begin, "end": end}]


def row(*gold, notes=("CHF.", "Gout."), split="test", dataset="d"):
    listed = tuple(Note(f"n{i}", text) for i, text in enumerate(notes))
    marked = [{"code": c, "system": "icd10cm", "evidence": e} for c, e in gold]
    return Row(Encounter("e", listed, dataset=dataset, split=split), marked)


def test_a_note_takes_the_gold_that_stands_in_it():
    first, second = by_note([row(("I50.9", [at(0, 0, 3)]), ("M10.9", [at(1, 0, 4)]))])
    assert [(r.encounter.encounter_id, r.gold[0]["code"]) for r in (first, second)] == [
        ("e/n0", "I50.9"),
        ("e/n1", "M10.9"),
    ]
    assert second.gold[0]["evidence"] == [at(0, 0, 4)]
    (alone,) = by_note([row(("I50.9", []), notes=("CHF.",))])
    assert alone.gold[0]["code"] == "I50.9"


def test_a_code_of_no_note_is_told():
    with pytest.raises(UserError, match="no evidence says which note M10"):
        by_note([row(("I50.9", [at(0, 0, 3)]), ("M10.9", []))])


def test_splits_are_of_the_data_set_and_have_gold():
    rows = [row(("I10", [])), row(("I10", []), split="train"), row(dataset="other")]
    rows.append(Row(rows[0].encounter, None))
    scored, train = chosen_split(rows, "d", "test")
    assert scored == rows[:1]
    assert [r.encounter.notes for r in train] == [()]
    with pytest.raises(UserError, match=r"no split `dev` here: there are test \(2\), train \(1\)"):
        chosen_split(rows, "d", "dev")
    with pytest.raises(UserError, match="no encounter has gold codes"):
        chosen_split(rows[-1:], "d", "test")


def test_gold_of_another_book_is_told():
    coded = Row(Encounter("e", (), dataset="d"), [{"code": "OBESITY", "system": "phenotype"}])
    says = "d, test: its gold is phenotype; what is scored is icd10cm or icd9cm"
    with pytest.raises(UserError, match=says):
        chosen_split([coded], "d", "test")


def test_rows_of_no_split_are_scored_only_where_none_has_one():
    def named(split):
        return Row(Encounter(f"e{split}", (), dataset="d", split=split), [])

    alone, named_one = named(None), named("test")
    for rows in ([alone, named_one], [named_one, alone]):
        assert chosen_split(rows, "d", "test") == ([named_one], [])
    assert chosen_split([alone, alone], "d", "test") == ([alone, alone], [])
    with pytest.raises(UserError, match=r"has no split `test` here: there are train \(1\)"):
        chosen_split([alone, named("train")], "d", "test")
