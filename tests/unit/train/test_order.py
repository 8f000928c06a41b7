"""Rows of like length are learned from together, and each once."""

from hypothesis import given
from hypothesis import strategies as st

from clhcode.train.order import POOL, Alike, order

LENGTHS = st.lists(st.integers(1, 300), max_size=300)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 9))
def test_each_row_once_and_always_in_the_same_order(lengths, batch, seed):
    drawn = order(lengths, batch, seed)
    assert sorted(drawn) == list(range(len(lengths)))
    assert drawn == order(lengths, batch, seed)


def test_one_pool_by_hand():
    # Four whole batches of one pool: sorted, 1..8 fall into pairs, which are in any order.
    drawn = order([5, 1, 8, 3, 7, 2, 6, 4], 2, 0)
    lengths = [[5, 1, 8, 3, 7, 2, 6, 4][row] for row in drawn]
    assert sorted(map(tuple, zip(lengths[::2], lengths[1::2], strict=True))) == [
        (1, 2),
        (3, 4),
        (5, 6),
        (7, 8),
    ]


def test_batches_are_narrow_and_do_not_come_by_length():
    lengths = [1 + (7 * n) % 200 for n in range(4 * POOL * 8)]
    drawn = order(lengths, 8, 3)
    batches = [[lengths[row] for row in drawn[at : at + 8]] for at in range(0, len(drawn), 8)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    widest = [max(batch) for batch in batches]
    assert widest not in (sorted(widest), sorted(widest, reverse=True))


def test_what_fills_no_batch_is_last_and_not_always_the_longest():
    last = {order(list(range(9)), 4, seed)[-1] for seed in range(40)}
    assert len(last) > 3


def test_an_epoch_is_another_order_and_comes_again():
    sampler = Alike([1, 2, 3, 4, 5, 6, 7, 8, 9], 2, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert len(sampler) == 9
    assert first != second
    assert list(sampler) == first
