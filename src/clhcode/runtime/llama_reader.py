"""Prompts in llama.cpp's cache, read as one trie: what several have in common is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clhcode.runtime.lines import Line, Lines, common, trie
from clhcode.runtime.llama_library import BATCH, SEQUENCES, Llama
from clhcode.runtime.model import Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clhcode.runtime.lines import Tokens

    Rows = dict[int, NDArray[np.float32]]

_ROWS = 64
"""Distributions asked for in one batch: each is as wide as the vocabulary."""
_AHEAD = 128
"""Tokens put aside for each answer."""


class LlamaReader:
    """The cache of an open `Llama`, and what stands in it."""

    def __init__(self, llama: Llama, cells: int, usage: Usage) -> None:
        """Takes a cache that is empty.

        Args:
            llama: The library with a model and a context.
            cells: How many tokens its cache holds.
            usage: Where tokens that are read are counted.
        """
        self._llama, self._cells, self._usage = llama, cells, usage
        self._lines = Lines(SEQUENCES)

    def read(
        self, sequences: list[Tokens], wanted: list[list[int]], *, writing: int
    ) -> tuple[list[Line], list[Rows]] | None:
        """Reads sequences, each token that several have in common once.

        Args:
            sequences: The tokens of each.
            wanted: Positions of each whose next token is asked for.
            writing: Answers that are being written and need room to grow.

        Returns:
            A held line for each, and the distributions after the wanted positions; None where
            the cache has no room, and nothing is changed.
        """
        lines: list[Line] = []
        known = [
            self._known(tokens, wants) for tokens, wants in zip(sequences, wanted, strict=True)
        ]
        starts = [shared for _, shared in known]
        nodes = trie(sequences, starts, wanted)
        with _held(source for source, _ in known):
            if not self._make_room(len(nodes), len(sequences), writing):
                return None
            for tokens, (source, shared) in zip(sequences, known, strict=True):
                line = self._new_line(tokens)
                if shared and source is not None:
                    self._llama.copy(source.seq, line.seq, shared)
                lines.append(line)
        found: list[Rows] = [{} for _ in sequences]
        while nodes:
            size = _batch_size([node.wanted for node in nodes])
            head, nodes = nodes[:size], nodes[size:]
            for at, node in enumerate(head):
                self._llama.put(
                    at, node.token, node.position, [lines[n].seq for n in node.seqs], node.wanted
                )
            if not self.decode(size):
                self.drop(*lines)
                return None
            self._usage.evaluated += size
            for at, node in enumerate(head):
                if node.wanted:
                    row = self._llama.row(at).copy()
                    for n in node.seqs:
                        found[n][node.position] = row
        return lines, found

    def decode(self, size: int) -> bool:
        """Runs what was put; False where the cache has no room even without idle lines."""
        while not self._llama.run(size):
            if not self._evict():
                return False
        return True

    def keep(self, line: Line, tokens: Tokens) -> None:
        """An answer has ended: its line holds `tokens` and may serve others."""
        line.tokens, line.held = tokens, False
        if not self._llama.sharing:
            self.drop(line)

    def keep_shared(self, lines: list[Line]) -> None:
        """Of lines that were read together only what all have in common is of further use."""
        kept, *rest = lines
        shared = min((common(kept.tokens, each.tokens) for each in rest), default=None)
        if shared is None:
            shared = len(kept.tokens) - 1
        self.drop(*rest)
        if shared and self._llama.forget(kept.seq, shared):
            kept.tokens, kept.held = kept.tokens[:shared], False
        else:
            self.drop(kept)

    def drop(self, *lines: Line) -> None:
        """Takes lines out of the cache."""
        for line in lines:
            self._llama.forget(line.seq)
            self._lines.lines.remove(line)

    def _known(self, tokens: Tokens, wanted: list[int]) -> tuple[Line | None, int]:
        """The line that has most of a sequence, up to where a distribution is wanted."""
        if not self._llama.sharing:
            return None, 0
        source, shared = self._lines.longest(tokens)
        return source, min(shared, wanted[0])

    def _make_room(self, cells: int, lines: int, writing: int) -> bool:
        """Gives idle lines up until so many tokens and lines fit, and what is being written."""
        room = self._cells - cells - _AHEAD * (writing + lines)
        while self._lines.cells() > room or len(self._lines.lines) + lines > SEQUENCES:
            if not self._evict():
                # What is being written may need less than was put aside for it.
                return not writing and self._lines.cells() + cells <= self._cells
        return True

    def _new_line(self, tokens: Tokens) -> Line:
        seq = self._lines.free()
        if seq is None:
            raise RuntimeError("no line is free")
        line = Line(seq, tokens, held=True)
        self._lines.lines.append(line)
        self._lines.touch(line)
        return line

    def _evict(self) -> bool:
        oldest = self._lines.oldest()
        if oldest is not None:
            self.drop(oldest)
        return oldest is not None


@contextmanager
def _held(lines: Iterable[Line | None]) -> Iterator[None]:
    """Lines that are copied from are not dropped to make room for the copies."""
    idle = {id(line): line for line in lines if line is not None and not line.held}
    for line in idle.values():
        line.held = True
    try:
        yield
    finally:
        for line in idle.values():
            line.held = False


def _batch_size(wanted: list[bool]) -> int:
    rows = 0
    for at, each in enumerate(wanted[:BATCH]):
        rows += each
        if rows > _ROWS:
            return at
    return min(len(wanted), BATCH)
