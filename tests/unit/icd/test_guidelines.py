"""The Official Guidelines: from PDF to sections, and what of them is quoted."""

import pytest
from guideline_pages import HEAD, official
from hypothesis import given
from hypothesis import strategies as st
from pdf import pdf

from clhcode.errors import UserError
from clhcode.icd.guidelines import (
    OWN,
    Guidelines,
    Section,
    chapter_of,
    excerpt,
    open_guidelines,
    parsed,
    printed,
    section_named,
)
from clhcode.icd.guidelines_pdf import body, outline, read_guidelines
from clhcode.icd.sources import File, Sources, choose, identify
from clhcode.icd.sources import packaged as packaged_file
from clhcode.icd.store import open_store


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    path = tmp_path_factory.mktemp("papers") / "icd-10-cm-guidelines.pdf"
    path.write_bytes(official())
    return File(path, "guidelines", "2026")


@pytest.fixture(scope="session")
def read(paper):
    year, sections = read_guidelines(paper)
    assert year == "2026"
    return {section.name: section for section in sections}


@pytest.fixture(scope="session")
def own():
    return open_guidelines(None)


def test_sections_bear_their_full_numbers_in_order(read):
    assert list(read) == [
        *("I", "I.A", "I.A.1", "I.A.2", "I.A.3", "I.A.4", "I.B", "I.B.1", "I.C"),
        *("I.C.1", "I.C.1.a", "I.C.1.a.1", "I.C.1.a.2", "I.C.1.a.2.a", "I.C.1.a.2.b", "I.C.1.b"),
        *("I.C.4", "I.C.4.a", "II", "II.A", "II.B", "III", "IV", "IV.A", "IV.A.1", "Appendix I"),
    ]


def test_headings_that_were_too_long_for_a_line_are_whole(read):
    titles = {name: section.title for name, section in read.items()}
    assert titles["I"].endswith("and chapter specific guidelines")
    assert titles["I.A.2"] == "Format and Structure"
    assert (titles["I.A.3"], titles["I.A.4"]) == ("7th Characters", "“And”")
    assert titles["I.C.1"].endswith("(A00-B99), U07.1, U09.9")
    assert titles["I.C.1.b"].startswith("Infectious agents as the cause")
    assert titles["II.B"].endswith("meeting the definition for principal diagnosis")
    assert titles["IV"].endswith("for Outpatient Services")
    assert titles["Appendix I"] == "Present on Admission Reporting Guidelines"


def test_a_section_holds_its_text_over_pages_and_nothing_of_their_feet(read):
    assert read["I.C.4.a"].text == "Codes of E08-E13, as many as are needed."
    assert read["I.C.1.a.2.a"].text.splitlines() == [
        "B20 is first. A list follows:",
        "• one thing",
        "• another thing that is long and goes on here",
    ]
    every = printed(read.values())
    assert not any(words in every for words in (HEAD, "Page ", "....", "Table of Contents"))


def test_a_word_broken_at_the_end_of_a_line_is_joined_and_a_hyphen_of_its_own_kept(read):
    assert read["I.A.1"].text.endswith(
        "verify it. The diagnosis is in the list, at a well-known place."
    )


def test_what_only_looks_like_a_heading_is_text(read):
    assert read["I.A.2"].text.endswith(
        "See Section II. Selection of Principal Diagnosis is elsewhere."
    )
    assert read["I.B.1"].text.endswith("begin with vitamin C. It is a vitamin.")
    assert read["Appendix I"].text == "1. Y, N, U or W."


def test_a_page_without_the_sections_has_none():
    assert body(["Local policy\nA. First\n1. Second"]) == []


def test_roman_numbers_are_told_from_letters_by_what_stands_before():
    heads = ["Section IV. Outpatient", "A. First", "1. One", "a. One", "1) One"]
    letters = [f"({letter}) Title {letter}" for letter in "abcdefghi"]
    sepsis = ["2) Two", "(a) Sepsis", "(i) First", "(ii)Second", "(b) Shock"]
    lines = ["Section I. A", "Section II. B", "Section III. C", *heads, *letters, *sepsis]
    names = [section.name.removeprefix("IV.A.1.a.") for section in outline(lines)]
    assert names[-7:] == ["1.h", "1.i", "2", "2.a", "2.a.i", "2.a.ii", "2.b"]


LABELS = (
    lambda n: f"{chr(65 + n)}. ",
    lambda n: f"{n + 1}. ",
    lambda n: f"{chr(97 + n)}. ",
    lambda n: f"{n + 1}) ",
    lambda n: f"({chr(97 + n)}) ",
)
trees = st.recursive(st.just([]), lambda below: st.lists(below, max_size=4), max_leaves=25)


def laid_out(tree, depth=0, name="IV"):
    """The lines of a tree of sections, and the sections they should become."""
    for number, below in enumerate(tree if depth < len(LABELS) else []):
        label = LABELS[depth](number)
        full = f"{name}.{label.strip('(). ')}"
        yield [f"{label}Title", f"Text of {full}."], Section(full, "Title", f"Text of {full}.")
        yield from laid_out(below, depth + 1, full)


@given(trees)
def test_any_tree_of_sections_is_read_as_it_was_laid_out(tree):
    top = [f"Section {name}. Title" for name in ("I", "II", "III", "IV")]
    pairs = list(laid_out(tree))
    lines = [*top, *(line for lines, _ in pairs for line in lines)]
    assert list(outline(lines))[4:] == [section for _, section in pairs]


@pytest.mark.parametrize(
    ("code", "chapter"),
    [
        *(("A41.9", 1), ("B20", 1), ("C7A.00", 2), ("D49.9", 2), ("D50.0", 3), ("E11.22", 4)),
        *(("H59.011", 7), ("H60.00", 8), ("I10", 9), ("O9A.111", 15), ("R65.21", 18)),
        *(("S52.502A", 19), ("T36.0X5A", 19), ("V00.01XA", 20), ("Y92.009", 20), ("Z79.4", 21)),
        *(("U07.0", 10), ("U07.1", 1), ("U09.9", 1), ("U00.9", 22)),
    ],
)
def test_the_chapter_whose_guidelines_hold_for_a_code(code, chapter):
    assert chapter_of(code) == chapter


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("I.C.9.a", "I.C.9.a"),
        ("i.c.1.A.2)(a)", "I.C.1.a.2.a"),
        ("Section iv.h", "IV.H"),
        ("section II", "II"),
        ("appendix i", "Appendix I"),
        *((other, None) for other in ("IV", "I10", "i.v.", "II", "pain", "section", "I.D.1", "")),
    ],
)
def test_a_section_as_people_type_it(typed, name):
    assert section_named(typed) == name


def test_a_section_comes_with_all_below_it(read):
    guidelines = Guidelines(tuple(read.values()), "")
    found = guidelines.section("I.C.1.a.2")
    assert [s.name for s in parsed(found)] == ["I.C.1.a.2", "I.C.1.a.2.a", "I.C.1.a.2.b"]
    assert guidelines.section("i.c.1.a.2") == found
    assert guidelines.section("I.C.1.a.3") is None
    assert guidelines.nearest("I.C.1.a.3") == "I.C.1.a"
    assert guidelines.section("I.C.10") is None


FOUR = """\
§ I.C.9 Heart
§ I.C.9.a Pressure
I10 is it.
§ I.C.9.a.1 Kidney
I12.9 too.
§ I.C.9.b Infarction
I21-I22 are."""


def test_an_excerpt_ends_at_the_border_of_a_section_and_says_what_it_lacks():
    assert excerpt(FOUR, len(FOUR)) == FOUR
    shorter = (
        "§ I.C.9 Heart\n§ I.C.9.a Pressure\nI10 is it.\nLeft out for length: I.C.9.a.1, I.C.9.b"
    )
    assert excerpt(FOUR, len(shorter)) == shorter
    first = "§ I.C.9 Heart\n§ I.C.9.b Infarction\nI21-I22 are.\nLeft out for length: I.C.9.a"
    assert excerpt(FOUR, len(first), ("I.C.9.b",)) == first
    assert excerpt(FOUR, 0) == "Left out for length: I.C.9"


@given(st.lists(st.text("abc \n", max_size=40), min_size=1, max_size=12), st.integers(60, 400))
def test_what_is_quoted_is_whole_and_what_is_not_is_named(texts, most):
    sections = [Section(f"I.C.{n}", "T", text.strip()) for n, text in enumerate(texts, 1)]
    quoted = excerpt(printed(sections), most)
    lines = quoted.splitlines()
    named = lines[-1].removeprefix("Left out for length: ")
    left = set() if named == lines[-1] else set(named.split(", "))
    kept = [section for section in sections if section.name not in left]
    assert left <= {section.name for section in sections}
    expected = [printed(kept)] if kept else []
    assert quoted == "\n".join([*expected, *([lines[-1]] if left else [])])
    assert len(quoted) <= most or not kept


def test_the_sections_that_name_a_code_are_quoted_before_others():
    guidelines = Guidelines(tuple(parsed(FOUR)), "")
    assert guidelines.chapter("I21.4") == FOUR
    assert guidelines.chapter("I22.0", 85).splitlines()[:3] == [
        "§ I.C.9 Heart",
        "§ I.C.9.b Infarction",
        "I21-I22 are.",
    ]
    assert guidelines.chapter("J18.9") == ""
    two = Guidelines((*parsed(FOUR), Section("I.C.10", "Lungs", "J18")), "")
    assert two.chapters(("J18.9", "I10", "J44.9")) == f"§ I.C.10 Lungs\nJ18\n{FOUR}"


def test_our_summary_has_the_sections_agents_and_edits_go_by(own):
    assert own.source == OWN
    names = [section.name for section in own.sections]
    assert len(set(names)) == len(names)
    conventions = ("I.A.7", "I.A.12", "I.A.13", "I.A.15", "I.A.17")
    general = [f"I.B.{number}" for number in (2, 4, 5, 6, 8, 9, 10, 13, 14, 18)]
    rest = ("II", "II.H", "III", "III.B", "III.C", *(f"IV.{letter}" for letter in "FGHIJ"))
    assert {*conventions, *general, *rest} <= set(names)
    silent = [n for n in range(1, 23) if f"I.C.{n}" not in names]
    assert silent == [3, 8, 11]
    assert all(s.text for s in own.sections if s.name.count(".") > 2)


def test_a_setting_gets_its_own_sections(own):
    inpatient, outpatient = own.of_setting("inpatient"), own.of_setting("outpatient")
    for both in (inpatient, outpatient):
        assert "§ I.B.13 " in both
        assert "§ I.C" not in both
        assert "Left out" not in both
    assert "§ II.H " in inpatient
    assert "§ III.B " in inpatient
    assert "§ IV" not in inpatient
    assert "§ IV.H " in outpatient
    assert "§ II.H" not in outpatient
    short = own.of_setting("outpatient", 2_000)
    assert len(short) <= 2_000
    assert "§ IV.J " in short
    assert "§ IV.K" not in short


def test_a_pdf_is_read_once_and_kept(paper, read, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = []
    guidelines = open_guidelines(paper, said.append)
    assert guidelines.source == "Official Guidelines FY2026"
    assert guidelines.sections == tuple(read.values())
    assert open_guidelines(paper, said.append) == guidelines
    assert len(said) == 1
    assert guidelines.fingerprint() != open_guidelines(None).fingerprint()


def test_the_guidelines_are_no_part_of_the_classification(paper):
    plain, beside = choose([packaged_file()]), choose([packaged_file(), paper])
    assert (plain.guidelines, beside.guidelines) == (None, paper)
    assert beside.files() == plain.files()
    (one, key), (other, same) = open_store(plain), open_store(beside)
    assert (one.path, key) == (other.path, same)


def test_the_years_own_guidelines_or_else_the_newest(tmp_path):
    def file(kind, year):
        return File(tmp_path / f"{kind}{year}", kind, year)

    papers = [file("guidelines", year) for year in ("2024", "2025")]
    assert choose([file("tabular", "2024"), *papers]).guidelines == papers[0]
    assert choose([file("tabular", "2026"), *papers]).guidelines == papers[1]
    assert Sources(file("tabular", "2024")).guidelines is None


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("fy-2026-icd-10-cm-coding-guidelines.pdf", "2026"),
        ("ICD-10-CM Guidelines FY25 October 1, 2024.pdf", "2025"),
        ("icd10cm-guidelines-FY2024-updated.pdf", "2024"),
        ("10cmguidelines 2021_updates.pdf", "2021"),
        ("guidelines.pdf", ""),
    ],
)
def test_the_year_in_the_names_that_the_file_has_had(tmp_path, name, year):
    (tmp_path / name).write_bytes(official())
    found = identify(tmp_path / name)
    assert (found.kind, found.release) == ("guidelines", year)


@pytest.mark.parametrize("name", ["2026-icd-10-pcs-guidelines.pdf", "policy.pdf"])
def test_other_papers_are_not_taken_for_them(tmp_path, name):
    (tmp_path / name).write_bytes(official())
    assert identify(tmp_path / name) is None


def test_a_page_named_guidelines_is_none(tmp_path):
    (tmp_path / "guidelines.pdf").write_bytes(b"<html>please log in</html>")
    assert identify(tmp_path / "guidelines.pdf") is None


@pytest.mark.parametrize("content", [b"%PDF-1.4\n", official()[:900], b"%PDF-1.7 \x00\xff" * 99])
def test_a_damaged_pdf_is_named(tmp_path, content):
    path = tmp_path / "guidelines.pdf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"guidelines\.pdf: not a readable PDF \(") as error:
        read_guidelines(File(path, "guidelines", "2026"))
    assert "\n" not in str(error.value)


def test_a_pdf_of_something_else_has_no_sections(tmp_path):
    path = tmp_path / "guidelines.pdf"
    path.write_bytes(pdf([("Local coding guidelines", "A. Ask first")]))
    assert read_guidelines(File(path, "guidelines", "2026")) == ("", ())
