"""Files at hand: found in a folder or a zip, copied, checked where their sums are known."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clhcode.download.sums import is_inside
from clhcode.download.trouble import FULL, DownloadError
from clhcode.errors import UserError

DEPTH = 6
"""How far below a folder files are looked for, as `clh prepare` does."""
_BLOCK = 1 << 20


def listed(folder: Path) -> list[str]:
    """The files of a folder, `/` between folders; hidden ones are left out.

    Raises:
        UserError: It cannot be read.
    """

    def complain(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from None

    found: list[str] = []
    for at, folders, files in os.walk(folder, onerror=complain, followlinks=True):
        inner = Path(at).relative_to(folder)
        deep = len(inner.parts) >= DEPTH
        folders[:] = [] if deep else sorted(f for f in folders if not f.startswith("."))
        for name in files:
            ours = name.startswith(".") or name.endswith((".part", ".part.etag"))
            if not ours and (Path(at) / name).is_file():
                found.append((inner / name).as_posix())
    return sorted(found)


def members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by name; those that point outside and those of macOS are left out."""
    return {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir()
        and is_inside(info.filename)
        and not any(p.startswith((".", "__MACOSX")) for p in info.filename.split("/"))
    }


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip to read.

    Raises:
        DownloadError: It is none, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError("damaged", f"not a zip, or damaged ({error})", url=str(path)) from None


def check_zip(path: Path) -> None:
    """Reads a zip to its end.

    Raises:
        DownloadError: It is none, or is damaged.
    """
    with opened(path) as archive:
        if broken := archive.testzip():
            raise DownloadError("damaged", f"{broken} in it is damaged", url=str(path))


def copied(stream: IO[bytes], target: Path, sum_: str | None, where: str) -> str:
    """Writes a stream to a file, which has its name once it is whole and right.

    Returns:
        Its SHA-256.

    Raises:
        DownloadError: It is not the file of this sum, or the disk is full.
    """
    part, found = target.with_name(f"{target.name}.part"), hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as out:
            while block := stream.read(_BLOCK):
                found.update(block)
                out.write(block)
        if sum_ and found.hexdigest() != sum_:
            raise DownloadError("damaged", "its SHA-256 is not the published one", url=where)
        # Not synced one by one: a set may have thousands, and `sync` is for all of them.
        os.replace(part, target)
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError("full", error.strerror or "", url=str(target)) from None
        raise
    finally:
        part.unlink(missing_ok=True)
    return found.hexdigest()


def same(one: Path, other: Path) -> bool:
    """Whether two paths are one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def check_room(folder: Path, needed: int) -> None:
    """Refuses to begin what the disk cannot hold.

    Raises:
        UserError: How much is lacking.
    """
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"{folder}: {amount(needed)} are to come and {amount(free)} are free:"
            f" {amount(needed - free)} are lacking"
        )


def amount(size: float) -> str:
    """Bytes for people, in powers of a thousand."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
