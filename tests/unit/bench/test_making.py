"""Questions made of the classification: their form, and that nothing held out comes out."""

import gzip
import hashlib
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clhcode.bench.making import DEV, literal, made, part, paths, undivided
from clhcode.bench.questions import read_questions
from clhcode.icd.store import open_store
from tests.conftest import shared

MAKER = Path(__file__).parents[3] / "benchmarks" / "make_questions.py"
BUILT = ("A00", "B00", "C00", "D00", "E00", "F00", "G00", "H00", "I00", "J00", "K00", "L00")


def held_out(code):
    return int(hashlib.sha1(code[:3].encode()).hexdigest(), 16) % 8 == 0


def overlap(titles):
    """A lexical search: the more words shared the better, then by code."""
    split = {code: set(title.lower().split()) for code, title in titles.items()}

    def best(query):
        said = set(query.lower().replace(",", " ").split())
        return sorted(titles, key=lambda code: (-len(said & split[code]), code))

    return best


def test_the_examples_hold_both_kinds():
    assert {held_out(category) for category in BUILT} == {True, False}


words = st.lists(st.sampled_from("pain knee left acute of other fever".split()), min_size=1)
codes = st.builds(lambda c, n: f"{c}.{n}", st.sampled_from(BUILT), st.integers(0, 9))
titles = st.dictionaries(codes, words.map(" ".join), min_size=12, max_size=60)


@given(titles, st.lists(st.tuples(words.map(", ".join), codes)), st.integers(0, 3))
@settings(deadline=None)
def test_nothing_held_out_comes_out_whatever_is_wanted(titles, found, seed):
    questions = list(made(found, titles, overlap, lambda category: True, seed))
    for each in questions:
        assert not any(held_out(option.code) for option in each.options)
        assert len({option.code for option in each.options}) == 8
        assert each.gold in {option.code for option in each.options}
        assert all(titles[option.code] == option.text for option in each.options)
        assert (each.query, each.gold) in found
        assert titles[each.gold].lower() not in each.query.lower()
    assert len({each.query for each in questions}) == len(questions)
    assert questions == list(made(found[::-1], titles, overlap, lambda category: True, seed))


# Parts by hand: sha1sum of the category, its last hexadecimal digit modulo 8.
@pytest.mark.parametrize(
    ("code", "digest"),
    [("C43.51", "C43"), ("I10", "I10"), ("S52.502A", "S52")],
)
def test_parts_are_of_the_category(code, digest):
    assert part(code) == int(hashlib.sha1(digest.encode()).hexdigest()[-1], 16) % 8


@pytest.mark.parametrize(
    ("query", "title", "same"),
    [
        ("Microtia(congenital) (external ear)", "Microtia", True),  # the title is in it
        ("Adenoiditis(chronic)", "Chronic adenoiditis", True),  # no word that it lacks
        ("Todd's, cirrhosis", "Primary biliary cirrhosis", False),
        ("Pain(s), intercostal", "Intercostal pain", False),
    ],
)
def test_literal(query, title, same):
    assert literal(query, title) is same


def test_codes_without_further_digits(store):
    found = {node.code for node in undivided(store)}
    assert {"I10", "S52.502", "T80.211", "Z86.0101"} <= found
    assert not {"E11", "E11.2", "S52.502A", "T80.211A", "S52", "chapter 9"} & found
    # Every code that the release bills is one of them or one of their 7th characters.
    assert all(
        node.code in found or store.by_number(node.parent).code in found
        for node in store.nodes()
        if node.billable
    )


@pytest.fixture(scope="module")
def index(indexed):
    return open_store(indexed)[0]


def test_paths_have_the_form_of_the_given_file(index):
    given_ = read_questions(shared("locate-questions", "questions.jsonl.gz"))
    ours = dict(paths(index))
    same = [question for question in given_ if ours.get(question.query) == question.gold]
    # Modifiers with parentheses in parentheses are written otherwise there.
    assert len(same) > 0.98 * len(given_)


def test_options_are_those_of_the_given_file(index):
    pytest.importorskip("bm25s")
    bm25 = runpy.run_path(str(MAKER))["bm25"]
    best = bm25({node.code: node.title for node in undivided(index)})
    path = shared("locate-questions", "questions.jsonl.gz")
    given_ = read_questions(path, 300)
    # Those that BM25 likes equally come in any order, so the sets of some differ in the last.
    shared_ = [
        len({option.code for option in question.options} & set(best(question.query)))
        for question in given_
    ]
    assert sum(shared_) / len(given_) > 7
    assert all(question.gold in best(question.query) for question in given_[:50])


def test_questions_of_the_real_index(index_env, tmp_path):
    pytest.importorskip("bm25s")
    environment = {**os.environ, **index_env}
    for name in ("one.jsonl", "two.jsonl.gz"):
        command = [sys.executable, MAKER, tmp_path / name, "-n", "200", "--seed", "3"]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        assert done.stdout.startswith("200 questions of ")
    found = read_questions(tmp_path / "one.jsonl")
    assert found == read_questions(tmp_path / "two.jsonl.gz")
    assert {part(question.gold) for question in found} == {DEV} == {1}
    assert not any(held_out(o.code) for question in found for o in question.options)
    assert 0.4 < sum(question.right == 1 for question in found) / 200 < 0.7
    with gzip.open(shared("locate-questions", "questions.jsonl.gz"), "rt") as stream:
        theirs = json.loads(next(stream))
    ours = json.loads((tmp_path / "one.jsonl").read_text().splitlines()[0])
    assert list(ours) == list(theirs) == ["query", "gold", "options"]
    assert [list(option) for option in ours["options"]] == [["code", "title"]] * 8


@pytest.mark.parametrize(
    ("line", "cause"), [("T80", "T80 is held out"), ("I1", "no category"), ("W00.0", "no category")]
)
def test_a_list_of_categories_is_checked(index_env, tmp_path, line, cause):
    (tmp_path / "c.txt").write_text(f"I10\n{line}\n")
    command = [sys.executable, MAKER, "q.jsonl", "--categories", "c.txt"]
    done = subprocess.run(
        command,
        env={**os.environ, **index_env},
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert f"make_questions: c.txt: line 2: {cause}" in done.stderr
    assert not (tmp_path / "q.jsonl").exists()
