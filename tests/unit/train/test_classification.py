"""Examples of the classification: nothing held out comes out, and dev stays apart."""

import hashlib

import pytest

from clhcode.errors import UserError
from clhcode.icd.store import open_store
from clhcode.runtime.text import RATED
from clhcode.tasks import Chosen
from clhcode.train.classification import dev_questions, phrases, questions
from clhcode.train.wording import line


@pytest.fixture(scope="module")
def index(indexed):
    return open_store(indexed)[0]


def part(code):
    return int(hashlib.sha1(code[:3].encode()).hexdigest(), 16) % 8


def codes(examples):
    return {option.code for example in examples for option in example.task.options}


def test_phrases_are_of_the_training_parts_alone(index):
    found = phrases(index)
    assert len(found) > 20_000
    assert {part(code) for code in codes(found)} == {2, 3, 4, 5, 6, 7}
    assert len({(e.task.phrase, e.task.options[0].code) for e in found}) == len(found)


def test_questions_offer_nothing_of_dev_or_of_what_is_held_out(index):
    pytest.importorskip("bm25s")
    train = questions(index, 1, 300)
    dev = dev_questions(index, 1, 100)
    assert len(train) == 300
    assert len(dev) == 100
    assert {part(code) for code in codes(train)} == {2, 3, 4, 5, 6, 7}
    assert {part(code) for code in codes(dev)} == {1}
    assert questions(index, 1, 20) == train[:20]
    assert {part(o.code) for e in train for o in e.spare} == {2, 3, 4, 5, 6, 7}
    for example in (*train, *dev):
        (number,) = example.answer.numbers
        assert example.name.startswith(f"icd10cm/{example.task.options[number - 1].code}#")
    assert len({example.answer.numbers for example in train}) == 8


def test_a_phrase_follows_the_prompt_that_is_rated(index):
    example = next(e for e in phrases(index) if e.task.options[0].code == "I15.0")
    said = line(example, "context", "phrase")
    title = example.task.options[0].text
    assert example.answer == Chosen((1,))
    assert said.prompt.plain
    assert said.prompt.user == RATED.format(text=title)
    assert said.prompt.user == f"ICD-10-CM diagnosis: {title}\nIndexed under:"
    assert said.completion == f" {example.task.phrase}"
    assert not said.ends


def test_without_an_index_the_way_to_get_one_is_told(store):
    with pytest.raises(UserError, match="clh fetch icd10cm"):
        questions(store, 1)
