"""What `make download-data` fetches."""

from __future__ import annotations

from collections.abc import Callable

from clhcode.download.login import HOW, find_login
from clhcode.download.sources import PHYSIONET, SOURCES


def fetchable(say: Callable[[str], None]) -> list[str]:
    """The data sets that can be fetched without asking anybody.

    Args:
        say: Told which are skipped, and why.
    """
    known = find_login(PHYSIONET) is not None
    skipped = [each.name for each in SOURCES.values() if each.credentialed and not known]
    if skipped:
        say(f"skipped, no credentials of PhysioNet ({HOW}): {', '.join(skipped)}")
    return [name for name in SOURCES if name not in skipped]
