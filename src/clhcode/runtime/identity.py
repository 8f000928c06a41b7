"""The name by which provenance and kept answers know a model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_SAMPLE = 1 << 14
_SAMPLES = 256
"""Bytes of a sample, and samples of a file: weights are too long to read whole at each start."""


def identity(model: str | Path) -> str:
    """The name of a model; of a file or folder, with a short hash of what it holds.

    Args:
        model: A GGUF file, a folder of Hugging Face's layout, or a name that a hub knows.

    Raises:
        OSError: A file cannot be read.
    """
    path = Path(model)
    if not path.exists():
        return str(model)
    digest = hashlib.sha256()
    if path.is_file():
        _sample(path, digest)
    else:
        for file in sorted(path.iterdir()):
            if file.is_file():
                digest.update(f"{file.name}\0".encode())
                _sample(file, digest)
    return f"{path.name}@{digest.hexdigest()[:10]}"


def _sample(path: Path, digest: _Hash) -> None:
    """Takes in a file's size and pieces all over it: training leaves size and ends as they were."""
    size = path.stat().st_size
    digest.update(f"{size}\0".encode())
    with path.open("rb") as file:
        for begin in range(0, size, max(size // _SAMPLES, _SAMPLE)):
            file.seek(begin)
            digest.update(file.read(_SAMPLE))
