"""An embedder for tests that can be counted by hand, behind real HTTP; and a small classification.

A text is its words: each word it knows is a direction of its own, so that a cosine is the share
of words in common. Words of one meaning are one direction.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager

import openai_server

SAME = {"shine": "glimmer", "lustre": "glimmer", "kidney": "renal"}
WORDS = ("glimmer", "disease", "renal", "neuropathy", "stone", "fever", "acute", "failure")

TABULAR = """<ICD10CM.tabular><version>2031</version><chapter><name>1</name><desc>One</desc>
<section id="A00-A09"><desc>Section</desc>
<diag><name>A01</name><desc>Glimmer disease</desc></diag>
<diag><name>A02</name><desc>Neuropathy</desc>
 <inclusionTerm><note>Acute neuropathy</note></inclusionTerm></diag>
<diag><name>A03</name><desc>Renal stone</desc></diag>
<diag><name>A04</name><desc>Renal failure</desc></diag>
<diag><name>A05</name><desc>Fever</desc></diag>
</section></chapter></ICD10CM.tabular>"""
INDEX = """<ICD10CM.index><version>2031</version><letter><title>F</title>
<mainTerm><title>Failure</title>
<term level="1"><title>renal</title><code>A04</code>
<term level="2"><title>acute</title><code>A04</code></term></term>
</mainTerm>
<mainTerm><title>Fever</title><code>A05</code></mainTerm></letter></ICD10CM.index>"""


def vector(text):
    """Counts of the known words; of nothing known, a direction that no entry has."""
    said = [SAME.get(word, word) for word in re.findall(r"\w+", text.lower())]
    counts = [float(said.count(word)) for word in WORDS]
    return [*counts, 0.0 if any(counts) else 1.0]


class Counted:
    """The same embedder in the process."""

    def __init__(self, identity="counted"):
        self.name = self.identity = identity
        self.passed, self.asked = [], []

    def passages(self, texts):
        self.passed += texts
        return self._rows(texts)

    def queries(self, texts):
        self.asked.append(list(texts))
        return self._rows(texts)

    def _rows(self, texts):
        from clhcode.search.embed import unit

        return unit([vector(text) for text in texts])


def embeddings(body):
    """What `/embeddings` answers: the last text first, since `index` says which is which."""
    rows = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
    return 200, {}, json.dumps({"data": rows[::-1]}).encode()


@contextmanager
def serving():
    """A server that embeds, and answers questions as `openai_server` does."""
    with openai_server.serving() as server:
        server.before = lambda _, body: embeddings(body) if "input" in body else None
        yield server


def texts_of(server):
    """Every text that was embedded."""
    return [text for body in server.bodies if "input" in body for text in body["input"]]


def write(folder):
    """The official files of the small classification."""
    folder.mkdir(exist_ok=True)
    (folder / "tabular.xml").write_text(TABULAR)
    (folder / "index.xml").write_text(INDEX)
    return folder
