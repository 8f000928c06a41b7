"""Assertion of 286 labelled problems: ours and, beside it, medspaCy's ConText.

    python benchmarks/assertions.py [--context PYTHON] [--show-missed]

The sentences (`tests/data/assertions.tsv`) are ours, written before our rules were read. Rules
may be improved in sight of two thirds of them; every third one is held back, and `--show-missed`
never prints those. One unit of work is a sentence with its marked problem, from the bare text:
sections, sentences and assertion for ours; tokens, sentences (PyRuSH) and ConText for the peer,
the problem given as an entity, the rules those that come with it. No text is cached from one
round to the next.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from clhcode.records import ASSERTIONS
from clhcode.text import assertion, tokens
from clhcode.text.sections import sections

SET = Path(__file__).parents[1] / "tests" / "data" / "assertions.tsv"
ROUNDS = 7
HELD = 3
"""Every how many-th sentence is held back."""
PARTS = {"all": slice(None), "held": slice(HELD - 1, None, HELD)}

MAKE = """ConText is not run; for it, with Python 3.11:
  python3 -m venv medspacy
  medspacy/bin/pip install 'numpy<2' spacy==3.7.5 thinc==8.2.5 medspacy==1.3.1
  python benchmarks/assertions.py --context medspacy/bin/python"""

# Told the cases as one line of JSON, it answers with the labels; told an empty line, with the
# microseconds a sentence of one round.
PEER = """
import json, sys, time
import spacy
import medspacy.sentence_splitting, medspacy.context
answer, sys.stdout = sys.stdout, sys.stderr
nlp = spacy.blank("en")
nlp.add_pipe("medspacy_pyrush")
nlp.add_pipe("medspacy_context")
ORDER = (("FAMILY", "family"), ("NEGATED_EXISTENCE", "negated"), ("HYPOTHETICAL", "hypothetical"),
         ("HISTORICAL", "historical"), ("POSSIBLE_EXISTENCE", "possible"))
def label(text, begin, end):
    doc = nlp.make_doc(text)
    doc.ents = (doc.char_span(begin, end, label="PROBLEM", alignment_mode="expand"),)
    found = {modifier.category for modifier in nlp(doc).ents[0]._.modifiers}
    return next((ours for theirs, ours in ORDER if theirs in found), "present")
cases = json.loads(sys.stdin.readline())
print(json.dumps([label(*case) for case in cases]), file=answer, flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    for case in cases:
        label(*case)
    print((time.perf_counter() - began) / len(cases) * 1e6, file=answer, flush=True)
"""


class Case(NamedTuple):
    """A problem at `text[begin:end]` and what the text claims of it."""

    label: str
    text: str
    begin: int
    end: int


def cases() -> list[Case]:
    """The labelled sentences in the order of their file, their brackets taken off."""
    found = []
    for line in SET.read_text("utf-8").splitlines():
        if line.startswith("#") or line == "label\tsentence":
            continue
        label, marked = line.split("\t")
        before, rest = marked.split("[")
        problem, after = rest.split("]")
        begin = len(before)
        found.append(Case(label, before + problem + after, begin, begin + len(problem)))
    return found


def ours(case: Case) -> str:
    """What our rules say."""
    [label] = assertion.assertions(case.text, [(case.begin, case.end)], sections(case.text))
    return label


def one_round(these: list[Case]) -> float:
    """Microseconds a sentence of ours."""
    assertion.scopes.cache_clear()
    tokens.sentences.cache_clear()
    sections.cache_clear()
    began = time.perf_counter()
    for case in these:
        ours(case)
    return (time.perf_counter() - began) / len(these) * 1e6


def prf(gold: list[str], said: list[str], label: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of a label."""
    hits = sum(g == s == label for g, s in zip(gold, said, strict=True))
    precision = hits / max(1, said.count(label))
    recall = hits / max(1, gold.count(label))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def macro(gold: list[str], said: list[str]) -> float:
    """Mean F1 over the labels."""
    return statistics.mean(prf(gold, said, label)[2] for label in ASSERTIONS)


def accuracy(gold: list[str], said: list[str]) -> float:
    """Share of labels that agree."""
    return sum(g == s for g, s in zip(gold, said, strict=True)) / len(gold)


def table(gold: list[str], said: dict[str, list[str]], times: dict[str, float]) -> None:
    """Prints all systems side by side, and apart the sentences held back."""
    print(f"{'':<22}" + "   ".join(f"{name:>21}" for name in said))
    print(f"{'label':<17}{'n':>5}" + "   ".join(["      P      R     F1"] * len(said)))
    for label in ASSERTIONS:
        figures = ("".join(f"{x:7.3f}" for x in prf(gold, s, label)) for s in said.values())
        print(f"{label:<17}{gold.count(label):>5}" + "   ".join(figures))
    for name, figure in (("macro-F1", macro), ("accuracy", accuracy)):
        for part, at in PARTS.items():
            row = "   ".join(f"{figure(gold[at], s[at]):21.3f}" for s in said.values())
            print(f"{name + ', ' + part:<17}{len(gold[at]):>5}{row}")
    print(f"{'µs a sentence':<22}" + "   ".join(f"{times[name]:21.0f}" for name in said))


def main() -> None:
    """Scores the systems and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--context", metavar="PYTHON", help="a Python that has medspacy")
    parser.add_argument("--show-missed", action="store_true", help="none of those held back")
    options = parser.parse_args()
    these = cases()
    gold, said = [case.label for case in these], {"clh": [ours(case) for case in these]}
    rounds: dict[str, list[float]] = {"clh": [], "ConText": []}
    if options.context:
        command = [options.context, "-W", "ignore", "-c", PEER]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, bufsize=1, **pipes) as peer:
            print(json.dumps([case[1:] for case in these]), file=peer.stdin)
            said["ConText"] = json.loads(peer.stdout.readline())
            # In turn, so that a busy machine is busy for both.
            for _ in range(ROUNDS):
                rounds["clh"].append(one_round(these))
                print(file=peer.stdin)
                rounds["ConText"].append(float(peer.stdout.readline()))
            peer.stdin.close()
    else:
        rounds["clh"] = [one_round(these) for _ in range(ROUNDS)]
        print(MAKE)
    table(gold, said, {name: statistics.median(took or [0]) for name, took in rounds.items()})
    if options.show_missed:
        for at, case in enumerate(these):
            if at % HELD != HELD - 1 and said["clh"][at] != case.label:
                print(f"{case.label:<13}{said['clh'][at]:<13}{case.text[: case.begin]}", end="")
                print(f"[{case.text[case.begin : case.end]}]{case.text[case.end :]}")


if __name__ == "__main__":
    main()
