"""From predictions to gold's year and book, by hand and on the real GEM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.bench.cases import Case, Key
from clhcode.bench.mapping import Maps, backwards, reached, taken, through_gem, told
from clhcode.bench.measure import Scale, cutter_9, measure
from clhcode.bench.stages import stages
from clhcode.icd.conversion import read_conversion
from clhcode.icd.gem import open_gem, read_gem
from tests.conftest import shared
from tests.unit.icd.test_gem import SMALL

TABLE = read_conversion(
    [
        ["A92.5", "2016", "A92.8"],  # billable still
        ["E66.813", "2024", "E66.01, E66.8"],  # one of them is billable still
        ["M97.01XA", "2016", "T84.040A"],  # of another category
        ["G93.32", "2022", "R53.82"],  # billable still
        ["Q99.9", "2023", "Q00.X1"],  # two steps, none of them in the release
        ["Q00.X1", "2019", "Q00.X0"],
        ["Q00.X0", "2016", "Q00.X1"],  # a circle
    ],
    "FY2026",
)
GEM = read_gem(SMALL.splitlines(), "small")


@pytest.mark.parametrize(
    ("code", "known", "year", "older"),
    [
        ("E66.813", {"E66.01", "E66.8"}, None, ("E66.8",)),
        ("E66.813", {"E66.01", "E66.8"}, 2018, ("E66.01", "E66.8")),
        ("E66.813", {"E66.01"}, 2018, ("E66.01",)),
        ("E66.813", {"E66.813", "E66.8"}, 2018, ("E66.813",)),
        # Gold of 2025 had the newer code, so that its E66.01 says something else.
        ("E66.813", {"E66.01"}, 2025, ("E66.813",)),
        ("G93.32", {"R53.82"}, None, ("G93.32",)),
        ("G93.32", {"R53.82"}, 2018, ("R53.82",)),
        ("M97.01XA", {"T84.040A"}, None, ("T84.040A",)),
        ("Q99.9", {"Q00.X0"}, None, ("Q00.X0",)),
        ("Q99.9", {"Q00.X0", "Q00.X1"}, None, ("Q00.X1",)),
        ("Q99.9", {"Z00"}, None, ("Q99.9",)),
        # What the table does not have is told by the codes themselves.
        ("M54.50", {"M54.5"}, None, ("M54.5",)),
        ("I10", {"E11.9"}, 2018, ("I10",)),
    ],
)
def test_the_official_table_comes_first(store, code, known, year, older):
    assert backwards(store, frozenset(known), TABLE, year)(code) == older


@pytest.mark.parametrize(
    ("said", "gold", "found"),
    [
        (["A00.0"], {"001.0"}, ["001.0"]),
        # Any of the alternatives is right; without one, the nearest to gold, else the first.
        (["E10.321"], {"362.01"}, ["362.01"]),
        (["E10.321"], {"250.51"}, ["250.51"]),
        (["E10.321"], {"362.04"}, ["362.01"]),
        (["E10.321"], {"401.9"}, ["250.51"]),
        (["E10.321"], set(), ["250.51"]),
        # A combination is several codes; alone it is taken only where gold has no more.
        (["E10.49"], {"250.61"}, ["250.61"]),
        (["E10.49"], {"250.61", "349.89"}, ["250.61", "349.89"]),
        (["E10.49"], {"349.89"}, ["250.61", "349.89"]),
        (["E10.49"], set(), ["250.61"]),
        # Of two scenarios the one that meets gold more often, and its choice list.
        (["A18.01"], {"015.00", "730.89"}, ["015.00", "730.89"]),
        (["A18.01"], {"711.48"}, ["015.00", "711.48"]),
        (["A18.01"], set(), ["015.00", "711.48"]),
        # No map, and not in the GEM: wrong wherever they stand.
        (["R40.2130"], {"780.01"}, ["icd10cm:R40.2130"]),
        (["U07.1"], {"780.01"}, ["icd10cm:U07.1"]),
        # Two predictions that say the same count once.
        (["E10.49", "A00.0", "E10.49"], {"001.0"}, ["250.61", "001.0"]),
        (["E10.49", "A18.01"], {"250.61"}, ["250.61", "015.00", "711.48"]),
    ],
)
def test_predictions_through_the_gem(store, said, gold, found):
    assert taken(said, gold, through_gem(store, GEM)) == found


def test_codes_younger_than_the_gem_are_taken_back_first(store):
    gem = read_gem(["T84040A  99640   10000", "M545     7245    10000"], "small")
    assert taken(["M54.50", "M97.01XA"], set(), through_gem(store, gem, TABLE)) == [
        "724.5",
        "996.40",
    ]
    assert taken(["M97.01XA"], set(), through_gem(store, gem)) == ["icd10cm:M97.01XA"]


CODES = st.sampled_from(sorted(GEM.readings))
NINE = st.sampled_from(sorted(GEM.targets))


@given(st.lists(CODES, max_size=5), st.sets(NINE, max_size=5), NINE)
def test_more_gold_never_loses_a_hit(store, said, gold, more):
    read = through_gem(store, GEM)
    hits = gold.intersection(taken(said, gold, read))
    found = taken(said, gold | {more}, read)
    assert len((gold | {more}).intersection(found)) >= len(hits)
    assert len(found) == len(set(found))
    # Whatever is taken, the GEM leads there.
    assert all(code in GEM.targets or code.startswith("icd10cm:") for code in found)


@pytest.mark.parametrize(
    ("code", "cuts"),
    [
        ("250.61", ("250.61", "250.61", "250.6", "250", "chapter 3")),
        ("001.0", ("001.0", "001.0", "001.0", "001", "chapter 1")),
        ("E934.2", ("E934.2", "E934.2", "E934", "E934", "chapter E")),
        ("V43.65", ("V43.65", "V43.65", "V43.6", "V43", "chapter V")),
        ("486", ("486", "486", "486", "486", "chapter 8")),
        ("139.8", ("139.8", "139.8", "139.8", "139", "chapter 1")),
        ("999.9", ("999.9", "999.9", "999.9", "999", "chapter 17")),
        ("38.93", ("38.93", "38.93", "38.93", "38", "procedures")),
        ("icd10cm:U07.1", (*["icd10cm:U07.1"] * 3, "icd10cm:U07", "none")),
    ],
)
def test_levels_of_icd_9(code, cuts):
    levels = ("full", "5", "4", "category", "chapter")
    assert tuple(cutter_9(level)(code) for level in levels) == cuts


def test_a_run_on_gold_of_icd_9(store):
    keys = [
        Key("a", ("250.61", "349.89", "401.9"), (), ("n",)),
        Key("b", ("362.01", "V43.65"), (), ("n",)),
        Key("c", ("E885.9",), (), ("n",)),
    ]
    cases = [
        Case("a", ("E10.49", "U07.1"), ("E10.4", "U07.1"), ("E10.49", "U07.1")),
        Case("b", ("E10.321", "Z96.652"), ("E10.321",), ("E10.321",)),
        Case("c", ("R40.2130",), ("W01",), ("W01.0XXA", "R40.2130")),
    ]
    scale = Scale(store, maps=Maps(gem=GEM), nine=True)
    found = measure(keys, cases, scale, draws=0)
    # a: two of three, U07.1 is wrong. b: one, and a knee that the GEM does not have. c: no map.
    assert found["micro"] == {"precision": 3 / 6, "recall": 3 / 6, "f1": 0.5}
    assert "strict" not in found
    assert found["category"]["micro"]["recall"] == 0.5
    assert found["groups"]["blind_spot"].keys() == {"V", "E"}
    assert found["groups"]["chapter"]["chapter 3"]["recall"] == 1
    after = stages(keys, cases, scale)
    # Headers hold what the codes below them lead to: E10.4 both of its own, W01 its fall.
    assert after["locate"] == {"recall": pytest.approx(4 / 6), "precision": 3 / 4}
    assert after["verify"] == {"recall": pytest.approx(4 / 6), "precision": pytest.approx(4 / 6)}
    assert after["assign"]["recall"] == 0.5
    said = [code for case in cases for code in case.codes]
    assert told(scale.maps, store, [key.codes for key in keys], said) == {
        "gem": "small",
        "predictions": {"equivalent": 0, "approximate": 2, "no_map": 1, "not_in_gem": 2},
        "gold": 6,
        "unreached": 1,
    }


def test_labels_of_the_data_set_are_scored_as_they_stand(store):
    keys = [Key("a", ("401.9", "38.93"), (), ())]
    scale = Scale(store, mapped=False, nine=True)
    found = measure(keys, [Case("a", ("401.9", "I10"))], scale, draws=0)
    assert found["micro"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert "strict" not in found


def test_the_real_gem(store):
    gem = open_gem(shared("terms", "gem"))
    read = through_gem(store, gem)
    assert taken(["I10"], {"401.9"}, read) == ["401.9"]
    assert taken(["I10"], {"428.0"}, read) == ["401.0"]
    assert taken(["I50.32"], {"428.0", "428.32"}, read) == ["428.32", "428.0"]
    assert taken(["I50.32"], {"428.32"}, read) == ["428.32"]
    assert taken(["E11.9", "E11.65"], {"250.00"}, read)[0] == "250.00"
    # Divided in 2021, and so taken back first.
    assert taken(["M54.50"], {"724.2"}, read) == ["724.2"]
    assert taken(["R40.2130"], {"780.01"}, read) == ["icd10cm:R40.2130"]
    assert "401.9" in reached(store, read)("I10")
    assert {"250.00", "250.40"} <= reached(store, read)("E11")
