"""Texts to vectors: a sentence-transformers model of one's own, or a server's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clhcode.errors import EngineGoneError, UserError
from clhcode.remote import Server, is_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_WEIGHTS = (".safetensors", ".bin", ".json", ".txt", ".model")
"""What decides on a model's vectors: weights, configuration, vocabulary."""
_BATCH = 32
"""Texts of one question to a server; some take no more."""
_LONGEST = 1_000
"""Characters of a text that are sent; servers refuse what their model cannot read whole."""


class Embedder(Protocol):
    """Whatever makes vectors. Texts that mean the same have a high cosine.

    Attributes:
        name: For people.
        identity: Equal for embedders that make equal vectors.
    """

    name: str
    identity: str

    def passages(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 for each entry of the classification."""
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 for each phrase of a note."""
        ...


def open_embedder(given: str) -> Embedder:
    """The embedder that `--embedder` names.

    Args:
        given: A folder, a name on the Hugging Face hub, or the URL of a server of the OpenAI
            API; `URL#MODEL` where the server has several.

    Raises:
        UserError: It cannot be had; the message says why.
    """
    return Served(given) if is_url(given) else Local(given)


class Local:
    """A sentence-transformers model."""

    def __init__(self, given: str) -> None:
        folder = Path(given).expanduser()
        here = folder.is_dir()
        if not here and (given.startswith((".", "/", "~")) or given.count("/") > 1):
            raise UserError(f"--embedder {given}: no such folder")
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise UserError(
                f"--embedder {given}: needs sentence-transformers: pip install 'clhcode[dense]'"
            ) from None
        self.name = folder.resolve().name if here else given
        self.identity = f"{self.name} {_digest(folder)}" if here else given
        # Its bar would stand among the lines of a run.
        logging.disable_progress_bar()
        try:
            self._model: Any = SentenceTransformer(str(folder) if here else given)
        except Exception as error:
            # Libraries below raise whatever they like: no file, no network, no such model.
            why = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise UserError(f"--embedder {given}: cannot be loaded ({why})") from None

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self._encoded(self._model.encode_document, texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._encoded(self._model.encode_query, texts)

    def _encoded(self, encode: Any, texts: Sequence[str]) -> Vectors:
        return unit(encode(list(texts), show_progress_bar=False, convert_to_numpy=True))


class Served:
    """A model behind `/embeddings`."""

    def __init__(self, given: str) -> None:
        url, _, model = given.partition("#")
        self._server = Server(url)
        self.identity = self.name = model or next(iter(self._server.models()))

    def passages(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        batches = (texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH))
        return np.concatenate([self._embedded(batch) for batch in batches])

    queries = passages

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        body = {"model": self.name, "input": [t[:_LONGEST] for t in texts]}
        answer = self._server.post("/embeddings", body)
        try:
            by_place = {int(one["index"]): one["embedding"] for one in answer["data"]}
            rows = np.array([by_place[n] for n in range(len(texts))], np.float32)
            if not np.isfinite(rows.reshape(len(texts), -1)).all():
                raise ValueError
            return unit(rows)
        except (KeyError, TypeError, ValueError):
            raise EngineGoneError(
                f"{self._server.url}: /embeddings gives no vector for each text"
            ) from None


def unit(rows: Any) -> Vectors:
    """Rows of length 1; a row of zeros stays one."""
    import numpy as np

    found: Vectors = np.array(rows, np.float32)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    length[length == 0] = 1
    found /= length
    return found


def _digest(folder: Path) -> str:
    """A hash of a model's files, by content: a model that is trained on keeps names and sizes."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix in _WEIGHTS and path.is_file() and not hidden:
            with path.open("rb") as stream:
                whole.update(f"{inside}\0".encode())
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()[:10]
