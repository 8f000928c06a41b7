"""Lines of tokens that a model has already read, and the trie of those it has yet to.

Pure bookkeeping for an engine that decides itself what its key-value cache holds: what two prompts
have in common is read once, however far it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tokens = NDArray[np.int32]


@dataclass(slots=True)
class Line:
    """A sequence in the cache.

    Attributes:
        seq: Its number there.
        tokens: What of it was read.
        held: Whether an answer is being written on it; else it may be dropped.
        used: When it was of use last; grows.
    """

    seq: int
    tokens: Tokens
    held: bool = False
    used: int = 0


@dataclass(slots=True)
class Lines:
    """The lines of a cache with room for `most`."""

    most: int
    lines: list[Line] = field(default_factory=list)
    _clock: int = 0

    def longest(self, tokens: Tokens) -> tuple[Line | None, int]:
        """The line that shares most of its beginning with `tokens`, and how much."""
        best, length = None, 0
        for line in self.lines:
            shared = common(line.tokens, tokens)
            if shared > length:
                best, length = line, shared
        if best is not None:
            self.touch(best)
        return best, length

    def touch(self, line: Line) -> None:
        """Says that a line was of use."""
        self._clock += 1
        line.used = self._clock

    def free(self) -> int | None:
        """A number that no line has, or None."""
        taken = {line.seq for line in self.lines}
        return next((seq for seq in range(self.most) if seq not in taken), None)

    def cells(self) -> int:
        """Tokens that the lines take in the cache, shared ones once."""
        # Big-endian bytes are in the order of the tokens, so that neighbours share most.
        ordered = sorted(
            (line.tokens for line in self.lines), key=lambda t: t.astype(">i4").tobytes()
        )
        shared = sum(common(a, b) for a, b in pairwise(ordered))
        return sum(map(len, ordered)) - shared

    def oldest(self) -> Line | None:
        """The line that was of no use for longest and that nobody holds."""
        idle = (line for line in self.lines if not line.held)
        return min(idle, key=lambda line: line.used, default=None)


@dataclass(frozen=True, slots=True)
class Node:
    """A token to read.

    Attributes:
        seqs: Which of the sequences have it, by their place in the list.
        wanted: Whether what follows it is asked for.
    """

    token: int
    position: int
    seqs: tuple[int, ...]
    wanted: bool


def common(one: Tokens, other: Tokens) -> int:
    """How many tokens two sequences have in common from the beginning."""
    size = min(len(one), len(other))
    differ = (one[:size] != other[:size]).nonzero()[0]
    return int(differ[0]) if len(differ) else size


def trie(
    sequences: Sequence[Tokens], starts: Sequence[int], wanted: Sequence[Iterable[int]]
) -> list[Node]:
    """The tokens of several sequences, each shared one once, a parent before its children.

    Args:
        sequences: The tokens of each.
        starts: How much of each has been read; equal where sequences share more than that.
        wanted: Positions of each whose next token is asked for.
    """
    wants = [frozenset(each) for each in wanted]
    nodes: list[Node] = []
    stack = [(tuple(range(len(sequences))), 0)]
    while stack:
        members, position = stack.pop()
        while True:
            branches: dict[int, list[int]] = {}
            for n in members:
                if position < len(sequences[n]):
                    branches.setdefault(int(sequences[n][position]), []).append(n)
            if len(branches) != 1:
                break
            ((token, seqs),) = branches.items()
            members = tuple(seqs)
            new = tuple(n for n in members if starts[n] <= position)
            if new:
                asked = any(position in wants[n] for n in new)
                nodes.append(Node(token, position, new, asked))
            position += 1
        stack.extend((tuple(seqs), position) for seqs in reversed(branches.values()))
    return nodes
