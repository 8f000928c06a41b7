"""Prints how far each step could come if the steps before it, or with it, were perfect.

    python benchmarks/ceilings.py [--data ../shared/data]

Gold answers the questions of one agent after the other (`--engine AGENT=oracle`); the rules
answer the rest. The English text of CodiEsp has no marked evidence, so analyse cannot be
answered there; the Spanish text has, but nothing in it is said in the words of an English index.
Research use only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from desk import desk, scored

SETS = (("demo", "test"), ("codiesp", "dev"), ("aci-bench", "valid"))
AGENTS = ("analyse", "locate", "verify", "assign")
WAYS = ((), AGENTS[:1], AGENTS[:2], AGENTS[:3], AGENTS, AGENTS[1:])


def main() -> None:
    """Prints a line for each set of agents that gold answers for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    folder = desk(options.data, "codiesp", "aci-bench")
    for name, split in SETS:
        print(
            f"{name} {split}: gold answers for      micro P    R      F1     recall after", end=""
        )
        print(" locate  verify  assign")
        for agents in WAYS:
            engines = [part for agent in agents for part in ("--engine", f"{agent}=oracle")]
            found = scored(folder, "--dataset", name, "--split", split, *engines)
            micro, after = found["metrics"]["micro"], found["stages"]
            line = "  ".join(f"{micro[key]:.3f}" for key in ("precision", "recall", "f1"))
            kept = "   ".join(f"{after[s]['recall']:.3f}" for s in ("locate", "verify", "assign"))
            print(f"  {', '.join(agents) or 'nobody':<36}{line}{'':>15}{kept}")


if __name__ == "__main__":
    main()
