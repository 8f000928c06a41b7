"""Long texts in pieces: all of it, no piece too long, seams where a reader would put them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clhcode.text.windows import around, windows

words = st.lists(
    st.sampled_from(["fever", "and", "cough.", "\n", "Plan:\n", "x" * 30]), max_size=60
)
texts = words.map(" ".join)


@given(texts, st.integers(10, 120), st.integers(0, 40))
def test_pieces_cover_the_text_and_none_is_too_long(text, most, overlap):
    pieces = windows(text, most, overlap)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == len(text)
    for begin, end in pieces:
        assert end - begin <= most
    for (begin, end), (after, _) in pairwise(pieces):
        assert begin < after <= end
        assert end - after <= overlap


def test_a_piece_ends_before_a_heading_rather_than_at_a_sentence():
    text = "History:\nHe is well. He has asthma.\nPlan:\nInhaler daily. Return soon."
    (_, end), *_ = windows(text, 50, 10)
    assert text[end:].startswith("Plan:")


def test_a_piece_ends_at_a_sentence_rather_than_in_it():
    text = "He has had asthma for years. He smokes a lot and drinks a little too."
    (_, end), *_ = windows(text, 45, 20)
    assert text[:end] == "He has had asthma for years. "


def test_the_next_piece_begins_at_a_sentence_that_the_overlap_reaches():
    text = "He has had asthma. He smokes a lot. He drinks. He is old and tired of it all."
    (_, end), (begin, _), *_ = windows(text, 50, 20)
    assert text[:end].endswith("He drinks. ")
    assert text[begin:].startswith("He drinks.")


@given(texts, st.data())
def test_what_stands_around_a_place_is_of_the_text(text, data):
    if not text:
        return
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, min(len(text), begin + 20)))
    shown = around(text, [(begin, end)], 40)
    assert text[begin:end] in shown
    for piece in shown.split("[...]"):
        assert piece.strip() in text


def test_two_places_far_apart_are_two_pieces():
    text = f"gout {'word ' * 50}asthma {'word ' * 50}"
    at = text.index("asthma")
    shown = around(text, [(0, 4), (at, at + 6)], 60)
    assert shown.startswith("gout word")
    assert "asthma" in shown
    assert shown.count("[...]") == 2
    assert len(shown) < 90
