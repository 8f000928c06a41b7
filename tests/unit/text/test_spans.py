"""Where a quote stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.records import FRAGMENTS
from clhcode.text.spans import line_of, locate_quote, trim, window

TEXT = (
    "He has  type 2\n diabetes – Crohn’s disease, and DM. Admitted: MI.\nLeft and right hip pain."
)


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        ("disease", ["disease"]),
        ("type 2 diabetes", ["type 2\n diabetes"]),
        ("TYPE 2 Diabetes", ["type 2\n diabetes"]),
        ("Crohn's disease", ["Crohn’s disease"]),
        ("diabetes - Crohn's", ["diabetes – Crohn’s"]),
        ('"MI."', ["MI"]),
        ("mitted", ["mitted"]),
        (FRAGMENTS.join(["Left", "hip pain"]), ["Left", "hip pain"]),
        (f"Left{FRAGMENTS}", ["Left"]),
        (FRAGMENTS.join(["left", "HIP  pain"]), ["Left", "hip pain"]),
    ],
)
def test_a_quote_is_found(quote: str, expected: list[str]) -> None:
    places = locate_quote(TEXT, quote)
    assert places is not None
    assert [TEXT[begin:end] for begin, end in places] == expected


@pytest.mark.parametrize("quote", ["stroke", "", "  ", "...", FRAGMENTS.join(["hip pain", "Left"])])
def test_a_quote_that_does_not_stand(quote: str) -> None:
    assert locate_quote(TEXT, quote) is None


def test_the_first_place_at_or_after_an_offset_then_from_the_start() -> None:
    text = "gout, gout, gout"
    assert locate_quote(text, "gout") == ((0, 4),)
    assert locate_quote(text, "gout", 1) == ((6, 10),)
    assert locate_quote(text, "gout", 6) == ((6, 10),)
    assert locate_quote(text, "gout", 13) == ((0, 4),)


def test_a_whole_word_is_preferred_to_a_part_of_one() -> None:
    assert locate_quote("ADMITTED with DM", "DM") == ((14, 16),)
    assert locate_quote("ADMITTED", "DM") == ((1, 3),)


@given(st.data())
def test_words_of_the_text_are_found(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("ab. \n-'’X"), min_size=1, max_size=40))
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    quote = text[begin:end]
    for after in (0, begin):
        places = locate_quote(text, quote, after)
        if quote.strip():
            assert places is not None
            assert [text[b:e] for b, e in places] == [quote]


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 40))
def test_places_lie_in_the_text(text: str, quote: str, after: int) -> None:
    places = locate_quote(text, quote, after) or ()
    assert all(0 <= begin < end <= len(text) for begin, end in places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  - gout. ", "gout"),
        ("(gout)", "(gout)"),
        ("cancer (left).", "cancer (left)"),
        ("gout)", "gout"),
        ("“gout”,", "gout"),
        (" .,; ", ""),
    ],
)
def test_trim(text: str, expected: str) -> None:
    begin, end = trim(text, 0, len(text))
    assert text[begin:end] == expected


def test_line_of() -> None:
    assert [line_of("a\nb\n\nc", offset) for offset in (0, 1, 2, 4, 5)] == [1, 1, 2, 3, 4]


def test_window_is_cut_between_words() -> None:
    text = "severe community acquired pneumonia of the lobe"
    begin = text.index("pneumonia")
    left, right = window(text, begin, begin + 9, 12)
    assert text[left:right] == "acquired pneumonia of the lobe"
    assert window(text, begin, begin + 9, 999) == (0, len(text))
    assert window(text, begin, begin + 9, 0) == (begin, begin + 9)


@given(st.text(st.sampled_from("ab .")), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_window_holds_its_span(text: str, one: int, other: int, around: int) -> None:
    begin, end = sorted((min(one, len(text)), min(other, len(text))))
    left, right = window(text, begin, end, around)
    assert 0 <= left <= begin <= end <= right <= len(text)
    assert begin - left <= around
    assert right - end <= around
