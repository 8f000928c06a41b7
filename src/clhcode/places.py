"""Where a user's files live, after the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """The folder of what the user fetched; kept until the user removes it."""
    return _base("XDG_DATA_HOME", ".local/share") / "clh"


def cache_home() -> Path:
    """The folder of what can be built again at any time."""
    return _base("XDG_CACHE_HOME", ".cache") / "clh"


def _base(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification says that a relative path there is to be ignored.
    return Path(given) if given.startswith("/") else Path.home() / default
