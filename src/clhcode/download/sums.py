"""SHA256SUMS.txt: which files a set has, and what is in them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from clhcode.download.trouble import DownloadError

NAME = "SHA256SUMS.txt"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")
"""PhysioNet writes one blank, `sha256sum` another or a star."""
_BLOCK = 1 << 20


def read_sums(data: bytes, where: str) -> dict[str, str]:
    """Path -> SHA-256 in hexadecimal, of each line.

    Args:
        data: The file.
        where: Its address, for the message.

    Raises:
        DownloadError: A line is of another form, or names a place outside the set.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None or not is_inside(match[2]):
            raise DownloadError("page", f"line {number} is no line of {NAME}", url=where)
        found[match[2].removeprefix("./")] = match[1].lower()
    if not found:
        raise DownloadError("page", f"{NAME} is empty", url=where)
    return found


def is_inside(path: str) -> bool:
    """Whether a path stays below the folder that it is taken in."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and path.isprintable()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        found = hashlib.sha256()
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
