"""From phrases to codes: the dictionary, retrieval, and look-ups."""

import pytest

from clhcode.search.lookup import as_json, lookup
from clhcode.search.normalise import words
from clhcode.search.phrases import of_path, of_title


def nearest(wordings):
    found = {}
    for said, distance in wordings:
        found[" ".join(said)] = min(distance, found.get(" ".join(said), 9))
    return found


def test_wordings_of_a_title():
    said = nearest(of_title("Essential (primary) hypertension"))
    assert said["essential primary hypertension"] == 0
    assert said["essential hypertension"] == 1
    assert ("pneumonia",) in {w for w, _ in of_title("Pneumonia, unspecified organism")}
    assert ("acute", "bronchitis") in {w for w, _ in of_title("Bronchitis, acute")}
    assert ("chest", "pain") in {w for w, _ in of_title("Chest pain, unspecified")}


def test_wordings_of_a_path():
    path = ("Diabetes, diabetic", "type 2", "with", "chronic kidney disease")
    said = nearest(of_path(path, ("mellitus",)))
    assert said["diabete type 2 chronic kidney disease"] == 0
    assert said["type 2 diabete chronic kidney disease"] == 2
    assert said["chronic kidney disease type 2 diabetic"] == 2
    listed = nearest(of_title("Nausea with vomiting, unspecified"))
    assert {"nausea vomiting", "nausea and vomiting"} <= set(listed)
    assert "prostate cancer" in nearest(of_title("Malignant neoplasm of prostate"))
    mains = {" ".join(w) for w, _ in of_path(("Hypertension, hypertensive",), ("essential",))}
    assert {"hypertension", "hypertensive", "essential hypertension"} <= mains


@pytest.mark.parametrize(
    ("phrase", "code"),
    [
        ("hypertension", "I10"),
        ("HTN", "I10"),
        ("chest pain", "R07.9"),
        ("type 2 diabetes mellitus with diabetic chronic kidney disease", "E11.22"),
        ("unspecified fracture of lower end of left radius", "S52.502"),
        ("atrial fibrillation", "I48.91"),
        ("iron deficiency anaemia", "D50"),
        ("diabetes", "E11"),
        ("asthma", "J45"),
        ("fracture of distal end of radius", "S52.5"),
    ],
)
def test_the_packaged_tabular_alone(finder, phrase, code):
    assert finder.find(phrase)[0].node.code.startswith(code)


@pytest.mark.parametrize(
    ("phrase", "code", "lead"),
    [
        ("type 2 diabetes with chronic kidney disease", "E11.22", "Diabetes, diabetic"),
        ("kidney stone", "N20.0", "Stone(s)"),
        ("diabetes", "E11.9", "Diabetes, diabetic"),
        ("abdominalgia", "R10.9", "Abdominalgia"),
        ("hypertension", "I10", "Hypertension, hypertensive"),
    ],
)
def test_the_index_is_the_way_in(indexed_finder, phrase, code, lead):
    best = indexed_finder.find(phrase)[0]
    assert best.node.code == code
    assert best.source == "index"
    assert best.path[0].split("(")[0] == lead.split("(")[0]


def test_a_cross_reference_is_followed_and_shown(indexed_finder):
    best = indexed_finder.find("abdominalgia")[0]
    assert best.path == ("Abdominalgia", "see Pain, abdominal")


def test_the_whole_classification_is_searched(finder):
    chapters = {
        finder.store.lineage(finder.find(phrase)[0].node)[0].code
        for phrase in ("cholera", "leukemia", "fall on ice", "insulin use", "covid-19", "cleft lip")
    }
    assert len(chapters) == 6


def test_the_longest_wording_wins(finder):
    said = words("acute systolic heart failure today")
    assert finder.longest(said) >= 2
    assert list(finder.spots(words("has chest pain and hypertension"))) == [(0, 2), (3, 4)]


def test_a_wording_inside_another_counts_where_it_reaches_further(indexed_finder):
    said = words("type 2 diabetes with chronic kidney disease stage 3b")
    spots = [" ".join(said[i:j]) for i, j in indexed_finder.spots(said)]
    assert spots == ["type 2 diabete chronic kidney disease", "chronic kidney disease stage 3b"]


def test_qualifiers_inside_a_wording_are_skipped(indexed_finder):
    said = words("pain in the left wrist")
    assert list(indexed_finder.spots(said)) == [(0, 3)]
    assert indexed_finder.find("pain in the left wrist")[0].node.code == "M25.532"
    assert list(indexed_finder.spots(words("left"))) == []


def test_members_of_a_list_are_no_wording_of_their_own(indexed_finder):
    assert list(indexed_finder.spots(words("blood and urine"))) == []
    assert list(indexed_finder.spots(words("nausea and vomiting"))) == [(0, 3)]


def test_nothing_is_found_for_nonsense(finder):
    assert finder.find("xyzzy plugh") == ()
    assert finder.find("") == ()


def test_a_code_is_looked_up_in_any_form(store, finder):
    for typed in ("E11.22", "e1122", "E1122", "e11.22"):
        entry = as_json(lookup(typed, store, finder), store)["entry"]
        assert entry["code"] == "E11.22"
        assert entry["billable"] is True
        assert [p["code"] for p in entry["parents"]] == ["chapter 4", "E08-E13", "E11", "E11.2"]


def test_an_unknown_code_has_no_entry(store, finder):
    document = as_json(lookup("E11.999", store, finder), store)
    assert document == {"query": "E11.999", "code": "E11.999", "matches": [], "entry": None}


def test_a_header_shows_its_children_and_seventh_characters(store, finder):
    entry = as_json(lookup("S52.50", store, finder), store)["entry"]
    assert entry["billable"] is False
    assert [c["code"] for c in entry["children"]] == ["S52.501", "S52.502", "S52.509"]
    assert entry["seventh_characters"][0]["character"] == "A"
    assert "notes" in entry
