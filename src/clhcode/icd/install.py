"""Puts official files into the user's data folder, from a folder, a zip or one file."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from clhcode.errors import UserError
from clhcode.icd.sources import File, home, identify

_SUFFIXES = (".xml", ".txt", ".gz", ".zip", ".pdf")
_STORED = {"order": ".txt", "poa": ".txt", "guidelines": ".pdf"}


def install(
    source: Path, release: str | None, say: Callable[[str], None] = lambda _: None
) -> tuple[list[File], list[File]]:
    """Copies the official files of a folder, zip or file into the user's data folder.

    Args:
        source: A folder is searched with everything below it, zips in it too.
        release: Only this year; a file that names no year is taken as of this one.
        say: Told of guidelines that cannot be read, where other files were installed.

    Returns:
        The files installed, and the official files passed over: of another year, or of
        one that neither they nor `release` name.

    Raises:
        UserError: There is nothing at `source`, or nothing to install.
    """
    if not source.exists():
        raise UserError(f"{source}: not there (give the folder or zip with the official files)")
    taken: list[File] = []
    passed: list[File] = []
    unread: list[UserError] = []
    with tempfile.TemporaryDirectory() as scratch:
        for found in _official(source, Path(scratch)):
            try:
                file = _guidelines(found) if found.kind == "guidelines" else found
            except UserError as error:
                unread.append(error)
                continue
            if file is None:
                continue
            year = file.release or release or ""
            if not year or (release and year != release):
                passed.append(file)
                continue
            taken.append(_copied(file, year))
    if unread and not taken:
        raise unread[0]
    for trouble in unread:
        say(str(trouble))
    if not taken:
        of = f" of {release}" if release else ""
        raise UserError(f"{source}: holds no official ICD-10-CM file{of} (plain, .gz or .zip)")
    return taken, passed


def _official(source: Path, scratch: Path) -> Iterator[File]:
    paths = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    for path in paths:
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        if path.suffix.lower() != ".zip":
            if file := identify(path):
                yield file
            continue
        with _unpacked(path, scratch) as folder:
            yield from _official(folder, scratch)


def _guidelines(file: File) -> File | None:
    """The PDF with the year it names, if it holds what its name promises."""
    from clhcode.icd.guidelines_pdf import read_guidelines

    year, sections = read_guidelines(file)
    return replace(file, release=file.release or year) if sections else None


@contextmanager
def _unpacked(path: Path, scratch: Path) -> Iterator[Path]:
    """The members of a zip that may be official files, in a folder that goes away again."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        with zipfile.ZipFile(path) as archive:
            for number, member in enumerate(archive.infolist()):
                name = Path(member.filename).name
                if member.is_dir() or Path(name).suffix.lower() not in _SUFFIXES:
                    continue
                with (
                    archive.open(member) as packed,
                    (folder / f"{number}-{name}").open("wb") as out,
                ):
                    shutil.copyfileobj(packed, out)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"{path}: not a readable zip ({error})") from error
    yield folder
    shutil.rmtree(folder)


def _copied(file: File, year: str) -> File:
    suffix = _STORED.get(file.kind, ".xml")
    target = home() / year / f"icd10cm-{file.kind}{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    try:
        with file.open() as stream, part.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except (OSError, EOFError) as error:
        part.unlink(missing_ok=True)
        raise UserError(f"{file.path}: broken off or damaged ({error})") from error
    os.replace(part, target)
    return File(target, file.kind, year)
