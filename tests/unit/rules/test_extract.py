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


@pytest.mark.parametrize(
    "text",
    [
        "Chest; pain",
        "Chest. Pain",
        "Chest: pain",
        "Chest (pain)",
        "Chest [pain]",
        "(Chest) pain",
        "- chest\n- pain",
    ],
)
def test_no_wording_reaches_across_a_border(text, indexed_finder):
    assert [quote.lower() for quote in quotes(text, indexed_finder)] == ["pain"]
    assert quotes("Chest pain", indexed_finder) == ["Chest pain"]


@pytest.mark.parametrize("text", ["Disease.", "Syndrome", "Mass", "Fall.", "Removal", "Disease 3"])
def test_a_generic_word_alone_names_nothing(text, indexed_finder):
    assert quotes(text, indexed_finder) == []


def test_a_generic_word_counts_beside_another(indexed_finder):
    assert quotes("Kidney disease", indexed_finder) == ["Kidney disease"]
    assert quotes("Fall from a ladder", indexed_finder) == ["Fall from a ladder"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The second begins inside the first and reaches further.
        (
            "Hypertension with chronic kidney disease stage 4",
            ["Hypertension with chronic kidney", "chronic kidney disease stage 4"],
        ),
        # What lies inside another is not one of its own.
        ("Acute cystitis with hematuria", ["Acute cystitis with hematuria"]),
        # Side and degree stand inside and belong to it.
        ("fracture of the lower end of the left radius", None),
        ("Third degree burn of the right hand", None),
        ("gout and gout", ["gout", "gout"]),
    ],
)
def test_wordings_overlap_but_do_not_nest(text, expected, indexed_finder):
    assert quotes(text, indexed_finder) == (expected or [text])


@pytest.mark.parametrize(
    ("text", "modifiers"),
    [
        ("Acute severe left knee pain", ("Acute", "severe")),
        ("Hives, quite severe", ("severe",)),
        ("Nephropathy, stage 3", ("stage 3",)),
        # Further away than a modifier stands, or none of the known ones.
        ("Gout that he says is really severe", ()),
        ("Terrible gout", ()),
    ],
)
def test_qualifiers_beside_it_are_its_modifiers(text, modifiers, indexed_finder):
    (finding,) = found(text, indexed_finder)
    assert finding.modifiers == modifiers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Medications: insulin for diabetes.\nAssessment: Gout.", ["Gout"]),
        ("Allergies:\nsulfa - hives\n\nAssessment: Gout.", ["Gout"]),
        ("PMH: gout.\nMedications: colchicine for gout flare.", ["gout"]),
    ],
)
def test_a_list_of_drugs_ends_with_its_section(text, expected, indexed_finder):
    assert quotes(text, indexed_finder) == expected


def test_letters_that_are_also_a_word_count_in_capitals_alone(indexed_finder):
    assert quotes("She has AIDS", indexed_finder) == ["AIDS"]
    assert quotes("He aids his wife", indexed_finder) == []


def test_an_eponym_counts_beside_its_disease_alone(indexed_finder):
    assert quotes("Graves' disease", indexed_finder) == ["Graves' disease"]
    assert quotes("Seen by Dr. Graves", indexed_finder) == []


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("No gout but asthma.", ["negated", "present"]),
        ("Denies cough or rash. Has gout.", ["negated", "negated", "present"]),
        ("Family history: gout.\nAssessment: asthma.", ["family", "present"]),
        ("Gout. Return for fever.", ["present", "hypothetical"]),
        ("Gout, cannot exclude sepsis.", ["present", "possible"]),
    ],
)
def test_each_condition_of_a_note_has_its_own_label(text, labels, indexed_finder):
    assert [f.assertion for f in found(text, indexed_finder)] == labels


def test_the_note_asked_about_is_the_one_read(indexed_finder):
    notes = Note("a", "Gout."), Note("b", "Asthma.")
    second = extract(Extract("analyse", notes, 1), indexed_finder).findings
    assert [(f.quote, f.places) for f in second] == [("Asthma", ((0, 6),))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=20).map(" ".join)))
def test_the_tabular_alone_gives_sound_places_too(finder, text):
    findings = found(text, finder)
    assert all(text[b:e] == f.quote for f in findings for b, e in f.places)
    places = [f.places[0] for f in findings]
    # Each reaches further than the one before it: none lies inside another.
    assert [end for _, end in places] == sorted({end for _, end in places})
