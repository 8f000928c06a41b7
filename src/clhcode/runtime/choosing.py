"""The next token of a distribution, as the usual knobs of sampling have it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from clhcode.runtime.sampling import Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def generator(sampling: Sampling, text: str) -> np.random.Generator:
    """A source of chance of one answer's own: what else is asked changes nothing."""
    import numpy as np

    digest = hashlib.sha256(f"{sampling.seed}\0{text}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def drawn(logits: NDArray[np.float32], sampling: Sampling, chance: np.random.Generator) -> int:
    """The place of the token taken among `logits`; those at minus infinity are never taken.

    Temperature comes first, then top-k, top-p and min-p, as vLLM and transformers have it.
    """
    import numpy as np

    if sampling.temperature == 0.0:
        return int(logits.argmax())
    scaled = logits.astype(np.float64) / sampling.temperature
    order = np.argsort(-scaled, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    shares = np.exp(scaled[order] - scaled[order[0]])
    shares /= shares.sum()
    kept = shares > 0
    if sampling.top_p < 1.0:
        kept &= shares.cumsum() - shares < sampling.top_p
    if sampling.min_p > 0.0:
        kept &= shares >= sampling.min_p * shares[0]
    shares = np.where(kept, shares, 0.0)
    return int(order[chance.choice(len(order), p=shares / shares.sum())])
