"""How codes are typed and cited: hand-written cases of real notes."""

import pytest

from clhcode.icd.codes import Citation, citations, normal, with_seventh


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("e1122", "E11.22"),
        ("E11.22", "E11.22"),
        (" s52.502a ", "S52.502A"),
        ("S52502A", "S52.502A"),
        ("I10", "I10"),
        ("w19.xxxa", "W19.XXXA"),
        ("H93.29-", "H93.29"),
        ("E11.-", "E11"),
        ("u07.1", "U07.1"),
        ("c4a.0", "C4A.0"),
        ("hypertension", None),
        ("E1", None),
        ("E11.22222", None),
        ("B12 deficiency", None),
        ("", None),
    ],
)
def test_normal(typed, printed):
    assert normal(typed) == printed


@pytest.mark.parametrize(
    ("code", "char", "full"),
    [
        ("W19", "A", "W19.XXXA"),
        ("S52.502", "A", "S52.502A"),
        ("T15.01", "D", "T15.01XD"),
        ("R40.211", "2", "R40.2112"),
        ("O31.8X1", "0", "O31.8X10"),
    ],
)
def test_the_placeholder_fills_to_exactly_seven_characters(code, char, full):
    assert with_seventh(code, char) == full
    assert len(full.replace(".", "")) == 7


@pytest.mark.parametrize(
    ("note", "cited"),
    [
        ("type 2 diabetes mellitus (E11.-)", [("E11", "E11")]),
        ("stage of chronic kidney disease (N18.1-N18.6)", [("N18.1", "N18.6")]),
        ("botulism (A05.1, A48.51-A48.52)", [("A05.1", "A05.1"), ("A48.51", "A48.52")]),
        ("leukemia (C91.-, C92.-)", [("C91", "C91"), ("C92", "C92")]),
        ("fracture of cervical vertebra (S12.0--S12.6.-)", [("S12.0", "S12.6")]),
        ("apnea of newborn (P28.3- - P28.4-)", [("P28.3", "P28.4")]),
        ("head injury (S00 - S09)", [("S00", "S09")]),
        ("arthritis by site, if known (M05.00 to M05.8A)", [("M05.00", "M05.8A")]),
        ("certain localized infections", []),
        ("Gustilo type IIIA fractures", []),
    ],
)
def test_citations(note, cited):
    assert [(c.first, c.last) for c in citations(note)] == cited


@pytest.mark.parametrize(
    ("note", "matching", "other"),
    [
        ("(E08-E13 with .44)", "E1144", "E1142"),
        ("(E08-E13 with .62-)", "E11621", "E1165"),
        ("(V01-V09 with 5th character 1)", "V0111XA", "V0112XA"),
        ("(T36-T50 with fifth or sixth character 5)", "T360X5", "T360X1"),
        ("(T36-T65 with fifth or sixth character 1-4)", "T363X2", "T363X5"),
        ("(S62.- with 7th character B)", "S62001B", "S62001A"),
        ("(I69. with final characters -23)", "I69323", "I69321"),
    ],
)
def test_a_restricted_range_matches_what_it_says(note, matching, other):
    import re

    (citation,) = citations(note)
    assert isinstance(citation, Citation)
    assert re.fullmatch(citation.only, matching)
    assert not re.fullmatch(citation.only, other)


def test_a_restriction_that_is_not_understood_cites_nothing():
    assert citations("open fracture (S52.- with open fracture 7th character)") == ()
