"""The trie of prompts: every shared token once, a parent before its children."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clhcode.runtime.lines import Line, Lines, common, trie

short = st.lists(st.integers(0, 2), min_size=1, max_size=8)


def array(values):
    return np.array(values, dtype=np.int32)


@given(st.lists(short, min_size=1, max_size=6))
def test_the_nodes_are_the_distinct_beginnings(sequences):
    arrays = [array(s) for s in sequences]
    nodes = trie(arrays, [0] * len(arrays), [[len(s) - 1] for s in sequences])
    beginnings = {tuple(s[: n + 1]) for s in sequences for n in range(len(s))}
    assert len(nodes) == len(beginnings)
    # What each sequence is given, in order, is the sequence.
    for n, sequence in enumerate(sequences):
        own = [node for node in nodes if n in node.seqs]
        assert [node.token for node in own] == sequence
        assert [node.position for node in own] == list(range(len(sequence)))
        assert own[-1].wanted


@given(st.lists(short, min_size=1, max_size=5), short)
def test_what_a_line_has_is_not_read_again(sequences, known):
    line = array(known)
    arrays = [array(s) for s in sequences]
    starts = [min(common(line, a), len(a) - 1) for a in arrays]
    nodes = trie(arrays, starts, [[] for _ in arrays])
    for n, sequence in enumerate(sequences):
        own = [node.token for node in nodes if n in node.seqs]
        assert own == sequence[starts[n] :]


def test_shared_tokens_belong_to_all_that_have_them():
    nodes = trie([array([1, 2, 3]), array([1, 2, 4])], [0, 0], [[2], [1]])
    assert [(n.token, n.position, n.seqs, n.wanted) for n in nodes] == [
        (1, 0, (0, 1), False),
        (2, 1, (0, 1), True),
        (3, 2, (0,), True),
        (4, 2, (1,), False),
    ]


def test_the_longest_line_is_found_and_the_oldest_idle_one_given_up():
    lines = Lines(3)
    for seq, tokens in enumerate(([1, 2], [1, 2, 3], [9])):
        line = Line(seq, array(tokens))
        lines.lines.append(line)
        lines.touch(line)
    assert lines.free() is None
    found, length = lines.longest(array([1, 2, 3, 4]))
    assert (found.seq, length) == (1, 3)
    assert lines.longest(array([7])) == (None, 0)
    assert lines.oldest().seq == 0
    lines.lines[0].held = True
    assert lines.oldest().seq == 2
