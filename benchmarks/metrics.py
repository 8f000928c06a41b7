"""Times the metrics on a large problem, beside scikit-learn on the same.

    python benchmarks/metrics.py [--predictions 1000000] [--labels 70000]

Label frequencies fall as in the real thing (a Zipf law); half of the predictions are right. Both
start from the same lists of strings in a process of their own; `ours` also ranks, groups by
level and draws 1,000 bootstrap samples of micro-F1 in the second line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

EACH = 10
"""Codes an encounter."""


def problem(predictions: int, labels: int) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted labels; half of what is predicted is gold."""
    chance = np.random.default_rng(0)
    names = np.array([f"C{number:05d}" for number in range(labels)])
    weights = 1 / np.arange(1, labels + 1)
    drawn = chance.choice(labels, (predictions // EACH, EACH), p=weights / weights.sum())
    other = chance.integers(0, labels, drawn.shape)
    said = np.where(chance.random(drawn.shape) < 0.5, drawn, other)
    return names[drawn].tolist(), names[said].tolist()


def ours(gold: list[list[str]], said: list[list[str]]) -> dict[str, float]:
    """Micro, macro, weighted and sample figures by clh."""
    from clhcode.bench import metrics
    from clhcode.bench.encode import encode

    coded = encode(gold, said)
    rows, labels = metrics.by_row(coded), metrics.by_label(coded)
    return {
        "micro": metrics.micro(rows).f1,
        "macro": metrics.macro(labels, either=True).f1,
        "weighted": metrics.weighted(labels).f1,
        "samples": metrics.sample(rows).f1,
    }


def all_of_ours(gold: list[list[str]], said: list[list[str]]) -> dict[str, float]:
    """The same with exact match, ranking, effort, category level and intervals of micro-F1."""
    from clhcode.bench import metrics
    from clhcode.bench.bootstrap import micro_f1s
    from clhcode.bench.encode import encode

    found = ours(gold, said)
    metrics.ranked(gold, said)
    metrics.effort(gold, said)
    ours([[c[:3] for c in g] for g in gold], [[c[:3] for c in s] for s in said])
    micro_f1s(metrics.by_row(encode(gold, said)))
    return found


def theirs(gold: list[list[str]], said: list[list[str]]) -> dict[str, float]:
    """The first four by scikit-learn, over its sparse indicator matrices."""
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    classes = sorted({label for side in (gold, said) for labels in side for label in labels})
    binarizer = MultiLabelBinarizer(classes=classes, sparse_output=True)
    there, given = binarizer.fit_transform(gold), binarizer.transform(said)
    return {
        average: float(f1_score(there, given, average=average, zero_division=0))
        for average in ("micro", "macro", "weighted", "samples")
    }


WAYS = {"ours": ours, "ours, everything": all_of_ours, "scikit-learn": theirs}


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=70_000)
    parser.add_argument("--way", choices=tuple(WAYS))
    options = parser.parse_args()
    if options.way:
        gold, said = problem(options.predictions, options.labels)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        found = WAYS[options.way](gold, said)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"found": found, "s": seconds, "peak": peak / 1024, "in": before / 1024}))
        return
    results = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way]
        command += ["--predictions", str(options.predictions), "--labels", str(options.labels)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        results[way] = json.loads(done.stdout)
    print(f"{options.predictions:,} predictions over {options.labels:,} labels")
    for way, each in results.items():
        print(
            f"  {way:<17} {each['s']:6.2f} s  peak {each['peak']:5.0f} MB"
            f" (the lists themselves {each['in']:.0f})"
        )
    same = all(
        abs(results["ours"]["found"][name] - value) < 1e-9
        for name, value in results["scikit-learn"]["found"].items()
    )
    print(f"  the four F1 are {'equal to nine places' if same else 'NOT EQUAL'}")


if __name__ == "__main__":
    main()
