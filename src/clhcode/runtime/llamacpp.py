"""llama.cpp in this process: GGUF files on a CPU, or on whatever it was built for.

The notes of an encounter are read once for all its questions; answers are written side by side, a
token each a step.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.errors import UserError
from clhcode.runtime.choosing import drawn, generator
from clhcode.runtime.identity import identity
from clhcode.runtime.lines import Line
from clhcode.runtime.llama_library import SEQUENCES, Llama
from clhcode.runtime.llama_reader import LlamaReader
from clhcode.runtime.model import Output, Prompt, Rate, Rated, Request, Usage, Write, Written
from clhcode.runtime.template import spoken
from clhcode.tasks import Fault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clhcode.runtime.lines import Tokens

    _Ending = tuple[Tokens, int]

CONTEXT = 8_192
"""Tokens of prompt and answer, where neither the user nor the model says less."""
SIDE_BY_SIDE = 8
"""Answers that are written at a time."""
_LIKELY = 256
"""Tokens that are tried against a grammar before all of them are."""


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
        llama.open(2 * self.context)
        self.name = identity(path)
        self.chat = llama.template is not None
        self.usage, self.width, self._slots = Usage(), max(2, slots // 2), slots
        self._reader = LlamaReader(llama, 2 * self.context, self.usage)
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
        """Takes what waits: options are rated at once, answers begin while there is a slot.

        What is done is given back before more is taken: whoever waits for it writes it down.
        """
        self._sort()
        new: list[tuple[int, Write, Tokens]] = []
        while self._waiting and not self._done and len(self._writing) + len(new) < self._admitted:
            ticket, request = self._waiting[0]
            if isinstance(request, Rate):
                if self._rate():
                    continue
                # No room until an answer has ended.
                break
            self._waiting.popleft()
            tokens = _array(self.prompt_tokens(request))
            if len(tokens) >= (self.context or 0):
                self._done.append((ticket, Fault("too-long", f"a prompt of {len(tokens)} tokens")))
                continue
            new.append((ticket, request, tokens))
        if not new:
            return
        prompts = [tokens for *_, tokens in new]
        read = self._reader.read(
            prompts, [[len(t) - 1] for t in prompts], writing=len(self._writing)
        )
        if read is None:
            self._later(new)
            return
        self._admitted = min(self._slots, self._admitted + 1)
        lines, logits = read
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

    # Rating

    def _rate(self, most: int = SEQUENCES // 2) -> bool:
        """Rates options of the questions that are next, of several together where they are few.

        Args:
            most: Options at a time, where there is more than one question.

        Returns:
            Whether there was room; there may be more when an answer has ended.
        """
        batch: list[tuple[int, Rate, list[_Ending]]] = []
        while self._waiting and isinstance(request := self._waiting[0][1], Rate):
            if batch and sum(len(e) for *_, e in batch) + len(request.prompts) > most:
                break
            ticket, _ = self._waiting.popleft()
            endings = self._endings(request)
            if max(len(tokens) for tokens, _ in endings) > (self.context or 0):
                self._done.append((ticket, Fault("too-long", "an option does not fit the context")))
            else:
                batch.append((ticket, request, endings))
        logs = self._likelihoods([each for *_, endings in batch for each in endings])
        if logs is not None:
            rest = iter(logs)
            self._done += [(t, Rated(tuple(islice(rest, len(e))))) for t, _, e in batch]
            return True
        if len(batch) == 1 and not self._writing:
            self._done.append((batch[0][0], Fault("too-long", "no room for the options")))
            return True
        self._waiting.extendleft((ticket, request) for ticket, request, _ in reversed(batch))
        return self._rate(most=0) if len(batch) > 1 else False

    def _endings(self, request: Rate) -> list[_Ending]:
        """The tokens of each prompt with its ending, and where the ending begins."""
        found: list[_Ending] = []
        heads: dict[str, list[int]] = {}
        for prompt, ending in zip(request.prompts, request.endings, strict=True):
            text = self._spoken(prompt)
            if text not in heads:
                heads[text] = self._whole(text, plain=prompt.plain)
            head, full = heads[text], self._whole(text + ending, plain=prompt.plain)
            if full[: len(head)] != head:
                full = head + self._llama.tokens(ending, special=False)
            found.append((_array(full), len(head)))
        return found

    def _likelihoods(self, endings: list[_Ending]) -> list[float] | None:
        """Their logarithms; None where there is no room."""
        import numpy as np

        logs: list[float] = []
        # Each sequence needs a line of its own while it is read.
        for at in range(0, len(endings), SEQUENCES // 2):
            part = endings[at : at + SEQUENCES // 2]
            sequences = [tokens for tokens, _ in part]
            wanted = [list(range(begin - 1, len(tokens) - 1)) for tokens, begin in part]
            read = self._reader.read(sequences, wanted, writing=len(self._writing))
            if read is None:
                return None
            lines, rows = read
            for tokens, wants, row in zip(sequences, wanted, rows, strict=True):
                self.usage.sent += len(tokens)
                logs.append(float(np.sum([_log(row[p], tokens[p + 1]) for p in wants])))
            self._reader.keep_shared(lines)
        return logs

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
        if not self._reader.decode(len(self._writing)):
            self._give_way()
            return
        rows = [(each, self._llama.row(at)) for at, each in enumerate(self._writing)]
        for each, row in rows:
            self._choose(each, row)

    def _give_way(self) -> None:
        """The cache is full: the youngest answer begins anew when another has ended."""
        last = self._writing.pop()
        self._llama.free(last.grammar)
        self._reader.drop(last.line)
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
        self._reader.keep(each.line, _array([*each.prompt, *each.written[:-1]]))
        text = each.text.decode("utf-8", errors="replace")
        self._done.append((each.ticket, Written(text, finish)))


def _first(request: Request) -> Prompt:
    return request.prompts[0] if isinstance(request, Rate) else request.prompt


def _array(tokens: Iterable[int]) -> Tokens:
    import numpy as np

    return np.fromiter(tokens, dtype=np.int32)


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
