"""The demonstration encounters with splits, and the examples made of them."""

import json
from functools import cache

from clhcode.datasets.demo import demo_file
from clhcode.train.lessons import lessons
from clhcode.train.plan import Plan


def table(path, *, few=None):
    """Writes the encounters, every fourth of dev; returns the path."""
    rows = [json.loads(line) for line in demo_file().read_text("utf-8").splitlines()][:few]
    for number, row in enumerate(rows):
        row["split"] = "train" if number % 4 else "dev"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def silent(_):
    """Says nothing."""


@cache
def made(agent, path, **options):
    """The examples of an agent."""
    return lessons(Plan("sft", agent, str(path), "model", **options), silent)
