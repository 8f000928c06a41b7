"""Words, sentences and clauses."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.text.tokens import clauses, sentences, tokenise

NOTES = st.text(st.sampled_from("abcDE 12.,;:!?-•#()/'’\n\r\té\u0301*"), max_size=120)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T2DM, B12 and stage 3b", "T2DM|B12|and|stage|3b"),
        ("C6 fracture", "C6|fracture"),
        ("HbA1c 7.9%.", "HbA1c|7.9"),
        ("Crohn's and Sjögren’s", "Crohn's|and|Sjögren’s"),
        ("'quoted' patients'", "quoted|patients"),
        ("x-ray, s/p CABG", "x|ray|s|p|CABG"),
        ("BP 120/80", "BP|120|80"),
        ("38.5C", "38.5|C"),
        ("snake_case", "snake|case"),
        ("Me\u0301nie\u0300re", "Me\u0301nie\u0300re"),
        ("...", ""),
        ("", ""),
    ],
)
def test_tokenise(text: str, words: str) -> None:
    assert "|".join(token.text for token in tokenise(text)) == words


@pytest.mark.parametrize(
    "marked",
    [
        "He has gout.| She has none.",
        "Seen by Dr. Smith vs. Mr. Jones, e.g. today.| Well.",
        "HbA1c 7.9 today.| Temp 38.5.| Stable.",
        "Aspirin b.i.d. and metformin q.d. with food.| Done.",
        "Metformin b.i.d.| He feels well.",
        "Grew S. aureus and E. coli in approx. 3 days.| Treated.",
        "Seen by J. Doe.| Fine.",
        "He has hepatitis C.| He is well.",
        "pt denies sob.| no cp.",
        "Really?| Yes!| Good.",
        "? appendicitis, ? Crohn.| Seen today.",
        "1. Hypertension.|\n2. Diabetes.| Stable.",
        "Gout; stable; no flare.",
        "PMH:|\nHTN|\nDM2",
        "- cough|\n- fever|\n• pain",
        "REVIEW OF SYSTEMS|\n\nNegative for cough.",
        "Negative for weight loss,\nheadaches, or cough.",
        "The patient was brought in by ambulance after she had fallen down\n"
        "the stairs at home.| No fracture.",
        "The patient was brought in by ambulance with a new diagnosis of\nCHF.| Stable.",
        "The patient was brought in by ambulance after she had fallen down|\n1. Hip fracture",
        "The patient was brought in by ambulance after she had fallen down|\n\nat home",
        'He said "it hurts."| Then he left.',
        "Labs on 3.4.2020 were normal.| Good.",
    ],
)
def test_sentences(marked: str) -> None:
    text = marked.replace("|", "")
    assert [text[b:e] for b, e in sentences(text)] == [part.strip() for part in marked.split("|")]


@pytest.mark.parametrize(
    "marked",
    [
        "no fever |but chills",
        "no fever, |however has chills",
        "no pain |except for headache",
        "no pain |aside from headache",
        "gout|; stable",
        "gout| - stable",
        "well-known x-ray",
        "risks include but are not limited to pain",
        "Although tired, well",
    ],
)
def test_clauses(marked: str) -> None:
    text = marked.replace("|", "")
    assert "|".join(text[b:e] for b, e in clauses(text, 0, len(text))) == marked


@given(st.one_of(NOTES, st.text(max_size=60)))
def test_offsets_point_at_the_text(text: str) -> None:
    tokens = tokenise(text)
    assert all(text[t.begin : t.end] == t.text for t in tokens)
    assert all(a.end <= b.begin for a, b in pairwise(tokens))
    found = sentences(text)
    assert all(text[b:e] == text[b:e].strip() != "" for b, e in found)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    # No word is lost between sentences, and none is cut.
    assert [t.text for b, e in found for t in tokenise(text[b:e])] == [t.text for t in tokens]


@given(NOTES)
def test_clauses_tile_their_sentence(text: str) -> None:
    for begin, end in sentences(text):
        parts = clauses(text, begin, end)
        assert "".join(text[b:e] for b, e in parts) == text[begin:end]


def test_a_long_note_is_read_in_time_proportional_to_its_length() -> None:
    note = "The patient denies fever, chills, or T2DM-related pain of 7.9 units. " * 60
    began = time.perf_counter()
    for _ in range(10):
        tokenise(note)
        sentences(note)
    # A millisecond or two each; the limit only catches what goes out of hand.
    assert time.perf_counter() - began < 1
