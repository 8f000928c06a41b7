"""Pages laid out as the Official Guidelines are, with headings of theirs and text of ours."""

from __future__ import annotations

from pdf import pdf

HEAD = "ICD-10-CM Official Guidelines for Coding and Reporting"


def page(number: int, *lines: str) -> tuple[str, ...]:
    """A page with the running foot of the official file."""
    return (*lines, HEAD, "FY 2026", f"Page {number} of 6")


PAGES = (
    page(1, HEAD, "FY 2026", "(October 1, 2025 - September 30, 2026)", "Who made this."),
    page(
        2,
        "Table of Contents",
        "Section I. Conventions, general coding guidelines and chapter specific guidelines .... 3",
        "A. Conventions for the ICD-10-CM ........................................... 3",
        "1. The Alphabetic Index and Tabular List ................................... 3",
        "Section II. Selection of Principal Diagnosis ............................... 5",
    ),
    page(
        3,
        "Section I. Conventions, general coding guidelines and chapter specific",
        "guidelines",
        "These hold for everyone.",
        "A. Conventions for the ICD-10-CM",
        "Rules of the book.",
        "1. The Alphabetic Index and Tabular List",
        "Look a diagnosis up, then verify it. The diag-",
        "nosis is in the list, at a well-",
        "known place.",
        "2. Format and Structure:",
        "Indented. See",
        "Section II. Selection of Principal Diagnosis is elsewhere.",
        "3. 7th Characters",
        "The last.",
        "4. \u201cAnd\u201d",
        "Either or both.",
        "B. General Coding Guidelines",
        "1. Locating a code in the ICD-10-CM",
        "Begin with the Index, go on to the Tabular List, and do not begin with vitamin",
        "C. It is a vitamin.",
        "C. Chapter-Specific Coding Guidelines",
        "By chapter.",
        "1. Chapter 1: Certain Infectious and Parasitic Diseases (A00-B99), U07.1,",
        "U09.9",
        "a. Human Immunodeficiency Virus (HIV) Infections",
    ),
    page(
        4,
        "1) Code only confirmed cases",
        "Confirmed by a provider.",
        "2) Selection and sequencing of HIV codes",
        "(a) Patient admitted for an HIV-related condition",
        "B20 is first. A list follows:",
        "\u2022 one thing",
        "\u2022 another thing that is long and goes",
        "on here",
        "(b) Patient admitted for another condition",
        "That condition is first.",
        "b.",
        "Infectious agents as the cause of diseases classified to other chapters",
        "B95-B97 are added.",
        "4. Chapter 4: Endocrine, Nutritional, and Metabolic Diseases (E00-E89)",
        "a. Diabetes mellitus",
        "Codes of E08-E13, as many as",
    ),
    page(
        5,
        "are needed.",
        "Section II. Selection of Principal Diagnosis",
        "The reason, after study.",
        "A. Codes for symptoms, signs, and ill-defined conditions",
        "Not principal.",
        "B. Two or more interrelated conditions, each potentially meeting the",
        "definition for principal diagnosis",
        "Either.",
        "Section III. Reporting Additional Diagnoses",
        "What bears on care.",
        "Section IV. Diagnostic Coding and Reporting Guidelines for Outpatient",
        "Services",
        "A. Selection of first-listed condition",
        "1. Outpatient Surgery",
        "Its reason.",
    ),
    page(6, "Appendix I", "Present on Admission Reporting Guidelines", "1. Y, N, U or W."),
)


def official() -> bytes:
    """The pages as a PDF."""
    return pdf(PAGES)
