"""Headings as notes have them, and sentences that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.text.sections import BODY, Section, section_at, sections


def names(text: str) -> list[str]:
    return [section.name for section in sections(text)]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("CHIEF COMPLAINT", "chief_complaint"),
        ("CC:", "chief_complaint"),
        ("HISTORY OF PRESENT ILLNESS", "hpi"),
        ("History of Present Illness:", "hpi"),
        ("HPI", "hpi"),
        ("Past Medical History", "past_history"),
        ("PMHx:", "past_history"),
        ("**PMH**", "past_history"),
        ("## Past Medical History (PMH)", "past_history"),
        ("PSH:", "surgical_history"),
        ("past surgical history:", "surgical_history"),
        ("FHx:", "family_history"),
        ("FAMILY HISTORY", "family_history"),
        ("SH:", "social_history"),
        ("ROS:", "review_of_systems"),
        ("Review of Systems", "review_of_systems"),
        ("Meds:", "medications"),
        ("Discharge Medications:", "medications"),
        ("ALLERGIES", "allergies"),
        ("PE:", "exam"),
        ("VITALS REVIEWED", "exam"),
        ("Physical Exam", "exam"),
        ("RESULTS", "results"),
        ("Pertinent Results:", "results"),
        ("A/P:", "assessment_plan"),
        ("A&P", "assessment_plan"),
        ("ASSESSMENT AND PLAN", "assessment_plan"),
        ("Assessment & Plan:", "assessment_plan"),
        ("**Assessment/Plan:**", "assessment_plan"),
        ("3. Assessment:", "assessment_plan"),
        ("IMPRESSION", "diagnoses"),
        ("Imp:", "diagnoses"),
        ("Dx:", "diagnoses"),
        ("Discharge Diagnoses:", "diagnoses"),
        ("Final Diagnosis", "diagnoses"),
        ("Brief Hospital Course:", "hospital_course"),
        ("Major Surgical or Invasive Procedure:", "procedures"),
        ("Discharge Instructions:", "instructions"),
        ("ADVANCE DIRECTIVES", BODY),
    ],
)
def test_a_heading_alone_on_its_line(heading: str, name: str) -> None:
    assert names(f"Some words.\n\n{heading}\nAsthma.\n") == [BODY, name]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("PMH: HTN, DM2", "past_history"),
        ("Past Medical History: asthma", "past_history"),
        ("**Allergies:** penicillin", "allergies"),
        ("PMH - HTN, DM2", "past_history"),
        ("Impression: acute gout", "diagnoses"),
        ("1. CC: cough", "chief_complaint"),
        ("CODE STATUS: full", BODY),
    ],
)
def test_a_heading_with_its_text(line: str, name: str) -> None:
    assert names(f"Some words.\n{line}\n") == [BODY, name]


@pytest.mark.parametrize(
    "line",
    [
        "Allergies were reviewed with the patient.",
        "Plan to see her in two weeks.",
        "History of asthma.",
        "Results are pending",
        "Follow-up.",
        "COPD",
        "HIV",
        "Blood pressure: 120/80",
        "BP: 120/80",
        "Blood tests showed the following:",
        "He said this: go home.",
        "• Cardiovascular: no murmurs",
        "Exam was normal: no edema",
    ],
)
def test_no_heading(line: str) -> None:
    assert names(f"Some words.\n{line}\nMore words.\n") == [BODY]


def test_headings_in_the_middle_of_a_line() -> None:
    text = "PMH: HTN. PSH: none. FH: CAD."
    assert names(text) == ["past_history", "surgical_history", "family_history"]
    assert text[sections(text)[1].begin :].startswith("PSH")


def test_subheadings_of_a_history() -> None:
    text = "PAST HISTORY\n\nMedical\nAsthma.\n\nSurgical\nHysterectomy.\n\nMEDICATIONS\nNone.\n"
    assert names(text) == ["past_history", "past_history", "surgical_history", "medications"]


def test_subheadings_of_an_examination_do_not_end_it() -> None:
    text = "PHYSICAL EXAM\nCardiovascular\n- no murmur\nMSK:\nKnee: swollen\n\nPLAN\nIce.\n"
    assert names(text) == ["exam", "assessment_plan"]


def test_headings_of_problems_keep_the_name_of_their_section() -> None:
    text = (
        "ASSESSMENT AND PLAN\n\nHypothyroidism.\n• Medical Reasoning: stable.\n\n"
        "# CHF:\nFurosemide.\n\nCOPD exacerbation:\nSteroids.\n"
    )
    found = sections(text)
    assert {section.name for section in found} == {"assessment_plan"}
    assert [section.heading for section in found[1:]] == [
        "Hypothyroidism",
        "CHF",
        "COPD exacerbation",
    ]


def test_rows_of_a_family_history_stay_in_it() -> None:
    text = "FAMILY HISTORY\n\nMother: lymphoma.\nMaternal aunt: lupus.\n\nPLAN\nNone.\n"
    assert names(text) == ["family_history", "assessment_plan"]


def test_a_family_history_beside_its_heading_ends_where_prose_goes_on() -> None:
    text = (
        "HPI:\nCough.\nFamily history: father with gout.\n"
        "He was then admitted with severe pneumonia of the left lower lobe.\n"
    )
    found = sections(text)
    assert [section.name for section in found] == ["hpi", "family_history", "hpi"]


def test_text_before_the_first_heading_is_body() -> None:
    text = "Seen today.\nPLAN:\nRest.\n"
    first, second = sections(text)
    assert (first.name, first.heading, first.begin, first.end) == (BODY, "", 0, 12)
    assert second == Section("assessment_plan", "PLAN", 12, len(text))


def test_section_at() -> None:
    found = sections("Seen today.\nPLAN:\nRest.\n")
    assert [section_at(found, offset).name for offset in (0, 11, 12, 99)] == [
        BODY,
        BODY,
        "assessment_plan",
        "assessment_plan",
    ]
    assert section_at(sections(""), 0).name == BODY


LINES = st.sampled_from(
    ["PMH: HTN", "Plan", "FAMILY HISTORY", "A/P:", "# CHF:", "- cough", "Gout.", "", "x: y. FH: z"]
)


@given(st.one_of(st.lists(LINES).map("\n".join), st.text(max_size=80)))
def test_sections_tile_the_text(text: str) -> None:
    found = sections(text)
    assert "".join(text[section.begin : section.end] for section in found) == text
    assert found[0].begin == 0
    assert found[-1].end == len(text)
    assert all(section.begin < section.end for section in found) or not text
    for section in found:
        assert section.heading in text[section.begin : section.end]
        assert section_at(found, section.begin) == section
