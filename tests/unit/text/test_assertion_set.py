"""The labelled sentences: their shape, and a floor under what our rules make of them."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

from clhcode.records import ASSERTIONS

ROOT = Path(__file__).parents[3]
# 0.03 below what is reached.
FLOORS = {"all": 0.907, "held": 0.828}


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(ROOT / "benchmarks" / "assertions.py"))


@pytest.fixture(scope="module")
def lines():
    text = (ROOT / "tests" / "data" / "assertions.tsv").read_text("utf-8")
    comment, header, *rows = text.splitlines()
    assert comment.startswith("#")
    assert header == "label\tsentence"
    return rows


def test_each_line_is_a_label_and_a_sentence_with_one_problem(lines):
    for line in lines:
        label, sentence = line.split("\t")
        assert label in ASSERTIONS
        assert re.fullmatch(r"[^\[\]]*\[[^\[\]\s]([^\[\]]*[^\[\]\s])?\][^\[\]]*", sentence), (
            sentence
        )
        assert sentence == " ".join(sentence.split())


def test_there_are_enough_of_each_label_and_none_twice(lines):
    assert len(lines) >= 200
    assert min(Counter(line.split("\t")[0] for line in lines).values()) >= 25
    plain = [line.split("\t")[1].translate(str.maketrans("", "", "[]")).lower() for line in lines]
    assert len(set(plain)) == len(plain)


def test_the_benchmark_reads_them_all(bench, lines):
    cases = bench["cases"]()
    assert len(cases) == len(lines)
    marked = [f"{c.text[: c.begin]}[{c.text[c.begin : c.end]}]{c.text[c.end :]}" for c in cases]
    assert [line.split("\t")[1] for line in lines] == marked


def test_figures_by_hand(bench):
    gold = ["negated", "negated", "present", "family"]
    said = ["negated", "present", "present", "family"]
    assert bench["prf"](gold, said, "negated") == pytest.approx((1, 1 / 2, 2 / 3))
    assert bench["prf"](gold, said, "present") == pytest.approx((1 / 2, 1, 2 / 3))
    assert bench["accuracy"](gold, said) == 3 / 4
    # Three of the six labels are not there and count nothing.
    assert bench["macro"](gold, said) == pytest.approx((2 / 3 + 2 / 3 + 1) / 6)


@pytest.mark.parametrize("name", FLOORS)
def test_our_rules_reach_their_floor(bench, name):
    cases = bench["cases"]()[bench["PARTS"][name]]
    said = [bench["ours"](case) for case in cases]
    assert bench["macro"]([case.label for case in cases], said) > FLOORS[name]
