"""Metrics: by hand, and equal to scikit-learn's on problems drawn at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from clhcode.bench import metrics
from clhcode.bench.bootstrap import difference, intervals
from clhcode.bench.encode import encode

SETS = st.lists(st.tuples(st.sets(st.sampled_from("ABCDEFG")), st.sets(st.sampled_from("ABCDEFG"))))


def counted(gold, predicted):
    problem = encode(gold, predicted)
    return metrics.by_row(problem), metrics.by_label(problem)


def theirs(gold, predicted, average, labels=None):
    binarizer = MultiLabelBinarizer(classes=list("ABCDEFG"))
    there, said = binarizer.fit_transform(gold), binarizer.transform(predicted)
    return precision_recall_fscore_support(
        there, said, average=average, labels=labels, zero_division=0
    )[:3]


@given(SETS.filter(bool))
def test_equals_scikit_learn(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    rows, labels = counted(gold, predicted)
    for ours, average in (
        (metrics.micro(rows), "micro"),
        (metrics.micro(labels), "micro"),
        (metrics.sample(rows), "samples"),
        (metrics.weighted(labels), "weighted"),
    ):
        assert tuple(ours.as_dict().values()) == pytest.approx(theirs(gold, predicted, average))
    for either in (False, True):
        chosen = set().union(*gold, *(predicted if either else ()))
        numbers = ["ABCDEFG".index(c) for c in sorted(chosen)]
        if numbers:
            ours = metrics.macro(labels, either=either)
            wanted = theirs(gold, predicted, "macro", numbers)
            assert tuple(ours.as_dict().values()) == pytest.approx(wanted)


GOLD = [{"I10", "E11.9"}, {"I10"}, set(), {"N18.30", "J45.20"}]
SAID = [{"I10", "E11.22"}, {"I10"}, {"R05.9"}, set()]


def test_by_hand():
    rows, labels = counted(GOLD, SAID)
    # 2 hits of 4 predictions and 5 gold codes.
    assert metrics.micro(rows) == metrics.Score(0.5, 0.4, pytest.approx(4 / 9))
    # I10 is right twice, the three other gold codes never.
    assert metrics.macro(labels) == metrics.Score(0.25, 0.25, 0.25)
    # E11.22 and R05.9 come in as labels that are never right.
    assert metrics.macro(labels, either=True).f1 == pytest.approx(1 / 6)
    assert metrics.sample(rows).f1 == pytest.approx((0.5 + 1 + 0 + 0) / 4)
    assert metrics.weighted(labels).recall == pytest.approx(0.4)
    assert metrics.exact(rows) == 0.25
    assert metrics.ratio(rows) == {"predicted_per_gold": 0.8, "over": 0.4, "under": 0.6}


def test_a_coder_replaces_siblings():
    assert metrics.effort(GOLD, SAID) == [(0, 0, 1), (0, 0, 0), (0, 1, 0), (2, 0, 0)]
    assert metrics.effort([{"E11.9", "E11.22"}], [{"E11.65", "I10"}]) == [(1, 1, 1)]


def test_ranking_by_hand():
    # Hits at places 1 and 3 of two gold codes: AP = (1 + 2/3) / 2.
    found = metrics.ranked([{"A", "C"}, set()], [["A", "B", "C", "A"], ["A"]], ks=(1, 3, 5))
    assert found["map"] == pytest.approx(5 / 6)
    assert [found[f"precision_at_{k}"] for k in (1, 3, 5)] == pytest.approx([1, 2 / 3, 2 / 5])
    assert [found[f"recall_at_{k}"] for k in (1, 3, 5)] == pytest.approx([0.5, 1, 1])


def test_nothing_at_all_is_zero_everywhere():
    rows, labels = counted([], [])
    assert metrics.micro(rows).f1 == metrics.macro(labels).f1 == metrics.exact(rows) == 0
    assert metrics.ranked([], [])["map"] == 0
    assert intervals(encode([], [])) == {}


def test_an_interval_holds_its_figure_and_narrows_with_more_encounters():
    few = intervals(encode(GOLD * 5, SAID * 5), 400)
    many = intervals(encode(GOLD * 80, SAID * 80), 400)
    for name, figure in (("micro", 4 / 9), ("macro", 0.25)):
        (low, high), (lower, higher) = few[name]["f1"], many[name]["f1"]
        assert low <= lower <= figure <= higher <= high
    assert many["micro"]["f1"][1] - many["micro"]["f1"][0] < 0.5 * (
        few["micro"]["f1"][1] - few["micro"]["f1"][0]
    )
    assert few["exact_match"]["value"][0] < 0.25 < few["exact_match"]["value"][1]
    assert intervals(encode(GOLD, GOLD), 50)["micro"]["f1"] == (1.0, 1.0)


def test_a_difference_is_paired():
    same = metrics.by_row(encode(GOLD, SAID))
    assert difference(same, same, 100) == (0.0, (0.0, 0.0), 1.0)
    better = metrics.by_row(encode(GOLD * 20, GOLD * 20))
    worse = metrics.by_row(encode(GOLD * 20, SAID * 20))
    found, (low, high), chance = difference(worse, better, 200)
    assert found == pytest.approx(5 / 9)
    assert low < found < high
    assert chance == 0


def test_counts_are_whole_numbers_of_pairs():
    problem = encode([["A", "A"], ["B"]], [["A"], ["A", "A", "B"]])
    assert metrics.by_row(problem).said.tolist() == [1, 2]
    assert np.array(problem.names).tolist() == ["A", "B"]
