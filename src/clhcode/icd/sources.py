"""Which official files are at hand: those the user fetched and the one a package ships."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, cast

import orjson

from clhcode.errors import UserError
from clhcode.places import cache_home, data_home

_HEAD = 4096
_TITLES = (
    ("EXTERNAL CAUSE", "external cause index"),
    ("NEOPLASM", "neoplasm table"),
    ("DRUG", "drug table"),
    ("INDEX TO DISEASES", "index"),
)
READ = ("tabular", "index")
"""The kinds of file that are read today."""


@dataclass(frozen=True, slots=True)
class File:
    """An official file.

    Attributes:
        kind: `tabular`, `index`, or a kind not read yet.
        release: The fiscal year it names.
    """

    path: Path
    kind: str
    release: str

    def open(self) -> IO[bytes]:
        """Its XML, unpacked."""
        return open_plain(self.path)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a classification is built of."""

    tabular: File
    index: File | None

    def describe(self) -> str:
        """One line for people: which releases these are."""
        text = f"ICD-10-CM FY{self.tabular.release}"
        if self.index is None:
            return f"{text}, no Alphabetic Index"
        return f"{text} + index FY{self.index.release}"

    def files(self) -> tuple[File, ...]:
        return (self.tabular,) if self.index is None else (self.tabular, self.index)


def open_plain(path: Path) -> IO[bytes]:
    """Opens a file that may be gzipped, told by its first bytes."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def identify(path: Path) -> File | None:
    """Tells what official file this is, by its first lines; `None` if it is not one.

    Raises:
        UserError: The file cannot be read or unpacked.
    """
    try:
        with open_plain(path) as stream:
            head = stream.read(_HEAD).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    version = re.search(r"<version>\s*(\d{4})", head)
    release = version[1] if version else ""
    if "<ICD10CM.tabular" in head:
        return File(path, "tabular", release)
    if "<ICD10CM.index" not in head:
        return None
    title = re.search(r"<title>([^<]*)", head)
    named = title[1].upper() if title else ""
    return File(path, next((kind for word, kind in _TITLES if word in named), "other"), release)


def home() -> Path:
    """Where `clh fetch icd10cm` puts official files: one folder a release."""
    return data_home() / "icd10cm"


def packaged() -> File:
    """The Tabular List inside the package `simple-icd-10-cm`, found without importing it."""
    spec = find_spec("simple_icd_10_cm")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else Path()
    for path in sorted(folder.glob("*tabular*.xml")):
        file = identify(path)
        if file and file.kind == "tabular":
            return file
    raise UserError("no Tabular List: `pip install simple-icd-10-cm` or `clh fetch icd10cm`")


def fetched() -> Iterator[File]:
    """The official files in the user's data folder, newest release first."""
    for folder in sorted(home().glob("[0-9]*"), reverse=True):
        for path in sorted(folder.iterdir()):
            file = None if path.name.startswith(".") else identify(path)
            if file:
                yield File(path, file.kind, folder.name)


def choose(given: list[File] | None = None) -> Sources:
    """The newest tabular at hand, with its own year's index or else the newest index.

    Args:
        given: Files to choose from instead of the user's and the package's.
    """
    files = [*fetched(), packaged()] if given is None else given
    tabulars = [f for f in files if f.kind == "tabular"]
    if not tabulars:
        raise UserError("no Tabular List among the files")
    tabular = max(tabulars, key=lambda f: f.release)
    indexes = [f for f in files if f.kind == "index"]
    index = max(indexes, key=lambda f: (f.release == tabular.release, f.release), default=None)
    return Sources(tabular, index)


def install(folder: Path, release: str | None) -> tuple[list[File], list[File]]:
    """Copies the official files of a folder into the user's data folder.

    Args:
        folder: Searched with everything below it.
        release: Only this year; a file that names no year is taken as of this one.

    Returns:
        The files installed, and the official files passed over: of another year, or of
        a kind not read yet.

    Raises:
        UserError: The folder is not there, or holds nothing to install.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder (give the one with the official files)")
    taken, passed = [], []
    paths = sorted(p for p in folder.rglob("*.xml*") if p.is_file())
    for file in (f for p in paths if (f := identify(p))):
        year = file.release or release or ""
        if file.kind not in READ or not year or (release and year != release):
            passed.append(file)
            continue
        target = home() / year / f"icd10cm-{file.kind}.xml"
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        with file.open() as stream, part.open("wb") as out:
            try:
                shutil.copyfileobj(stream, out)
            except (OSError, EOFError) as error:
                part.unlink(missing_ok=True)
                raise UserError(f"{file.path}: broken off or damaged ({error})") from error
        os.replace(part, target)
        taken.append(File(target, file.kind, year))
    if not taken:
        of = f" of {release}" if release else ""
        raise UserError(f"{folder}: holds no tabular or index XML{of} (plain or .gz)")
    return taken, passed


def digest(sources: Sources, salt: str) -> str:
    """A key of the sources' contents. A file is hashed once and remembered by its stat."""
    memory = cache_home() / "hashes.json"
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = orjson.loads(memory.read_bytes())
    fresh, key = dict(known), hashlib.sha256(salt.encode())
    for file in sources.files():
        stat = file.path.stat()
        name = f"{file.path}:{stat.st_size}:{stat.st_mtime_ns}"
        if name not in fresh:
            with file.open() as stream:
                fresh[name] = hashlib.sha256(stream.read()).hexdigest()
        key.update(f"{file.kind}:{file.release}:{fresh[name]}".encode())
    if fresh != known:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}")
        part.write_bytes(orjson.dumps(fresh))
        os.replace(part, memory)
    return key.hexdigest()[:16]
