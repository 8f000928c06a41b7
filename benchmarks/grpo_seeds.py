"""What GRPO adds to SFT: training reward and held-out greedy answers, a row a seed.

    python benchmarks/grpo_seeds.py MODEL OUT QUESTIONS [--sft-steps 400] [--steps 80] [--seeds 3]

`locate` learns from the classification to write the option's number; QUESTIONS are of categories
that stand in none of its examples (`benchmarks/make_questions.py`, or a file of that form).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def clh(*args):
    done = subprocess.run(
        [sys.executable, "-m", "clhcode", *map(str, args)], stdout=subprocess.PIPE, check=True
    )
    return done.stdout


def train(model, out, method, steps, seed, *more):
    clh(
        *("train", "--agent", "locate", "--data", "icd10cm", "--model", model, "-o", out),
        *("--method", method, "--tune", "full", "--steps", steps, "--seed", seed),
        # Of these questions none is answered by none: a model this small would answer nothing else.
        *("--none-share", 0),
        *("--dev-limit", 200, "--every", max(1, steps // 4), "--threads", 1, *more),
    )
    return json.loads((out / "train.json").read_text("utf-8"))


def row(name, record, run, questions):
    gguf = run / "model.gguf"
    clh("train", "export", run, "-o", gguf, "--quant", "f16")
    found = json.loads(clh("bench", "--questions", questions, "--model", gguf, "--json"))
    low, high = found["intervals"]["model"]
    before, best = record["before"]["eval_dev"], record["best"]["eval_dev"]
    print(
        f"| {name} | {before:.3f} | {best:.3f} | {found['model']:.3f} ({low:.3f} to {high:.3f})"
        f" | {found['shuffled']:.3f} | {sum(found['faults'].values())} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("questions")
    parser.add_argument("--sft-steps", type=int, default=400)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sft-lr", type=float, default=1e-5)
    parser.add_argument("--lr", type=float, default=1e-6)
    args = parser.parse_args()
    print("| run | dev before | dev best | held-out, greedy | shuffled | faults |")
    print("|---|---|---|---|---|---|", flush=True)
    sft = args.out / "sft"
    more = ("--batch", 16, "--lr", args.sft_lr)
    row("SFT", train(args.model, sft, "sft", args.sft_steps, 1, *more), sft, args.questions)
    for seed in range(1, args.seeds + 1):
        run = args.out / f"grpo-{seed}"
        more = ("--batch", 16, "--generations", 8, "--lr", args.lr)
        record = train(sft, run, "grpo", args.steps, seed, *more)
        row(f"GRPO, seed {seed}", record, run, args.questions)


if __name__ == "__main__":
    main()
