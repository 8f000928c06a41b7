"""Prints what each switch of the protocol does to the figure, on CodiEsp dev.

    python benchmarks/protocols.py [--data ../shared/data]

The same predictions, or the same method, under one changed condition at a time: the figures of
`docs/bench.md`. Research use only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from desk import desk, ran, scored

BASE = ("--dataset", "codiesp", "--split", "dev")
"""A later option of the same name wins."""
SWITCHES = (
    (),
    ("--split", "train"),
    ("--release", "2023"),
    ("--label-space", "gold"),
    ("--label-space", "top50"),
    ("--level", "5"),
    ("--level", "4"),
    ("--level", "category"),
    ("--level", "chapter"),
    ("--policy", "guidelines"),
    ("--policy", "guidelines", "--setting", "inpatient"),
    ("--without", "assertion"),
    ("--without", "retrieval"),
    ("--without", "specificity"),
    ("--without", "merging"),
    ("--baseline", "frequent"),
    ("--baseline", "dictionary"),
    ("--baseline", "tfidf"),
)


def main() -> None:
    """Prints a line a switch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    folder = desk(options.data, "codiesp")
    ran(folder, "fetch", "icd10cm", "--from", str((options.data / "icd10cm/FY2023").resolve()))
    print(f"{'changed':<44}micro P    R      F1   95 %          strict  macro   sample  exact")
    for switch in SWITCHES:
        found = scored(folder, *BASE, *switch)["metrics"]
        micro = found["micro"]
        low, high = found["intervals"]["micro"]["f1"]
        figures = "  ".join(f"{micro[key]:.3f}" for key in ("precision", "recall", "f1"))
        print(
            f"{' '.join(switch) or '(the default)':<44}{figures}  {low:.3f}-{high:.3f}"
            f"   {found['strict']['micro']['f1']:.3f}   {found['macro']['f1']:.3f}"
            f"   {found['sample']['f1']:.3f}   {found['exact_match']:.3f}"
        )


if __name__ == "__main__":
    main()
