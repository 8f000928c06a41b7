"""A GGUF file in llama.cpp's C library: its tokens, its cache, a batch, logits and grammars.

What is asked of it and when is `llamacpp`'s business.
"""

from __future__ import annotations

import ctypes
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.runtime.grammar import gbnf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEQUENCES = 64
"""Sequences that a cache tells apart."""
BATCH = 512
"""Tokens read at a time."""
_SMALL = 20_000_000
"""Parameters below which threads wait for each other longer than they work."""
_FULL = 1
"""What llama.cpp answers when its cache has no room."""


class Llama:
    """A model in the C library.

    Attributes:
        trained: Tokens of context it was made for.
        template: The chat template in the file, if any.
        specials: How it writes the beginning and the end of a text.
        sharing: Whether sequences can share tokens; recurrent models cannot.
    """

    def __init__(self, path: Path) -> None:
        """Loads a file.

        Args:
            path: A GGUF file; the first of several that belong together.

        Raises:
            UserError: llama-cpp-python is missing, or the file cannot be loaded.
        """
        self._lib = lib = silenced()
        _check(path)
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 999 if lib.llama_supports_gpu_offload() else 0
        self._model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise UserError(f"{path}: llama.cpp cannot load it: broken, too new, or no memory left")
        self.trained = int(lib.llama_model_n_ctx_train(self._model))
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._size = int(lib.llama_vocab_n_tokens(self._vocab))
        self.sharing = not (
            lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model)
        )
        # llama.cpp reuses a cell that its one owner looks back at no more, though whoever comes to
        # share the owner's beginning would: a second owner, who never asks, keeps it.
        windowed = lib.llama_model_n_swa(self._model) > 0
        self._shadow = SEQUENCES if windowed else 0
        self.template = self._own_template()
        self.specials = (
            self._piece(lib.llama_vocab_bos(self._vocab)),
            self._piece(lib.llama_vocab_eos(self._vocab)),
        )
        self._grammars: dict[str, int] = {}
        self._context: Any = None

    def close(self) -> None:
        """Frees everything."""
        if self._model is None:
            return
        for grammar in self._grammars.values():
            self._lib.llama_sampler_free(grammar)
        if self._context is not None:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)
        self._context = self._model = None

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

    def open(self, cells: int) -> None:
        """Makes the cache.

        Args:
            cells: Tokens it has room for.

        Raises:
            UserError: There is no memory for it.
        """
        lib = self._lib
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, BATCH, BATCH
        params.n_seq_max = SEQUENCES + self._shadow
        params.kv_unified, params.swa_full = True, True
        params.n_threads = params.n_threads_batch = self._threads()
        params.no_perf = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            raise UserError(
                f"llama.cpp has no memory for a cache of {cells} tokens: --context less"
            )
        self._context = context
        self._memory = lib.llama_get_memory(context)
        self._batch = lib.llama_batch_init(BATCH, 0, params.n_seq_max)

    def _threads(self) -> int:
        """Threads: all there are, or `OMP_NUM_THREADS`; one for what is done before they meet."""
        if self._lib.llama_model_n_params(self._model) < _SMALL:
            return 1
        return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))

    def put(self, at: int, token: int, position: int, seqs: list[int], wanted: bool) -> None:
        """Puts a token of some sequences into the next batch; `wanted` asks for what follows."""
        batch = self._batch
        batch.token[at], batch.pos[at], batch.logits[at] = token, position, wanted
        owners = [owner for seq in seqs for owner in self._owners(seq)]
        batch.n_seq_id[at] = len(owners)
        for n, owner in enumerate(owners):
            batch.seq_id[at][n] = owner

    def _owners(self, seq: int) -> tuple[int, ...]:
        """Who owns the tokens of a sequence: itself first, and its shadow."""
        return (seq, seq + self._shadow) if self._shadow else (seq,)

    def run(self, size: int) -> bool:
        """Reads the first tokens of the batch; False where the cache has no room for them."""
        self._batch.n_tokens = size
        code = self._lib.llama_decode(self._context, self._batch)
        if code not in (0, _FULL):
            raise RuntimeError(f"llama.cpp fails with {code}")
        return bool(code == 0)

    def copy(self, source: int, target: int, count: int) -> None:
        """Gives a sequence the first tokens of another; they are held once."""
        for one, other in zip(self._owners(source), self._owners(target), strict=True):
            self._lib.llama_memory_seq_cp(self._memory, one, other, 0, count)

    def forget(self, seq: int, begin: int = -1) -> bool:
        """Drops a sequence, or what of it stands from `begin`; False where that cannot be."""
        done = [
            bool(self._lib.llama_memory_seq_rm(self._memory, owner, begin, -1))
            for owner in self._owners(seq)
        ]
        return all(done)

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def accept(self, grammar: int, token: int) -> None:
        """Tells a grammar which token was written."""
        self._lib.llama_sampler_accept(grammar, token)

    def allowed(self, grammar: int, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which tokens a grammar lets come next."""
        import numpy as np

        data = np.zeros(len(tokens), [("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
        data["id"] = tokens
        pointer = data.ctypes.data_as(ctypes.POINTER(self._lib.llama_token_data))
        array = self._lib.llama_token_data_array(pointer, len(tokens), -1, False)
        self._lib.llama_sampler_apply(grammar, ctypes.byref(array))
        allowed: NDArray[np.bool_] = data["logit"] > -np.inf
        return allowed

    def grammar(self, schema: str) -> int:
        """A fresh grammar of a schema; `free` it in the end."""
        if schema not in self._grammars:
            text = gbnf(json.loads(schema)).encode()
            made = self._lib.llama_sampler_init_grammar(self._vocab, text, b"root")
            if not made:
                raise RuntimeError("llama.cpp refuses the grammar")
            self._grammars[schema] = made
        copy: int = self._lib.llama_sampler_clone(self._grammars[schema])
        return copy

    def free(self, grammar: int | None) -> None:
        """Frees a grammar."""
        if grammar is not None:
            self._lib.llama_sampler_free(grammar)

    def row(self, at: int) -> NDArray[np.float32]:
        """The logits after a token of the batch; valid until the next."""
        import numpy as np

        pointer = self._lib.llama_get_logits_ith(self._context, at)
        return np.ctypeslib.as_array(pointer, shape=(self._size,))

    def bytes_of(self, token: int) -> bytes:
        """What a token writes."""
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


@lru_cache(maxsize=1)
def silenced() -> Any:
    """The C functions, silenced; loaded once a process.

    Raises:
        UserError: llama-cpp-python is missing.
    """
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
