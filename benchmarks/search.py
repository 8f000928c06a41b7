"""What search finds on CodiEsp dev: the plain dictionary, candidates at 10 and 25, the agents.

    python benchmarks/search.py [--data ../shared/data] [--split dev]

The English text, the codes of the whole classification. Figures are after the code-year map
(gold of 2018 that has since become a header counts as found by any code below it), strict ones
beside. Each setting with its speed. Research use only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from real_notes import codiesp, micro, predict

from clhcode.icd.sources import choose
from clhcode.icd.store import Node, Store, open_store
from clhcode.icd.years import earlier
from clhcode.records import Note
from clhcode.rules.extract import extract
from clhcode.search import find, normalise
from clhcode.search.find import Finder, open_finder
from clhcode.search.normalise import JOINING, norm
from clhcode.tasks import Extract
from clhcode.text.tokens import sentences, tokenise

Notes = list[dict[str, str]]
Codes = dict[str, set[str]]


def mapped(predicted: set[str], gold: set[str], headers: Callable[[str], bool]) -> set[str]:
    """Predictions as the gold's year would have said them: a code below a divided one is it."""
    divided = {code for code in gold if headers(code)}
    return {earlier(code, divided) or code for code in predicted}


def score(found: Codes, gold: Codes, headers: Callable[[str], bool]) -> str:
    """Micro P, R, F1 after the code-year map, and the strict F1."""
    pairs = [(mapped(found[k], gold[k], headers), gold[k]) for k in sorted(gold) if k in found]
    strict = micro([(found[k], gold[k]) for k in sorted(gold) if k in found])
    return f"{micro(pairs)}   (strict {strict.split()[-1]})"


def recall(found: Codes, gold: Codes, headers: Callable[[str], bool]) -> str:
    """Share of gold codes among the candidates of their document, and how many those are."""
    hits = total = 0
    for name, codes in gold.items():
        hits += len(mapped(found.get(name, set()), codes, headers) & codes)
        total += len(codes)
    size = sum(map(len, found.values())) / max(1, len(found))
    return f"recall {hits / total:.3f} with {size:,.0f} candidates a note"


def phrases(text: str) -> Iterable[tuple[str, str]]:
    """Noun-like runs of words: what stands between stops and small words, with its sentence."""
    for begin, end in sentences(text):
        run: list[str] = []
        for token in [*tokenise(text, begin, end), None]:
            word = norm(token.text) if token else ""
            if token and word and word not in JOINING and len(run) < 6:
                run.append(token.text)
                continue
            if run:
                yield " ".join(run), text[begin:end]
            run = [token.text] if token and word and word not in JOINING else []


def dictionary(notes: Notes, finder: Finder) -> Codes:
    """The plain dictionary: the first code of each known wording, defaults below headers."""
    found: Codes = {}
    for note in notes:
        task = Extract("analyse", (Note("n", note["text"]),), 0)
        codes: set[str] = set()
        for finding in extract(task, finder).findings:
            if matches := finder.find(finding.quote, 1, widen=False):
                codes.add(_default(matches[0].node, finder.store))
        found[note["note_id"]] = codes
    return found


def _default(node: Node, store: Store) -> str:
    while not node.billable:
        children = store.children(node)
        node = next((c for c in children if "unspecified" in c.title.lower()), children[-1])
    return node.code


def candidates(notes: Notes, finder: Finder, most: int) -> Codes:
    """All codes offered for the findings of a document and for its phrases."""
    found: Codes = {}
    for note in notes:
        task = Extract("analyse", (Note("n", note["text"]),), 0)
        asked = {(f.quote, "") for f in extract(task, finder).findings}
        asked |= set(phrases(note["text"]))
        codes: set[str] = set()
        for phrase, sentence in asked:
            for match in finder.find(phrase, most, sentence):
                codes.add(match.node.code)
                codes.add(_default(match.node, finder.store))
        found[note["note_id"]] = codes
    return found


def timed(name: str, notes: Notes, work: Callable[[], Codes], show: Callable[[Codes], str]) -> None:
    """Runs and prints one setting with its speed."""
    began = time.perf_counter()
    found = work()
    rate = len(notes) / (time.perf_counter() - began)
    print(f"  {name:<34} {show(found)} · {rate:.0f} notes/s")


def without(kind: str) -> None:
    """Takes one kind of normalisation of the note's words away."""
    normalise.norm.cache_clear()
    normalise._alone.cache_clear()
    normalise.words.cache_clear()
    if kind == "abbreviations":
        normalise.abbreviations = dict
    elif kind == "British spelling":
        normalise._BRITISH = ()
    elif kind == "plurals":
        normalise._singular = lambda word: word
    elif kind == "qualifiers skipped":
        normalise.qualifiers.cache_clear()
        find.qualifiers = frozenset


KINDS = ("abbreviations", "British spelling", "plurals", "qualifiers skipped")


def one(setting: str, data: Path, split: str, kind: str | None) -> None:
    """Prints the figures of one classification; in a process of its own."""
    notes, gold = codiesp(data / "codiesp", split)
    sources = choose()
    finder = open_finder(*open_store(sources))

    def headers(code: str) -> bool:
        node = finder.store.node(code)
        return node is not None and not node.billable

    def scored(found: Codes) -> str:
        return score(found, gold, headers)

    def recalled(found: Codes) -> str:
        return recall(found, gold, headers)

    if kind:
        without(kind)
        timed(f"dictionary without {kind}", notes, lambda: dictionary(notes, finder), scored)
        return
    print(f"{setting}: {sources.describe()} · CodiEsp {split}, {len(notes)} notes")
    timed("dictionary", notes, lambda: dictionary(notes, finder), scored)
    for most in (10, 25):
        work = partial(candidates, notes, finder, most)
        timed(f"candidates, {most} a phrase", notes, work, recalled)
    timed("clh code --policy mentions", notes, lambda: predict(notes, "mentions")[0], scored)


def main() -> None:
    """Prints both classifications, and what each kind of normalisation brings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--split", default="dev", choices=("train", "dev"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one, options.data, options.split, options.kind)
        return
    clh = str(Path(sys.executable).with_name("clh"))
    with tempfile.TemporaryDirectory() as home:
        indexed = {**os.environ, "XDG_DATA_HOME": home}
        bare = {**os.environ, "XDG_DATA_HOME": f"{home}/none"}
        fetch = [clh, "fetch", "icd10cm", "--from", str(options.data / "icd10cm/FY2025")]
        subprocess.run(fetch, env=indexed, check=True, capture_output=True)
        again = [sys.executable, __file__, "--data", str(options.data), "--split", options.split]
        for name, env in (("with the index", indexed), ("without", bare)):
            subprocess.run([clh, "lookup", "I10"], env=env, check=True, capture_output=True)
            subprocess.run([*again, "--one", name], env=env, check=True)
        for kind in KINDS:
            subprocess.run([*again, "--one", "x", "--kind", kind], env=indexed, check=True)


if __name__ == "__main__":
    main()
