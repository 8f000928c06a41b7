"""What may go wrong on the way of a file, told apart so that each is told in its own words."""

from __future__ import annotations

import errno
from typing import Literal
from urllib.parse import quote, urlsplit

Kind = Literal["refused", "nowhere", "unreachable", "broken", "damaged", "page", "full", "stopped"]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How a system says that a file can grow no further."""


class DownloadError(Exception):
    """A file did not come.

    Attributes:
        kind: refused (an HTTP status), nowhere (no such server), unreachable (for now), broken
            (off), damaged (removed again), page (a web page in place of the file), full (disk),
            stopped.
        url: Where it was asked for; holds no credentials.
        status: Of HTTP, where refused.
    """

    def __init__(self, kind: Kind, said: str, *, url: str = "", status: int = 0) -> None:
        super().__init__(said)
        self.kind: Kind = kind
        self.url, self.status = url, status


def shown(url: str) -> str:
    """An address for people: without user, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path


def below(root: str, path: str) -> str:
    """The address of a file below a root."""
    return f"{root.rstrip('/')}/{quote(path)}"
