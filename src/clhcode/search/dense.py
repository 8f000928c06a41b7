"""Nearest entries by vectors: every line of the classification against a phrase, by cosine."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.icd.store import built, say_on_stderr
from clhcode.search import dictionary
from clhcode.search.embed import Embedder
from clhcode.search.find import Finder, Match
from clhcode.search.retrieve import Query

if TYPE_CHECKING:
    from clhcode.search.embed import Vectors

SCHEMA = 1
"""Raised whenever entries are put in other words, so that older vectors are built anew."""
_PACK = 1_024
"""Texts embedded between two steps of the progress bar."""
_AT_ONCE = 64
"""Queries compared at once: each needs a number for every entry."""
_SPARE = 8
"""Entries looked at for each code wanted: a code has several, and those lie together."""

_SAME = 0.99
"""Cosine of one text's vectors by one model; batches and kinds of processors differ by less."""
_ANEW = "remove it, it is made anew"


class Dense:
    """The entries of a finder as vectors.

    Vectors are single floats on disk: NumPy multiplies them without a copy of the mapped file,
    and halves many times slower.
    """

    def __init__(self, finder: Finder, vectors: Vectors, embedder: Embedder) -> None:
        self._finder, self._vectors, self._embedder = finder, vectors, embedder

    def search(self, queries: Sequence[Query], most: int) -> list[tuple[Match, ...]]:
        phrases = list(dict.fromkeys(q.phrase for q in queries))
        found = dict(zip(phrases, self._nearest(phrases, most), strict=True))
        return [found[q.phrase] for q in queries]

    def _nearest(self, phrases: Sequence[str], most: int) -> Iterator[tuple[Match, ...]]:
        import numpy as np

        size = min(_SPARE * most, len(self._vectors))
        for at in range(0, len(phrases), _AT_ONCE):
            rows = self._embedder.queries(phrases[at : at + _AT_ONCE])
            for cosines in rows @ self._vectors.T:
                near = np.argpartition(cosines, -size)[-size:]
                # Four digits, as equal texts differ in the last ones by where they stand.
                scored = {int(n): max(0.0, round(float(cosines[n]), 4)) for n in near}
                yield self._finder.ranked(scored, most)


def open_dense(
    finder: Finder,
    key_of_sources: str,
    embedder: Embedder,
    say: Callable[[str], None] = say_on_stderr,
) -> Dense:
    """Opens the vectors of a finder's entries, making them first where they are not there yet.

    Raises:
        UserError: They cannot be kept or read, or another model made them under this name.
    """
    import numpy as np

    identity = hashlib.sha256(embedder.identity.encode()).hexdigest()[:10]
    key = f"{key_of_sources}-{dictionary.SCHEMA}.{SCHEMA}-{identity}"

    def make(path: Path) -> None:
        texts = [finder.text(number) for number in range(len(finder))]
        say(f"embedding {len(texts):,} entries with {embedder.name}, once ...")
        vectors = embedded(texts, embedder)
        with path.open("wb") as out:
            np.save(out, vectors)
            out.flush()
            os.fsync(out.fileno())

    path = built("vectors.npy", key, make)
    try:
        mapped = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {_ANEW}") from None
    # A server's model is known by its name alone, and some are all called the same.
    (probe,), kept = embedder.passages([finder.text(0)]), mapped[0]
    if probe.shape != kept.shape or float(probe @ kept) < _SAME:
        raise UserError(f"{path}: not made by the {embedder.name} that answers now; {_ANEW}")
    return Dense(finder, np.asarray(mapped), embedder)


def embedded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """A row for each text; equal texts are embedded once."""
    import numpy as np
    from tqdm import tqdm

    places: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        places.setdefault(text, []).append(number)
    # Texts of one length fill a batch without padding.
    unique = sorted(places, key=len)
    found: Any = None
    bar = tqdm(total=len(unique), desc="embedding", file=sys.stderr, disable=None, leave=False)
    with bar:
        for at in range(0, len(unique), _PACK):
            some = unique[at : at + _PACK]
            rows = embedder.passages(some)
            if found is None:
                found = np.zeros((len(texts), rows.shape[1]), np.float32)
            for text, row in zip(some, rows, strict=True):
                found[places[text]] = row
            bar.update(len(some))
    result: Vectors = found
    return result
