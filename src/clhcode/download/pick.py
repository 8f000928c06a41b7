"""Which files of a set are wanted, and where in a tree or a zip the set lies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from clhcode.download.sources import Source

ANYWHERE = "**/"


@dataclass(frozen=True, slots=True)
class Found:
    """Files of a set.

    Attributes:
        top: The folder that is the top of the set; empty where all of it is.
        paths: The wanted ones, as given.
        lacking: Patterns of needed files that nothing fits.
    """

    top: str
    paths: tuple[str, ...]
    lacking: tuple[str, ...]


def fits(path: str, pattern: str) -> bool:
    """Whether a path below the top of a set fits a pattern, in any case.

    `*` stays within a name; `**/` in front allows folders before it. A file that is published as
    `.gz` may lie there unpacked.
    """
    lowered, wanted = PurePosixPath(path.lower()), pattern.lower()
    if wanted.startswith(ANYWHERE):
        wanted = wanted.removeprefix(ANYWHERE)
    elif len(lowered.parts) != wanted.count("/") + 1:
        return False
    return lowered.match(wanted) or lowered.match(wanted.removesuffix(".gz"))


def find(paths: Collection[str], source: Source, *, whole: bool = False) -> Found:
    """The wanted files among paths: those nearest to the top that make a set.

    Args:
        paths: With `/` between folders, none in front.
        source: Whose patterns count.
        whole: Take all that lies at or below the top of the set.
    """
    best = Found("", (), source.files)
    for top in _tops(paths, source.files):
        lying = {path: path[len(top) :] for path in paths if path.startswith(top)}
        lacking = tuple(p for p in source.files if not any(fits(b, p) for b in lying.values()))
        if len(lacking) < len(best.lacking):
            wanted = (*source.files, *source.also)
            kept = (p for p, b in lying.items() if whole or any(fits(b, w) for w in wanted))
            best = Found(top, tuple(sorted(kept)), lacking)
        if not best.lacking:
            break
    return best


def placed(found: Found, source: Source) -> dict[str, str]:
    """Where each found file goes: its place below the top, or below the folders all share."""
    top = found.top
    if all(pattern.startswith(ANYWHERE) for pattern in source.files):
        needed = [p for p in found.paths if any(fits(p, w) for w in source.files)]
        top = _shared(needed)
    return {
        path: path.removeprefix(top if path.startswith(top) else found.top) for path in found.paths
    }


def _tops(paths: Iterable[str], patterns: Iterable[str]) -> Sequence[str]:
    """Folders that may be the top, with a slash at their end: those nearest to the root first."""
    tops = {""}
    anchored = [p.lower() for p in patterns if not p.startswith(ANYWHERE)]
    for path in paths:
        lowered, parts = PurePosixPath(path.lower()), PurePosixPath(path).parts
        for pattern in anchored:
            if lowered.match(pattern) or lowered.match(pattern.removesuffix(".gz")):
                above = parts[: -(pattern.count("/") + 1)]
                tops.add("".join(f"{part}/" for part in above))
    return sorted(tops, key=lambda top: (top.count("/"), top))


def _shared(paths: Sequence[str]) -> str:
    """The folder that all paths share, with a slash at its end; empty where there is none."""
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    shared = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(f"{part}/" for part in shared)
