"""Recall of gold codes among the candidates of a document: by words, by vectors, by both.

    python benchmarks/retrievers.py --embedder MODEL [--data ../shared/data] [--split dev]

CodiEsp, the English text, the codes of the whole classification. What is looked up is what
`benchmarks/search.py` looks up: the findings of the rules and every noun-like run of words, each
with the default code below a header. Figures are after the code-year map, strict ones beside;
speed is without the embedding of the phrases, which is timed apart. Research use only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from real_notes import INDEX, codiesp
from search import Codes, Notes, _default, mapped, phrases

from clhcode.icd.sources import choose
from clhcode.icd.store import open_store
from clhcode.records import Note
from clhcode.rules.extract import extract
from clhcode.search.dense import open_dense
from clhcode.search.embed import Embedder, open_embedder
from clhcode.search.find import Finder, open_finder
from clhcode.search.retrieve import Hybrid, Lexical, Query, Retriever
from clhcode.tasks import Extract

if TYPE_CHECKING:
    from clhcode.search.embed import Vectors


class Kept:
    """Phrases embedded once for all settings, so that each is timed without it."""

    def __init__(self, embedder: Embedder, phrases: Sequence[str]) -> None:
        began = time.perf_counter()
        self._rows = dict(zip(phrases, embedder.queries(phrases), strict=True))
        self.rate = len(phrases) / (time.perf_counter() - began)
        self.name, self.identity = embedder.name, embedder.identity
        self.passages = embedder.passages

    def queries(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        return np.stack([self._rows[text] for text in texts])


def asked(notes: Notes, finder: Finder) -> dict[str, list[Query]]:
    """The phrases of each document, each once."""
    found = {}
    for note in notes:
        task = Extract("analyse", (Note("n", note["text"]),), 0)
        queries = [Query(finding.quote) for finding in extract(task, finder).findings]
        queries += [Query(*phrase) for phrase in phrases(note["text"])]
        found[note["note_id"]] = list(dict.fromkeys(queries))
    return found


def offered(
    queries: dict[str, list[Query]], retriever: Retriever, most: int, finder: Finder
) -> Codes:
    """All codes offered for the phrases of each document."""
    found: Codes = {}
    for name, wanted in queries.items():
        matches = {m.node for each in retriever.search(wanted, most) for m in each}
        codes = {node.code for node in matches}
        found[name] = codes | {_default(node, finder.store) for node in matches}
    return found


def shown(found: Codes, gold: Codes, finder: Finder) -> str:
    """Recall after the code-year map, strict, and what it costs in candidates."""

    def header(code: str) -> bool:
        node = finder.store.node(code)
        return node is not None and not node.billable

    total = sum(map(len, gold.values()))
    after = sum(len(mapped(found.get(n, set()), g, header) & g) for n, g in gold.items())
    strict = sum(len(found.get(n, set()) & g) for n, g in gold.items())
    size = sum(map(len, found.values())) / len(found)
    return (
        f"recall {after / total:.3f}  (strict {strict / total:.3f})"
        f"  with {size:>5,.0f} candidates a note"
    )


def main() -> None:
    """Prints every retriever at 10 and 25 candidates a phrase."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--split", default="dev", choices=("train", "dev"))
    parser.add_argument("--embedder", action="append", required=True, metavar="MODEL|URL")
    options = parser.parse_args()
    notes, gold = codiesp(options.data / "codiesp", options.split)
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_DATA_HOME"] = home
        fetch = ["fetch", "icd10cm", "--from", str(options.data / INDEX)]
        subprocess.run([sys.executable, "-m", "clhcode", *fetch], check=True, capture_output=True)
        sources = choose()
        store, key = open_store(sources)
        finder = open_finder(store, key)
    queries = asked(notes, finder)
    said = sorted({query.phrase for each in queries.values() for query in each})
    lexical = Lexical(finder, widen=True)
    retrievers: list[tuple[str, Retriever]] = [("lexical", lexical)]
    for given in options.embedder:
        opened = open_embedder(given)
        # Vectors first: they may take long to make, and are timed by nobody.
        open_dense(finder, key, opened)
        embedder = Kept(opened, said)
        print(f"{embedder.name}: {len(said):,} phrases embedded at {embedder.rate:,.0f}/s")
        dense = open_dense(finder, key, embedder)
        retrievers += [
            (f"dense {embedder.name}", dense),
            (f"hybrid {embedder.name}", Hybrid(lexical, dense)),
        ]
    count = sum(map(len, queries.values()))
    print(f"{sources.describe()} · CodiEsp {options.split}, {len(notes)} notes, {count:,} phrases")
    for name, retriever in retrievers:
        for most in (10, 25):
            began = time.perf_counter()
            found = offered(queries, retriever, most, finder)
            rate = count / (time.perf_counter() - began)
            line = shown(found, gold, finder)
            print(f"  {name:<28} {most:>2} a phrase  {line} · {rate:,.0f} phrases/s", flush=True)


if __name__ == "__main__":
    main()
