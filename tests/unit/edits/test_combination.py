"""Combination codes: what is reported together, by hand from guidelines I.C.9.a and I.A.15."""

import pytest

from clhcode.edits.combination import combinations


@pytest.mark.parametrize(
    ("codes", "code", "replaced"),
    [
        (["I10", "N18.30"], "I12.9", ["I10"]),
        (["N18.6", "I10"], "I12.0", ["I10"]),
        (["I10", "I50.22"], "I11.0", ["I10"]),
        (["I50.9", "N18.4", "I10"], "I13.0", ["I10"]),
        (["I10", "I50.9", "N18.5"], "I13.2", ["I10"]),
        (["I11.9", "N18.9"], "I13.10", ["I11.9"]),
        (["I11.9", "N18.6"], "I13.11", ["I11.9"]),
        (["I11.0", "I12.9"], "I13.0", ["I11.0", "I12.9"]),
        (["I12.9", "I10", "N18.31"], "I12.9", ["I12.9", "I10"]),
        (["E11.9", "N18.32"], "E11.22", ["E11.9"]),
        (["E10.9", "L97.411"], "E10.621", ["E10.9"]),
        (["E11.9", "L97.919"], "E11.622", ["E11.9"]),
        (["E11.9", "G62.9"], "E11.42", ["E11.9", "G62.9"]),
        (["E11.65", "I73.9"], "E11.51", ["I73.9"]),
        (["E11.65", "N18.9"], "E11.22", []),
    ],
)
def test_says_together(codes, code, replaced):
    (one,) = combinations(codes)
    assert (one.code, [codes[i] for i in one.replaces]) == (code, replaced)


@pytest.mark.parametrize(
    "codes",
    [
        [],
        ["I10"],
        ["N18.9", "I50.9"],
        ["I12.9", "N18.9"],
        ["I11.0", "I50.9"],
        ["I13.0", "I50.9", "N18.9"],
        ["E11.22", "N18.9"],
        ["E11.9", "I10"],
        ["E10.9", "E11.9", "N18.9"],  # the type is still open
        ["I15.0", "N18.9"],  # secondary hypertension has its own rule
    ],
)
def test_leaves_alone(codes):
    assert combinations(codes) == []


def test_each_code_of_a_claim_counts_once():
    codes = ["I10", "E11.9", "N18.30"]
    assert {(c.code, c.replaces) for c in combinations(codes)} == {
        ("I12.9", (0,)),
        ("E11.22", (1,)),
    }
