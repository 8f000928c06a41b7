"""llama.cpp in this process: GGUF files on a CPU, or on whatever it was built for.

Prompts are read as one trie over its key-value cache, so that the notes of an encounter are read
once for all its questions; answers are written side by side, a token each a step.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.runtime.choosing import drawn, generator
from clhcode.runtime.grammar import gbnf
from clhcode.runtime.lines import Line, Lines, trie
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
_SEQUENCES = 64
_BATCH = 512
_ROWS = 64
"""Distributions asked for in one batch: each is as wide as the vocabulary."""
_LIKELY = 256
"""Tokens that are tried against a grammar before all of them are."""
_SMALL = 20_000_000
"""Parameters below which threads wait for each other longer than they work."""
_AHEAD = 128
"""Tokens put aside for each answer."""
_FULL = 1
"""What llama.cpp answers when its cache has no room."""


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
        self._lib = lib = _library()
        _check(path)
        model = lib.llama_model_default_params()
        model.n_gpu_layers = 999 if lib.llama_supports_gpu_offload() else 0
        self._model = lib.llama_model_load_from_file(os.fsencode(path), model)
        if not self._model:
            raise UserError(f"{path}: llama.cpp cannot load it: broken, too new, or no memory left")
        trained = int(lib.llama_model_n_ctx_train(self._model))
        if context is not None and context > trained:
            raise UserError(f"--context {context}: {path.name} was made for {trained} at most")
        self.context: int | None = context or min(trained, CONTEXT)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._size = int(lib.llama_vocab_n_tokens(self._vocab))
        self._cells = 2 * self.context
        self._context = self._open(self._cells)
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(_BATCH, 0, _SEQUENCES)
        self._sharing = not (
            lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model)
        )
        self.name = f"{path.name}@{_identity(path)}"
        self._template = self._own_template()
        self.chat = self._template is not None
        self._specials = (
            self._piece(lib.llama_vocab_bos(self._vocab)),
            self._piece(lib.llama_vocab_eos(self._vocab)),
        )
        self.usage, self.width, self._slots = Usage(), max(2, slots // 2), slots
        self._lines = Lines(_SEQUENCES)
        self._waiting: deque[tuple[int, Request]] = deque()
        self._groups: dict[int, int] = {}
        self._sorted = True
        self._writing: list[_Writing] = []
        self._done: list[tuple[int, Output]] = []
        self._grammars: dict[str, int] = {}
        self._admitted = slots

    def _open(self, cells: int) -> Any:
        lib = self._lib
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, _BATCH, _BATCH
        params.n_seq_max, params.kv_unified, params.swa_full = _SEQUENCES, True, True
        params.n_threads = params.n_threads_batch = self._threads()
        params.no_perf = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            raise UserError(
                f"llama.cpp has no memory for a cache of {cells} tokens: --context less"
            )
        return context

    @property
    def rating(self) -> str:
        """By what options are rated: base models know no numbers."""
        return "number" if self.chat else "phrase"

    def _threads(self) -> int:
        """Threads: all there are, or `OMP_NUM_THREADS`; one for what is done before they meet."""
        if self._lib.llama_model_n_params(self._model) < _SMALL:
            return 1
        return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))

    def count(self, text: str) -> int:
        return len(self.tokens(text, special=False))

    def tokens(self, text: str, *, special: bool = True, begin: bool = False) -> list[int]:
        """The tokens of a text.

        Args:
            text: What is split.
            special: Whether the names of special tokens in it mean them.
            begin: Put the token for the beginning before it, where the model wants one.
        """
        data = text.encode()
        room = (ctypes.c_int32 * (len(data) + 8))()
        count = self._lib.llama_tokenize(
            self._vocab, data, len(data), room, len(room), begin, special
        )
        return list(room[:count])

    def prompt_tokens(self, request: Write) -> list[int]:
        """What the model reads before it writes."""
        return self._prompt(spoken(request.prompt, self._template, self._specials), request)

    def _prompt(self, text: str, request: Write) -> list[int]:
        chat = self.chat and not request.prompt.plain
        return self.tokens(text, special=chat, begin=not chat)

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
        if self._context is None:
            return
        for grammar in self._grammars.values():
            self._lib.llama_sampler_free(grammar)
        for each in self._writing:
            self._free(each.grammar)
        self._lib.llama_batch_free(self._batch)
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)
        self._context = self._model = None

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
                    self._lib.llama_memory_seq_cp(self._memory, source.seq, line.seq, 0, shared)
                lines.append(line)
        found: list[dict[int, NDArray[np.float32]]] = [{} for _ in sequences]
        while nodes:
            size = _batch_size([node.wanted for node in nodes])
            head, nodes = nodes[:size], nodes[size:]
            for at, node in enumerate(head):
                self._put(
                    at, node.token, node.position, [lines[n].seq for n in node.seqs], node.wanted
                )
            if not self._decode(size):
                self._drop(*lines)
                return None
            self.usage.evaluated += size
            for at, node in enumerate(head):
                if node.wanted:
                    row = self._row(at).copy()
                    for n in node.seqs:
                        found[n][node.position] = row
        return lines, found

    def _known(self, tokens: Tokens, wanted: list[int]) -> tuple[Line | None, int]:
        """The line that has most of a sequence, up to where a distribution is wanted."""
        if not self._sharing:
            return None, 0
        source, shared = self._lines.longest(tokens)
        return source, min(shared, wanted[0])

    def _make_room(self, cells: int, lines: int) -> bool:
        """Gives idle lines up until so many tokens and lines fit, and what is being written."""
        room = self._cells - cells - _AHEAD * (len(self._writing) + lines)
        while self._lines.cells() > room or len(self._lines.lines) + lines > _SEQUENCES:
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
            self._lib.llama_memory_seq_rm(self._memory, line.seq, -1, -1)
            self._lines.lines.remove(line)

    # Rating

    def _rated(self, request: Rate) -> Output | None:
        """The likelihoods; None where there is no room while answers are being written."""
        import numpy as np

        sequences, begins = [], []
        heads: dict[str, list[int]] = {}
        for prompt, ending in zip(request.prompts, request.endings, strict=True):
            text = spoken(prompt, self._template, self._specials)
            if text not in heads:
                heads[text] = self._whole(text, prompt.plain)
            head, full = heads[text], self._whole(text + ending, prompt.plain)
            if full[: len(head)] != head:
                full = head + self.tokens(ending, special=False)
            sequences.append(_array(full))
            begins.append(len(head))
        if max(map(len, sequences)) > (self.context or 0):
            return Fault("too-long", "an option does not fit the context")
        logs: list[float] = []
        # Each sequence needs a line of its own while it is read.
        for at in range(0, len(sequences), _SEQUENCES // 2):
            part = slice(at, at + _SEQUENCES // 2)
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

    def _whole(self, text: str, plain: bool) -> list[int]:
        chat = self.chat and not plain
        return self.tokens(text, special=chat, begin=not chat)

    def _keep_shared(self, lines: list[Line], sequences: list[Tokens]) -> None:
        """Of rated options only what they have in common is of further use."""
        first, *others = sequences
        shared = min((_common(first, each) for each in others), default=len(first) - 1)
        kept, *rest = lines
        self._drop(*rest)
        if shared and self._lib.llama_memory_seq_rm(self._memory, kept.seq, shared, -1):
            kept.tokens, kept.held = first[:shared], False
        else:
            self._drop(kept)

    # Writing

    def _begin(
        self, ticket: int, request: Write, tokens: Tokens, line: Line, row: NDArray[np.float32]
    ) -> None:
        grammar = self._grammar(json.dumps(request.schema)) if request.schema is not None else None
        chance = generator(request.sampling, request.prompt.user + request.prompt.answer)
        most = min(request.most, (self.context or 0) - len(tokens))
        writing = _Writing(ticket, request, tokens, line, grammar, chance, [], bytearray(), most)
        self._writing.append(writing)
        self._choose(writing, row)

    def _step(self) -> None:
        """Writes one token of every answer."""
        for at, each in enumerate(self._writing):
            position = len(each.prompt) + len(each.written) - 1
            self._put(at, each.written[-1], position, [each.line.seq], wanted=True)
        if not self._decode(len(self._writing)):
            self._give_way()
            return
        rows = [(each, self._row(at)) for at, each in enumerate(self._writing)]
        for each, row in rows:
            self._choose(each, row)

    def _give_way(self) -> None:
        """The cache is full: the youngest answer begins anew when another has ended."""
        last = self._writing.pop()
        self._free(last.grammar)
        self._drop(last.line)
        if not self._writing:
            self._done.append((last.ticket, Fault("cut", "the cache has no room for the answer")))
            return
        self._waiting.appendleft((last.ticket, last.request))
        self._admitted = max(1, len(self._writing))

    def _choose(self, each: _Writing, row: NDArray[np.float32]) -> None:
        token = self._next(each, row)
        self.usage.generated += 1
        if self._lib.llama_vocab_is_eog(self._vocab, token):
            self._end(each, "stop")
            return
        if each.grammar is not None:
            self._lib.llama_sampler_accept(each.grammar, token)
        each.written.append(token)
        each.text += self._bytes(token)
        if each.grammar is not None and each.text.endswith(b"}") and _complete(each.text):
            self._end(each, "stop")
        elif len(each.written) >= each.most:
            self._end(each, "length")

    def _next(self, each: _Writing, row: NDArray[np.float32]) -> int:
        """The token to write: the grammar is asked of the likely ones first, as it is slow."""
        import numpy as np

        sampling = each.request.sampling
        token = drawn(row, sampling, each.chance)
        if each.grammar is None or self._allowed(each.grammar, np.array([token]))[0]:
            return token
        if sampling.temperature == 0.0 and len(row) > _LIKELY:
            likely = np.argpartition(-row, _LIKELY)[:_LIKELY]
            allowed = likely[self._allowed(each.grammar, likely)]
            if len(allowed):
                return int(allowed[row[allowed].argmax()])
        every = np.arange(len(row))
        masked = np.where(self._allowed(each.grammar, every), row, -np.inf)
        return drawn(masked, sampling, each.chance)

    def _allowed(self, grammar: int, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        import numpy as np

        data = np.zeros(len(tokens), [("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
        data["id"] = tokens
        pointer = data.ctypes.data_as(ctypes.POINTER(self._lib.llama_token_data))
        array = self._lib.llama_token_data_array(pointer, len(tokens), -1, False)
        self._lib.llama_sampler_apply(grammar, ctypes.byref(array))
        allowed: NDArray[np.bool_] = data["logit"] > -np.inf
        return allowed

    def _end(self, each: _Writing, finish: str) -> None:
        self._writing = [other for other in self._writing if other is not each]
        self._free(each.grammar)
        # The last token was chosen and not read.
        each.line.tokens = _array([*each.prompt, *each.written[:-1]])
        each.line.held = False
        if not self._sharing:
            self._drop(each.line)
        text = each.text.decode("utf-8", errors="replace")
        self._done.append((each.ticket, Written(text, finish)))

    def _grammar(self, schema: str) -> int:
        if schema not in self._grammars:
            text = gbnf(json.loads(schema)).encode()
            made = self._lib.llama_sampler_init_grammar(self._vocab, text, b"root")
            if not made:
                raise RuntimeError("llama.cpp refuses the grammar")
            self._grammars[schema] = made
        copy: int = self._lib.llama_sampler_clone(self._grammars[schema])
        return copy

    def _free(self, grammar: int | None) -> None:
        if grammar is not None:
            self._lib.llama_sampler_free(grammar)

    # The library

    def _put(self, at: int, token: int, position: int, seqs: list[int], wanted: bool) -> None:
        batch = self._batch
        batch.token[at], batch.pos[at], batch.logits[at] = token, position, wanted
        batch.n_seq_id[at] = len(seqs)
        for n, seq in enumerate(seqs):
            batch.seq_id[at][n] = seq

    def _decode(self, size: int) -> bool:
        """Runs a batch; False where the cache has no room even without idle lines."""
        self._batch.n_tokens = size
        while (code := self._lib.llama_decode(self._context, self._batch)) == _FULL:
            if not self._evict():
                return False
        if code:
            raise RuntimeError(f"llama.cpp fails with {code}")
        return True

    def _row(self, at: int) -> NDArray[np.float32]:
        import numpy as np

        pointer = self._lib.llama_get_logits_ith(self._context, at)
        return np.ctypeslib.as_array(pointer, shape=(self._size,))

    def _bytes(self, token: int) -> bytes:
        room = ctypes.create_string_buffer(256)
        size = self._lib.llama_token_to_piece(self._vocab, token, room, len(room), 0, False)
        return room.raw[:size]

    def _piece(self, token: int) -> str:
        if token < 0:
            return ""
        room = ctypes.create_string_buffer(256)
        size = self._lib.llama_token_to_piece(self._vocab, token, room, len(room), 0, True)
        return room.raw[:size].decode("utf-8", errors="replace")

    def _own_template(self) -> str | None:
        """The template in the file; never one that a library would take in its place."""
        text = self._lib.llama_model_chat_template(self._model, None)
        return text.decode() if text else None


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


@lru_cache(maxsize=1)
def _library() -> Any:
    """The C functions, silenced; loaded once a process."""
    try:
        from llama_cpp import llama_cpp as lib
    except ImportError:
        raise UserError("llama.cpp is not installed: pip install 'clhcode[llamacpp]'") from None

    @lib.llama_log_callback  # type: ignore[untyped-decorator]
    def silent(*_: object) -> None:
        pass

    lib.clh_silent = silent  # llama.cpp keeps the pointer, so the function must live.
    lib.llama_log_set(silent, ctypes.c_void_p(0))
    lib.llama_backend_init()
    return lib


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if magic != b"GGUF":
        raise UserError(f"{path}: not a GGUF file")


def _identity(path: Path) -> str:
    """A short hash of a file by its size, beginning and end: weights are too long to read whole."""
    import hashlib

    size, piece = path.stat().st_size, 1 << 20
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(piece))
        file.seek(max(0, size - piece))
        digest.update(file.read(piece))
    return digest.hexdigest()[:10]


def _array(tokens: Iterable[int]) -> Tokens:
    import numpy as np

    return np.fromiter(tokens, dtype=np.int32)


def _common(one: Tokens, other: Tokens) -> int:
    from clhcode.runtime.lines import common

    return common(one, other)


def _batch_size(wanted: list[bool]) -> int:
    rows = 0
    for at, each in enumerate(wanted[:_BATCH]):
        rows += each
        if rows > _ROWS:
            return at
    return min(len(wanted), _BATCH)


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
