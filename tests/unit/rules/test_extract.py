"""The built-in answer to an `Extract`."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clhcode.records import Note
from clhcode.rules.extract import extract
from clhcode.tasks import Extract


def found(text, finder):
    return extract(Extract("analyse", (Note("n", text),), 0), finder).findings


def quotes(text, finder):
    return [finding.quote for finding in found(text, finder)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Asthma and hypertension.", ["Asthma", "hypertension"]),
        ("Type 2 diabetes with CKD stage 3b.", ["Type 2 diabetes with CKD", "CKD stage 3b"]),
        ("Pain in the left wrist.", ["Pain in the left wrist"]),
        ("HTN, afib and COPD.", ["HTN", "afib", "COPD"]),
        # Words that name nothing alone, letters that are no acronym here, other words' borders.
        ("The pattern of the growth has an old score.", []),
        ("Washing the dishes.", []),
        ("Pain: chest clear.", ["Pain"]),
        ("Blood and urine tests were normal.", []),
        ("Medications: aspirin for pain.", []),
        ("Allergies: penicillin (rash)", []),
        ("", []),
    ],
)
def test_conditions_are_found_by_their_wordings(text, expected, indexed_finder):
    assert quotes(text, indexed_finder) == expected


@pytest.mark.parametrize(
    ("text", "assertion"),
    [
        ("Asthma.", "present"),
        ("No asthma.", "negated"),
        ("Possible asthma.", "possible"),
        ("Mother has asthma.", "family"),
        ("Return if asthma worsens.", "hypothetical"),
        ("History of pneumonia.", "historical"),
        ("History of asthma.", "present"),
    ],
)
def test_each_has_what_the_note_says_of_it(text, assertion, indexed_finder):
    assert [f.assertion for f in found(text, indexed_finder)] == [assertion]


def test_modifiers_stand_close_by(indexed_finder):
    (finding,) = found("Severe persistent asthma of the left lung.", indexed_finder)
    assert {"Severe", "persistent"} <= set(finding.modifiers) | set(finding.quote.split())


WORDS = st.sampled_from(
    "asthma no pain chest left CKD stage 3b with and , . : ( ) history of \n é ﬁ 🩺 İ \x00 \u2028"
    " fracture radius denies possible mother -".split(" ")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=40).map(" ".join)))
def test_any_text_gives_places_that_hold_their_quotes(indexed_finder, text):
    findings = found(text, indexed_finder)
    assert all(text[b:e] == f.quote for f in findings for b, e in f.places)
    begins = [f.places[0][0] for f in findings]
    assert begins == sorted(begins)
