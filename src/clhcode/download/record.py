"""What in a raw folder is known to be whole, so that it is neither asked for nor read again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from clhcode.errors import UserError

NAME = ".fetched.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when it was found right.

    Attributes:
        sum: Its SHA-256.
        size: In bytes.
        changed: When it was last changed, in nanoseconds.
    """

    sum: str
    size: int
    changed: int


@dataclass(slots=True)
class Record:
    """The files of a set that are whole.

    Attributes:
        release: Of the set.
        source: Where they came from.
        wanted: Paths that make the set whole, where that is known.
        all: Whether these are all that the set has.
        files: By path.
    """

    release: str = ""
    source: str = ""
    wanted: list[str] = field(default_factory=list)
    all: bool = False
    files: dict[str, Entry] = field(default_factory=dict)

    def has(self, folder: Path, path: str, sum_: str | None = None) -> bool:
        """Whether a file is still the one that was found right, with this SHA-256 if given."""
        entry = self.files.get(path)
        if entry is None or (sum_ is not None and entry.sum != sum_):
            return False
        try:
            stat = (folder / path).stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (entry.size, entry.changed)

    def whole(self, folder: Path, *, all_: bool) -> bool:
        """Whether all that makes the set whole is there as it was found right."""
        enough = bool(self.wanted) and (self.all or not all_)
        return enough and all(self.has(folder, path) for path in self.wanted)

    def add(self, folder: Path, path: str, sum_: str) -> None:
        """Remembers a file that was found right."""
        stat = (folder / path).stat()
        self.files[path] = Entry(sum_, stat.st_size, stat.st_mtime_ns)


def read_record(folder: Path) -> Record:
    """The record of a raw folder; an empty one where there is none, or it is damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        said = json.loads((folder / NAME).read_bytes())
        files = {path: Entry(**entry) for path, entry in said["files"].items()}
        wanted = list(said["wanted"])
        return Record(said["release"], said["source"], wanted, bool(said["all"]), files)
    return Record()


def write_record(folder: Path, record: Record) -> None:
    """Writes it; it is there as a whole or not at all."""
    files = {
        path: {"sum": e.sum, "size": e.size, "changed": e.changed}
        for path, e in sorted(record.files.items())
    }
    said = {
        "release": record.release,
        "source": record.source,
        "wanted": record.wanted,
        "all": record.all,
        "files": files,
    }
    part = folder / f"{NAME}.part"
    part.write_text(json.dumps(said, indent=1), "utf-8")
    os.replace(part, folder / NAME)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps a second run out of a folder for as long as this one lives.

    Raises:
        UserError: Another one is at work there.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    # The folder is its own lock, so that none is left behind.
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise UserError(f"{folder}: another `clh fetch` is at work there") from None
    except OSError:
        # A network's file system may know no locks; what two have written has a wrong sum.
        pass
    try:
        yield
    finally:
        os.close(lock)
        with suppress(OSError):
            # Where nothing has come, nothing is to look like a data set.
            folder.rmdir()
            folder.parent.rmdir()
