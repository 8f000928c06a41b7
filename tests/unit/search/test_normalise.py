"""Words as they are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.search.normalise import abbreviations, expand, generic, key, norm, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fractures", "fracture"),
        ("oedema", "edema"),
        ("anaemia", "anemia"),
        ("haemorrhage", "hemorrhage"),
        ("diarrhoea", "diarrhea"),
        ("oesophageal", "esophageal"),
        ("tumours", "tumor"),
        ("diagnoses", "diagnosis"),
        ("stenoses", "stenosis"),
        ("metastases", "metastasis"),
        ("abscesses", "abscess"),
        ("neuropathies", "neuropathy"),
        ("Sjögren's", "sjogren"),
        ("II", "2"),
        ("Crohn’s", "crohn"),
        ("coeliac", "celiac"),
        ("vertebrae", "vertebra"),
    ],
)
def test_forms_of_a_word_compare_equal(one, other):
    assert words(one) == words(other)


@pytest.mark.parametrize(
    "word",
    ["disease", "diabetes", "sepsis", "pus", "virus", "ascites", "abscess", "herpes", "pancreas"],
)
def test_words_that_only_look_like_plurals_are_told_from_their_stem(word):
    assert norm(word) == norm(word.upper())
    assert norm(norm(word)) == norm(word)


def test_function_words_are_dropped_and_meaningful_ones_kept():
    assert words("fracture of the lower end of radius") == ("fracture", "lower", "end", "radius")
    assert words("pain without other injuries") == ("pain", "without", "other", "injury")


@given(st.text())
def test_words_never_fails_and_has_no_blanks(text):
    assert all(word and " " not in word for word in words(text))
    assert key(words(text)).count(" ") == len(words(text))


def test_abbreviations_stand_for_their_long_form():
    said = expand(["HTN", "htn", "fracture", "the"], tuple)
    assert said == [("hypertension",), ("hypertension",), ("fracture",), ()]


def test_an_abbreviation_with_a_context_is_read_by_its_neighbours():
    (short, near) = next(
        (short, next(iter(context)))
        for short, rows in abbreviations().items()
        for long, upper, context in rows
        if context and not upper and len(rows) == 1
    )
    (alone,) = expand([short], lambda: (short,))
    (beside,) = expand([short], lambda: (short, near))
    assert alone == words(short)
    assert beside == abbreviations()[short][0][0]


def test_the_abbreviation_list_is_sound():
    rows = abbreviations()
    assert all(short == short.lower().strip() and short for short in rows)
    assert all(long for meanings in rows.values() for long, _, _ in meanings)


def test_generic_words_are_normalised():
    assert all(norm(word) == word for word in generic())
