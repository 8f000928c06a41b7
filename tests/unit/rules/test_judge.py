"""The built-in answers to a `Choose`."""

import pytest

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
