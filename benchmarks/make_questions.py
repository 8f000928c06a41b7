"""Makes multiple-choice questions for `clh bench --questions` from the Alphabetic Index.

    python benchmarks/make_questions.py OUT --categories dev|FILE -n 600 --seed 1

A question is a path of the index, and eight codes in BM25's order, the right one among them: BM25
over the lower-cased titles of the codes without further digits, English stop words
(`pip install bm25s`, which `clh` itself does not need). `dev` are the categories whose three
characters give 1 in `int(sha1(category).hexdigest(), 16) % 8`; those with 0 are held out, and
neither asked about nor offered; a FILE names others, one a line. Research use only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from clhcode.bench.making import DEV, HELD_OUT, bm25, made, part, paths, undivided
from clhcode.errors import UserError
from clhcode.icd.sources import choose
from clhcode.icd.store import Store, open_store


def categories(name: str, store: Store) -> Callable[[str], bool]:
    """Whether a category is asked about.

    Raises:
        UserError: The file cannot be read, or names what is no category or is held out.
    """
    if name == "dev":
        return lambda category: part(category) == DEV
    try:
        lines = Path(name).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: cannot be read ({type(error).__name__})") from None
    named = set()
    for number, line in enumerate(lines, 1):
        if not (category := line.strip()):
            continue
        if len(category) != 3 or store.node(category) is None:
            raise UserError(f"{name}: line {number}: no category of the classification")
        if part(category) == HELD_OUT:
            raise UserError(f"{name}: line {number}: {category} is held out")
        named.add(category)
    return named.__contains__


def main() -> None:
    """Writes the file, and says how many came and how often BM25 is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="JSON lines; gzipped where it ends in .gz")
    parser.add_argument("--categories", default="dev", metavar="dev|FILE")
    parser.add_argument("-n", type=int, default=600, help="how many at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        store, _ = open_store(choose())
        wanted = categories(options.categories, store)
    except UserError as error:
        print(f"make_questions: {error}", file=sys.stderr)
        sys.exit(error.code)
    titles = {node.code: node.title for node in undivided(store)}
    found = list(islice(made(paths(store), titles, bm25, wanted, options.seed), options.n))
    data = "".join(json.dumps(each.as_dict()) + "\n" for each in found).encode()
    packed = options.out.suffix == ".gz"
    options.out.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    first = sum(each.right == 1 for each in found) / max(1, len(found))
    there = len({each.category for each in found})
    print(f"{len(found):,} questions of {there} categories; BM25's first is right in {first:.3f}")


if __name__ == "__main__":
    main()
