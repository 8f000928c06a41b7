"""What a rank of lexical order should weigh beside a model's likelihoods, on development questions.

python benchmarks/make_questions.py DEV.jsonl.gz --categories dev -n 600 --seed 1
python benchmarks/rank_weight.py DEV.jsonl.gz --model M [--engine E] [--limit N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from clhcode.bench.questions import ask_all, read_questions
from clhcode.runtime.pick import Setup, choose_engine, open_model
from clhcode.runtime.sampling import Manner
from clhcode.runtime.text import TextEngine
from clhcode.tasks import AGENTS

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--engine")
    parser.add_argument("--limit", type=int)
    args = parser.parse_args()
    questions = read_questions(args.file, args.limit)
    choice = choose_engine(args.engine, args.model)
    model = open_model(choice, Setup(dict.fromkeys(AGENTS, choice)))
    engine = TextEngine(model, dict.fromkeys(AGENTS, Manner(choose="score")))
    replies = ask_all(questions, engine, lambda _: None)
    model.close()
    print(f"{len(questions)} questions, rated by {model.rating}")
    for weight in WEIGHTS:
        right = 0
        for question, reply in zip(questions, replies, strict=True):
            values = [score - weight * rank for rank, score in enumerate(reply.scores)]
            right += values.index(max(values)) + 1 == question.right
        print(f"  {weight:>4} nats a rank   {right / len(questions):.3f} right")


if __name__ == "__main__":
    main()
