"""The built-in answers to a `Choose`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.records import Note, Span
from clhcode.rules.judge import choose
from clhcode.tasks import Choose, Option


def ask(step, phrase, *options, text=None, several=False):
    """The codes chosen for a phrase that is the whole note, or stands in `text`."""
    text = text or phrase
    begin = text.index(phrase)
    span = Span(0, begin, begin + len(phrase))
    task = Choose("verify", step, (Note("n", text),), phrase, (span,), options, several)
    return [options[number - 1].code for number in choose(task).numbers]


def options(*texts, scores=()):
    codes = [f"X{n}.{n}" for n in range(len(texts))]
    scores = scores or (0.0,) * len(texts)
    return [Option(c, t, score=s) for c, t, s in zip(codes, texts, scores, strict=True)]


DIABETES = (
    Option("E11.0", "Type 2 diabetes mellitus with hyperosmolarity"),
    Option("E11.2", "Type 2 diabetes mellitus with kidney complications"),
    Option("E11.8", "Type 2 diabetes mellitus with unspecified complications"),
    Option("E11.9", "Type 2 diabetes mellitus without complications"),
)
RADIUS = (
    Option("S52.501", "Unspecified fracture of the lower end of right radius"),
    Option("S52.502", "Unspecified fracture of the lower end of left radius"),
    Option("S52.509", "Unspecified fracture of the lower end of unspecified radius"),
)
SEVENTH = (
    Option("S52.502A", "initial encounter for closed fracture"),
    Option("S52.502B", "initial encounter for open fracture type I or II"),
    Option("S52.502D", "subsequent encounter for closed fracture with routine healing"),
    Option("S52.502S", "sequela"),
)


def test_the_entry_that_agrees_best_is_taken():
    entries = options("Asthma", "Asthma > with exacerbation", scores=(0.9, 1.0))
    assert ask("entry", "asthma", *entries) == ["X1.1"]


def test_no_entry_is_taken_that_agrees_too_little():
    assert ask("entry", "asthma", *options("Anemia", scores=(0.5,))) == []


def test_the_words_of_the_phrase_choose_the_child():
    found = ask("subdivision", "type 2 diabetes with kidney complications", *DIABETES)
    assert found == ["E11.2"]


def test_what_is_not_said_is_uncomplicated():
    assert ask("subdivision", "type 2 diabetes", *DIABETES) == ["E11.9"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Fracture of the left radius.", "S52.502"),
        ("Left arm: fracture of the radius.", "S52.502"),
        ("Fracture of the radius.", "S52.509"),
        ("Fracture of the radius. Left knee normal.", "S52.509"),
    ],
)
def test_the_side_may_stand_anywhere_in_the_sentence(text, code):
    phrase = "fracture of the radius" if "Left arm" in text else text.split(".")[0]
    assert ask("subdivision", phrase, *RADIUS, text=text) == [code]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (("Other pneumonia, unspecified organism", "Pneumonia, unspecified organism"), 1),
        (("Mild asthma", "Other and unspecified asthma"), 1),
        (("Nondisplaced fracture", "Displaced fracture"), 1),
        (("Acute failure, unspecified whether with hypoxia", "Acute failure with hypoxia"), 0),
        (("Migraine, intractable", "Migraine, not intractable"), 1),
    ],
)
def test_the_default_is_the_plainest(texts, chosen):
    assert ask("subdivision", "something else", *options(*texts)) == [f"X{chosen}.{chosen}"]


def test_what_search_found_is_the_default_before_all():
    texts = ("Stroke, unspecified", "Stroke due to embolism")
    found = ask("subdivision", "cerebral accident", *options(*texts, scores=(0.0, 1.0)))
    assert found == ["X1.1"]


def test_children_that_are_all_special_leave_it_open():
    special = (Option("X1.1", "Cystic form"), Option("X1.2", "Solid form"))
    assert ask("subdivision", "something", *special) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Closed fracture of the radius.", "S52.502A"),
        ("Open fracture of the radius.", "S52.502B"),
        ("Fracture of the radius, healing well.", "S52.502D"),
        ("Follow up of a fracture of the radius.", "S52.502D"),
        ("Stiffness, late effect of a fracture of the radius.", "S52.502S"),
    ],
)
def test_the_seventh_character_is_the_sentences(text, code):
    assert ask("seventh", "racture of the radius", *SEVENTH, text=text) == [code]


def test_an_excludes1_note_that_describes_the_phrase_sends_the_code_away():
    notes = ("excludes1: gestational diabetes (O24.4-)", "excludes2: pregnancy (O00)")
    code = Option("E11.9", "Type 2 diabetes mellitus without complications", notes)
    other = Option("O24.4", "Gestational diabetes mellitus")
    assert ask("code", "gestational diabetes", code, other, several=True) == ["O24.4"]
    assert ask("code", "type 2 diabetes", code, several=True) == ["E11.9"]


def test_the_set_is_everything():
    assert ask("set", "a", *options("A", "B", "C"), several=True) == ["X0.0", "X1.1", "X2.2"]


def test_of_equal_entries_the_first_is_taken():
    entries = options("Asthma", "Asthma, other", "Asthma, third", scores=(0.8, 0.9, 0.9))
    assert ask("entry", "asthma", *entries, several=True) == ["X1.1"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Bilateral epicondylitis.", ["M77.01", "M77.02"]),
        ("Both elbows: epicondylitis.", ["M77.01", "M77.02"]),
        ("Right epicondylitis.", ["M77.01"]),
        ("Left epicondylitis.", ["M77.02"]),
        ("Some epicondylitis.", ["M77.00"]),
    ],
)
def test_both_sides_are_two_codes_where_they_may_be(text, codes):
    elbows = (
        Option("M77.00", "Medial epicondylitis, unspecified elbow"),
        Option("M77.01", "Medial epicondylitis, right elbow"),
        Option("M77.02", "Medial epicondylitis, left elbow"),
    )
    assert ask("subdivision", "epicondylitis", *elbows, text=text, several=True) == codes


def test_a_code_for_both_sides_goes_before_two_codes():
    knees = (
        Option("M17.0", "Bilateral primary osteoarthritis of knee"),
        Option("M17.11", "Unilateral primary osteoarthritis, right knee"),
        Option("M17.12", "Unilateral primary osteoarthritis, left knee"),
    )
    assert ask("subdivision", "bilateral osteoarthritis of knee", *knees) == ["M17.0"]


def test_the_child_that_says_what_is_said_and_no_more_is_chosen():
    children = (
        Option("X0.0", "Ulcer with bleeding and perforation"),
        Option("X1.1", "Ulcer with bleeding"),
        Option("X9.9", "Ulcer, unspecified"),
    )
    assert ask("subdivision", "ulcer with bleeding", *children) == ["X1.1"]
    assert ask("subdivision", "ulcer with perforation and bleeding", *children) == ["X0.0"]
    assert ask("subdivision", "ulcer", *children) == ["X9.9"]


def test_a_child_that_says_much_more_is_not_chosen():
    children = (
        Option("X0.0", "Ulcer with bleeding and perforation"),
        Option("X9.9", "Ulcer, unspecified"),
    )
    assert ask("subdivision", "bleeding ulcer", *children) == ["X9.9"]


def test_words_of_another_sentence_choose_no_child():
    text = "Ulcer of the stomach. Bleeding gums."
    children = (Option("X1.1", "Ulcer with bleeding"), Option("X9.9", "Ulcer, unspecified"))
    assert ask("subdivision", "Ulcer of the stomach", *children, text=text) == ["X9.9"]


@pytest.mark.parametrize(
    ("chars", "text", "chosen"),
    [
        # Not open, where nothing is said to be open; no B, where there is none.
        ("ABDS", "racture of the radius.", "A"),
        ("ADS", "Open racture of the radius.", "A"),
        ("ADS", "Recheck of a racture of the radius.", "D"),
        ("ADS", "Sequelae of a racture of the radius.", "S"),
        ("A", "racture of the radius, healing.", "A"),
        ("ADS", "racture of the radius. Follow up in a week.", "A"),
    ],
)
def test_the_seventh_character_is_one_there_is(chars, text, chosen):
    some = [option for option in SEVENTH if option.code[-1] in chars]
    assert ask("seventh", "racture of the radius", *some, text=text) == [f"S52.502{chosen}"]


def test_a_seventh_character_that_is_no_encounter_goes_by_its_words():
    fetuses = (
        Option("O33.3XX0", "not applicable or unspecified"),
        Option("O33.3XX1", "fetus 1"),
        Option("O33.3XX2", "fetus 2"),
    )
    assert ask("seventh", "disproportion of fetus 2", *fetuses) == ["O33.3XX2"]
    assert ask("seventh", "disproportion", *fetuses) == ["O33.3XX0"]


@pytest.mark.parametrize(
    ("notes", "kept"),
    [
        ((), True),
        (("excludes1: gout (M10.-)",), False),
        (("excludes1: chronic gout (M1A.-)",), True),
        (("excludes2: gout (M10.-)", "use additional: gout", "code first: gout"), True),
        (("excludes1: arthritis (M13.-)",), True),
        (("excludes1: (M10)",), True),
    ],
)
def test_only_an_excludes1_note_all_of_whose_words_are_said_rejects(notes, kept):
    # "Arthritis" is what the title itself says, so the note cannot mean this phrase.
    option = Option("X1.1", "Arthritis, unspecified", notes)
    assert (ask("code", "gout arthritis", option, several=True) == ["X1.1"]) is kept


def the_set(*options_, setting="outpatient"):
    """The codes of the encounter."""
    task = Choose("assign", "set", (), "", (), options_, True, setting)
    return [options_[number - 1].code for number in choose(task).numbers]


def at(code, title, *stands, asked_by=()):
    return Option(code, title, stands=frozenset(stands), asked_by=frozenset(asked_by))


PROBLEM = at("M10.9", "Gout, unspecified", "assessment_plan", "problem")


@pytest.mark.parametrize(
    ("other", "outpatient", "inpatient"),
    [
        (at("J20.9", "Acute bronchitis, unspecified", "hpi"), False, True),
        (at("R05.9", "Cough, unspecified", "hpi"), False, False),
        (at("R05.9", "Cough, unspecified", "assessment_plan"), False, False),
        (at("M25.561", "Pain in right knee", "hpi"), False, False),
        (at("R60.9", "Edema, unspecified", "exam"), False, False),
        (at("J44.9", "Chronic obstructive pulmonary disease", "past_history"), True, True),
        (at("Z79.4", "Long term (current) use of insulin", "hpi"), True, True),
        (at("Z85.3", "Personal history of malignant neoplasm of breast", "hpi"), True, True),
        (at("Z87.01", "Personal history of pneumonia", "past_history"), False, True),
        (at("J20.9", "Acute bronchitis", "hpi", asked_by=["M10.9"]), True, True),
        (at("J20.9", "Acute bronchitis", "hpi", asked_by=["E11.9"]), False, True),
        (at("M10.071", "Idiopathic gout, right ankle and foot", "hpi"), True, True),
        (at("W19.XXXA", "Unspecified fall, initial encounter", "hpi"), False, False),
    ],
)
def test_what_comes_along_with_a_listed_problem(other, outpatient, inpatient):
    for setting, comes in (("outpatient", outpatient), ("inpatient", inpatient)):
        assert the_set(PROBLEM, other, setting=setting) == ["M10.9", other.code][: 1 + comes]


def test_how_it_happened_comes_along_with_an_injury():
    injury = at("S93.402A", "Sprain of left ankle", "assessment_plan", "problem")
    fall = at("W19.XXXA", "Unspecified fall, initial encounter", "hpi")
    assert the_set(injury, fall) == ["S93.402A", "W19.XXXA"]


def test_a_symptom_counts_while_nothing_is_settled():
    cough = at("R05.9", "Cough, unspecified", "assessment_plan")
    edema = at("R60.9", "Edema, unspecified", "exam")
    assert the_set(cough, edema) == ["R05.9", "R60.9"]


def test_an_assessment_without_a_list_settles_what_it_speaks_of():
    gout = at("M10.9", "Gout, unspecified", "assessment_plan")
    pain = at("M25.571", "Pain in right ankle", "assessment_plan")
    other = at("J20.9", "Acute bronchitis", "hpi")
    assert the_set(gout, pain, other) == ["M10.9"]


def test_without_an_assessment_all_that_is_said_counts():
    said = at("J20.9", "Acute bronchitis", "hpi"), at("R05.9", "Cough, unspecified", "exam")
    assert the_set(*said) == ["J20.9", "R05.9"]


WORDS_ = "acute left right pain of knee with without unspecified other initial open fetus 1 2 A"
TEXTS = st.lists(st.sampled_from(WORDS_.split()), min_size=1, max_size=6).map(" ".join)
CODES = st.sampled_from("R05.9 S93.4 S93.402A S93.402B W19.XXXD Z86.73 E11.9 M17.0".split())
STANDS = st.frozensets(st.sampled_from("problem assessment_plan hpi exam past_history".split()))


@given(
    st.sampled_from(["entry", "subdivision", "seventh", "code", "set"]),
    TEXTS,
    st.lists(
        st.builds(
            Option,
            CODES,
            TEXTS,
            st.lists(TEXTS.map("excludes1: {}".format), max_size=2).map(tuple),
            st.floats(0, 1),
            STANDS,
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.sampled_from(["inpatient", "outpatient"]),
)
def test_any_answer_is_numbers_of_options(step, text, some, several, setting):
    span = Span(0, 0, len(text))
    task = Choose("verify", step, (Note("n", text),), text, (span,), tuple(some), several, setting)
    numbers = choose(task).numbers
    assert set(numbers) <= set(range(1, len(some) + 1))
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) <= 1 or several or step in ("code", "set")
