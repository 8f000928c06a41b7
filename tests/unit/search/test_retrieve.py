"""Reciprocal rank fusion, by hand."""

import pytest

from clhcode.icd.store import Node
from clhcode.search.find import Match
from clhcode.search.retrieve import Hybrid, Lexical, Query, fused


def match(code, path="", score=0.5):
    return Match(Node(0, code, code, "code", 1, None, 0, True), (path or code,), "index", score)


def test_two_rankings_become_one():
    one = [match("A"), match("B"), match("C")]
    other = [match("C"), match("A"), match("D")]
    found = fused((one, other), 10)
    # A 1/61 + 1/62, C 1/63 + 1/61, B 1/62, D 1/63; each by 2/61, what first in both would have.
    assert [(m.node.code, m.score) for m in found] == [
        ("A", 0.9919),
        ("C", 0.9841),
        ("B", 0.4919),
        ("D", 0.4841),
    ]


def test_first_in_both_is_one_and_no_more_come_than_wanted():
    ranking = [match("A"), match("B"), match("C")]
    found = fused((ranking, ranking), 2)
    assert [(m.node.code, m.score) for m in found] == [("A", 1.0), ("B", 0.9839)]


def test_a_tie_is_the_earlier_rankings():
    found = fused(([match("W")], [match("V")]), 10)
    assert [m.node.code for m in found] == ["W", "V"]


def test_the_match_that_stands_higher_is_kept():
    one = [match("A"), match("B", "by words")]
    other = [match("B", "by vectors"), match("A", "by vectors")]
    assert [m.path for m in fused((one, other), 10)] == [("A",), ("by vectors",)]
    # At one rank the first ranking's.
    assert [m.path for m in fused(([one[1]], [other[0]]), 10)] == [("by words",)]


def test_nothing_found_is_nothing():
    assert fused(((), ()), 10) == ()
    assert [m.score for m in fused(((), [match("A")]), 10)] == [0.5]


class Fixed:
    """Answers by its list, and keeps what it was asked."""

    def __init__(self, **known):
        self.known, self.asked = known, []

    def search(self, queries, most):
        self.asked.append((tuple(queries), most))
        return [tuple(self.known[q.phrase]) for q in queries]


def test_hybrid_asks_both_once_for_all_and_keeps_queries_apart():
    words = Fixed(x=[match("A")], y=[match("B")])
    vectors = Fixed(x=[match("A")], y=[match("C")])
    queries = (Query("x", "of x"), Query("y"))
    found = Hybrid(words, vectors).search(queries, 5)
    assert [[m.node.code for m in each] for each in found] == [["A"], ["B", "C"]]
    assert words.asked == vectors.asked == [(queries, 5)]


@pytest.mark.parametrize("widen", [False, True])
def test_lexical_is_the_finder_with_its_context(finder, widen):
    queries = [Query("MS", "relapsing MS"), Query("acute gout")]
    found = Lexical(finder, widen).search(queries, 4)
    assert found == [finder.find(q.phrase, 4, q.context, widen=widen) for q in queries]
    # The context alone tells what the letters mean.
    assert found[0][0].node.code == "G35"
    assert all(found)
