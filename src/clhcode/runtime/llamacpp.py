"""llama.cpp in this process: GGUF files on a CPU, or on whatever it was built for.

Prompts are read as one trie over its key-value cache, so that the notes of an encounter are read
once for all its questions; answers are written side by side, a token each a step.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.errors import UserError
from clhcode.runtime.choosing import drawn, generator
from clhcode.runtime.lines import Line, Lines, common, trie
from clhcode.runtime.llama_library import BATCH, SEQUENCES, Llama
from clhcode.runtime.model import Output, Prompt, Rate, Rated, Request, Usage, Write, Written
from clhcode.runtime.template import spoken
from clhcode.tasks import Fault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clhcode.runtime.lines import Tokens

CONTEXT = 8_192
"""Tokens of prompt and answer, where neither the user nor the model says less."""
SIDE_BY_SIDE = 8
"""Answers that are written at a time."""
_ROWS = 64
"""Distributions asked for in one batch: each is as wide as the vocabulary."""
_LIKELY = 256
"""Tokens that are tried against a grammar before all of them are."""
_AHEAD = 128
"""Tokens put aside for each answer."""


@dataclass(slots=True)
class _Writing:
    """An answer being written."""

    ticket: int
    request: Write
    prompt: Tokens
    line: Line
    grammar: int | None
    chance: np.random.Generator
    written: list[int]
    text: bytearray
    most: int


class LlamaModel:
    """A GGUF file in llama.cpp."""

    def __init__(
        self, path: Path, *, context: int | None = None, slots: int = SIDE_BY_SIDE
    ) -> None:
        """Loads the file.

        Args:
            path: A GGUF file; the first of several that belong together.
            context: Tokens of prompt and answer together; the model's own, up to `CONTEXT`.
            slots: Answers written side by side.

        Raises:
            UserError: llama-cpp-python is missing, or the file cannot be loaded.
        """
        self._llama = llama = Llama(path)
        if context is not None and context > llama.trained:
            raise UserError(
                f"--context {context}: {path.name} was made for {llama.trained} at most"
            )
        self.context: int | None = context or min(llama.trained, CONTEXT)
        self._cells = 2 * self.context
        llama.open(self._cells)
        self.name = f"{path.name}@{llama.identity}"
        self.chat = llama.template is not None
        self.usage, self.width, self._slots = Usage(), max(2, slots // 2), slots
        self._lines = Lines(SEQUENCES)
        self._waiting: deque[tuple[int, Request]] = deque()
        self._groups: dict[int, int] = {}
        self._sorted = True
        self._writing: list[_Writing] = []
        self._done: list[tuple[int, Output]] = []
        self._admitted = slots

    @property
    def rating(self) -> str:
        """By what options are rated: base models know no numbers."""
        return "number" if self.chat else "phrase"

    def count(self, text: str) -> int:
        return len(self._llama.tokens(text, special=False))

    def prompt_tokens(self, request: Write) -> list[int]:
        """What the model reads before it writes."""
        return self._whole(self._spoken(request.prompt), plain=request.prompt.plain)

    def _spoken(self, prompt: Prompt) -> str:
        return spoken(prompt, self._llama.template, self._llama.specials)

    def _whole(self, text: str, *, plain: bool) -> list[int]:
        """The tokens of a whole text: a template's own, or plain words after their beginning."""
        chat = self.chat and not plain
        return self._llama.tokens(text, special=chat, begin=not chat)

    def submit(self, ticket: int, request: Request) -> None:
        self._waiting.append((ticket, request))
        self._sorted = False
        self.usage.requests += 1

    def ready(self) -> Iterable[tuple[int, Output]]:
        while not self._done:
            self._admit()
            if self._writing:
                self._step()
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        for each in self._writing:
            self._llama.free(each.grammar)
        self._writing = []
        self._llama.close()

    # Reading prompts

    def _admit(self) -> None:
        """Takes what waits: options are rated at once, answers begin while there is a slot."""
        self._sort()
        new: list[tuple[int, Write, Tokens]] = []
        while self._waiting and len(self._writing) + len(new) < self._admitted:
            ticket, request = self._waiting.popleft()
            if isinstance(request, Rate):
                output = self._rated(request)
                if output is not None:
                    self._done.append((ticket, output))
                    continue
                # No room until an answer has ended.
                self._waiting.appendleft((ticket, request))
                break
            tokens = _array(self.prompt_tokens(request))
            if len(tokens) >= (self.context or 0):
                self._done.append((ticket, Fault("too-long", f"a prompt of {len(tokens)} tokens")))
                continue
            new.append((ticket, request, tokens))
        if not new:
            return
        rows = self._read([tokens for *_, tokens in new], [[len(t) - 1] for *_, t in new])
        if rows is None:
            self._later(new)
            return
        self._admitted = min(self._slots, self._admitted + 1)
        lines, logits = rows
        for (ticket, request, tokens), line, row in zip(new, lines, logits, strict=True):
            self.usage.sent += len(tokens)
            self._begin(ticket, request, tokens, line, row[len(tokens) - 1])

    def _sort(self) -> None:
        """Prompts that begin alike one after another, so that a small cache serves them all."""
        if self._sorted:
            return
        waiting = {_first(request).group for _, request in self._waiting}
        every = dict.fromkeys((*self._groups, *(_first(r).group for _, r in self._waiting)))
        self._groups = {group: n for n, group in enumerate(g for g in every if g in waiting)}
        self._waiting = deque(
            sorted(self._waiting, key=lambda w: (self._groups[(p := _first(w[1])).group], p.user))
        )
        self._sorted = True

    def _later(self, new: list[tuple[int, Write, Tokens]]) -> None:
        """The cache has no room for all of these now: fewer at a time."""
        if len(new) == 1 and not self._writing:
            message = f"no room for a prompt of {len(new[0][2])} tokens"
            self._done.append((new[0][0], Fault("too-long", message)))
            return
        self._waiting.extendleft((ticket, request) for ticket, request, _ in reversed(new))
        self._admitted = max(1, len(self._writing), len(new) // 2)

    def _read(
        self, sequences: list[Tokens], wanted: list[list[int]]
    ) -> tuple[list[Line], list[dict[int, NDArray[np.float32]]]] | None:
        """Reads sequences, each token that several have in common once.

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
            if not self._make_room(len(nodes), len(sequences)):
                return None
            for tokens, (source, shared) in zip(sequences, known, strict=True):
                line = self._new_line(tokens)
                if shared and source is not None:
                    self._llama.copy(source.seq, line.seq, shared)
                lines.append(line)
        found: list[dict[int, NDArray[np.float32]]] = [{} for _ in sequences]
        while nodes:
            size = _batch_size([node.wanted for node in nodes])
            head, nodes = nodes[:size], nodes[size:]
            for at, node in enumerate(head):
                self._llama.put(
                    at, node.token, node.position, [lines[n].seq for n in node.seqs], node.wanted
                )
            if not self._decode(size):
                self._drop(*lines)
                return None
            self.usage.evaluated += size
            for at, node in enumerate(head):
                if node.wanted:
                    row = self._llama.row(at).copy()
                    for n in node.seqs:
                        found[n][node.position] = row
        return lines, found

    def _known(self, tokens: Tokens, wanted: list[int]) -> tuple[Line | None, int]:
        """The line that has most of a sequence, up to where a distribution is wanted."""
        if not self._llama.sharing:
            return None, 0
        source, shared = self._lines.longest(tokens)
        return source, min(shared, wanted[0])

    def _make_room(self, cells: int, lines: int) -> bool:
        """Gives idle lines up until so many tokens and lines fit, and what is being written."""
        room = self._cells - cells - _AHEAD * (len(self._writing) + lines)
        while self._lines.cells() > room or len(self._lines.lines) + lines > SEQUENCES:
            if not self._evict():
                # What is being written may need less than was put aside for it.
                return not self._writing and self._lines.cells() + cells <= self._cells
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
            self._drop(oldest)
        return oldest is not None

    def _drop(self, *lines: Line) -> None:
        for line in lines:
            self._llama.forget(line.seq)
            self._lines.lines.remove(line)

    # Rating

    def _rated(self, request: Rate) -> Output | None:
        """The likelihoods; None where there is no room while answers are being written."""
        import numpy as np

        sequences, begins = [], []
        heads: dict[str, list[int]] = {}
        for prompt, ending in zip(request.prompts, request.endings, strict=True):
            text = self._spoken(prompt)
            if text not in heads:
                heads[text] = self._whole(text, plain=prompt.plain)
            head, full = heads[text], self._whole(text + ending, plain=prompt.plain)
            if full[: len(head)] != head:
                full = head + self._llama.tokens(ending, special=False)
            sequences.append(_array(full))
            begins.append(len(head))
        if max(map(len, sequences)) > (self.context or 0):
            return Fault("too-long", "an option does not fit the context")
        logs: list[float] = []
        # Each sequence needs a line of its own while it is read.
        for at in range(0, len(sequences), SEQUENCES // 2):
            part = slice(at, at + SEQUENCES // 2)
            wanted = [
                list(range(begin - 1, len(tokens) - 1))
                for tokens, begin in zip(sequences[part], begins[part], strict=True)
            ]
            read = self._read(sequences[part], wanted)
            if read is None:
                return None if self._writing else Fault("too-long", "no room for the options")
            lines, rows = read
            for tokens, wants, row in zip(sequences[part], wanted, rows, strict=True):
                self.usage.sent += len(tokens)
                logs.append(float(np.sum([_log(row[p], tokens[p + 1]) for p in wants])))
            self._keep_shared(lines, sequences[part])
        return Rated(tuple(logs))

    def _keep_shared(self, lines: list[Line], sequences: list[Tokens]) -> None:
        """Of rated options only what they have in common is of further use."""
        first, *others = sequences
        shared = min((common(first, each) for each in others), default=len(first) - 1)
        kept, *rest = lines
        self._drop(*rest)
        if shared and self._llama.forget(kept.seq, shared):
            kept.tokens, kept.held = first[:shared], False
        else:
            self._drop(kept)

    # Writing

    def _begin(
        self, ticket: int, request: Write, tokens: Tokens, line: Line, row: NDArray[np.float32]
    ) -> None:
        grammar = (
            self._llama.grammar(json.dumps(request.schema)) if request.schema is not None else None
        )
        chance = generator(request.sampling, request.prompt.user + request.prompt.answer)
        most = min(request.most, (self.context or 0) - len(tokens))
        writing = _Writing(ticket, request, tokens, line, grammar, chance, [], bytearray(), most)
        self._writing.append(writing)
        self._choose(writing, row)

    def _step(self) -> None:
        """Writes one token of every answer."""
        for at, each in enumerate(self._writing):
            position = len(each.prompt) + len(each.written) - 1
            self._llama.put(at, each.written[-1], position, [each.line.seq], wanted=True)
        if not self._decode(len(self._writing)):
            self._give_way()
            return
        rows = [(each, self._llama.row(at)) for at, each in enumerate(self._writing)]
        for each, row in rows:
            self._choose(each, row)

    def _give_way(self) -> None:
        """The cache is full: the youngest answer begins anew when another has ended."""
        last = self._writing.pop()
        self._llama.free(last.grammar)
        self._drop(last.line)
        if not self._writing:
            self._done.append((last.ticket, Fault("cut", "the cache has no room for the answer")))
            return
        self._waiting.appendleft((last.ticket, last.request))
        self._admitted = max(1, len(self._writing))

    def _choose(self, each: _Writing, row: NDArray[np.float32]) -> None:
        token = self._next(each, row)
        self.usage.generated += 1
        if self._llama.ends(token):
            self._end(each, "stop")
            return
        if each.grammar is not None:
            self._llama.accept(each.grammar, token)
        each.written.append(token)
        each.text += self._llama.bytes_of(token)
        if each.grammar is not None and each.text.endswith(b"}") and _complete(each.text):
            self._end(each, "stop")
        elif len(each.written) >= each.most:
            self._end(each, "length")

    def _next(self, each: _Writing, row: NDArray[np.float32]) -> int:
        """The token to write: the grammar is asked of the likely ones first, as it is slow."""
        import numpy as np

        sampling = each.request.sampling
        token = drawn(row, sampling, each.chance)
        if each.grammar is None or self._llama.allowed(each.grammar, np.array([token]))[0]:
            return token
        if sampling.temperature == 0.0 and len(row) > _LIKELY:
            likely = np.argpartition(-row, _LIKELY)[:_LIKELY]
            allowed = likely[self._llama.allowed(each.grammar, likely)]
            if len(allowed):
                return int(allowed[row[allowed].argmax()])
        every = np.arange(len(row))
        masked = np.where(self._llama.allowed(each.grammar, every), row, -np.inf)
        return drawn(masked, sampling, each.chance)

    def _end(self, each: _Writing, finish: str) -> None:
        self._writing = [other for other in self._writing if other is not each]
        self._llama.free(each.grammar)
        # The last token was chosen and not read.
        each.line.tokens = _array([*each.prompt, *each.written[:-1]])
        each.line.held = False
        if not self._llama.sharing:
            self._drop(each.line)
        text = each.text.decode("utf-8", errors="replace")
        self._done.append((each.ticket, Written(text, finish)))

    def _decode(self, size: int) -> bool:
        """Runs a batch; False where the cache has no room even without idle lines."""
        while not self._llama.run(size):
            if not self._evict():
                return False
        return True


def _first(request: Request) -> Prompt:
    return request.prompts[0] if isinstance(request, Rate) else request.prompt


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


def _array(tokens: Iterable[int]) -> Tokens:
    import numpy as np

    return np.fromiter(tokens, dtype=np.int32)


def _batch_size(wanted: list[bool]) -> int:
    rows = 0
    for at, each in enumerate(wanted[:BATCH]):
        rows += each
        if rows > _ROWS:
            return at
    return min(len(wanted), BATCH)


def _log(row: NDArray[np.float32], token: int) -> float:
    import numpy as np

    top = float(row.max())
    return float(row[token]) - top - float(np.log(np.exp(row - top).sum(dtype=np.float64)))


def _complete(text: bytearray) -> bool:
    try:
        json.loads(text.decode("utf-8", errors="replace"))
    except ValueError:
        return False
    return True
