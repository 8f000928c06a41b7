"""Which official files are at hand: those the user fetched and the one a package ships."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, cast

import orjson

from clhcode.errors import UserError
from clhcode.places import cache_home, data_home

_HEAD = 4096
_MARKS = (
    ("<ICD10CM.tabular", "tabular"),
    ("EXTERNAL CAUSE", "external"),
    ('<head col="1">Neoplasm', "neoplasm"),
    ('<head col="1">Substance', "drug"),
    ("<ICD10CM.index", "index"),
)
"""What the first lines of an official XML file hold, the most telling first."""
_ORDER = re.compile(r"\d{5} [A-Z]\d[0-9A-Z]{1,5} +[01] ")
_EXEMPT = re.compile(r"Order(?P<year>\d\d)\s+POA")
_YEAR = re.compile(r"(?:19|20)\d\d")
_FISCAL = re.compile(r"FY[ _-]?(?:20)?(?P<year>\d\d)(?!\d)", re.I)

BOOKS = ("index", "external", "neoplasm", "drug", "poa")
"""What is joined to a tabular: of its own year, or else of the newest there is."""
TABLES = ("external", "neoplasm", "drug")
KINDS = ("tabular", *BOOKS, "order", "guidelines")


@dataclass(frozen=True, slots=True)
class File:
    """An official file.

    Attributes:
        kind: One of `KINDS`: the Tabular List, the Alphabetic Index, the external-cause
            index, the neoplasm and drug tables, the codes exempt from POA, the order file,
            the PDF of the Official Guidelines.
        release: The fiscal year it names; empty where neither it nor its name says one.
    """

    path: Path
    kind: str
    release: str

    def open(self) -> IO[bytes]:
        """Its contents, unpacked."""
        return open_plain(self.path)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a classification is built of, and the guidelines beside it.

    Attributes:
        guidelines: For agents and people to read; no part of the classification, its key
            or its search.
    """

    tabular: File
    books: tuple[File, ...] = ()
    guidelines: File | None = None

    def of(self, kind: str) -> File | None:
        """The file of a kind in `BOOKS`, where there is one."""
        return next((file for file in self.books if file.kind == kind), None)

    def describe(self) -> str:
        """One line for people: which releases these are."""
        text = f"ICD-10-CM FY{self.tabular.release}"
        index = self.of("index")
        text += f" + index FY{index.release}" if index else ", no Alphabetic Index"
        tables = sorted({file.release for file in self.books if file.kind in TABLES})
        return text + (f" + tables FY{', FY'.join(tables)}" if tables else "")

    def files(self) -> tuple[File, ...]:
        """What is compiled."""
        return (self.tabular, *self.books)


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
    if head.lstrip("\ufeff").startswith("<?xml") or "<ICD10CM" in head:
        version = re.search(r"<version>\s*(\d{4})", head)
        kind = next((kind for mark, kind in _MARKS if mark in head), None)
        return File(path, kind, version[1] if version else "") if kind else None
    if exempt := _EXEMPT.match(head):
        return File(path, "poa", f"20{exempt['year']}")
    if _ORDER.match(head):
        year = _YEAR.search(path.name)
        return File(path, "order", year[0] if year else "")
    if head.startswith("%PDF-"):
        return _guidelines(path)
    return None


def _guidelines(path: Path) -> File | None:
    """A PDF as the Official Guidelines, by its name alone: to read it takes seconds."""
    name = path.name.lower()
    if "guidelines" not in name or "pcs" in name:
        return None
    if fiscal := _FISCAL.search(name):
        return File(path, "guidelines", f"20{fiscal['year']}")
    year = _YEAR.search(name)
    return File(path, "guidelines", year[0] if year else "")


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


def choose(given: list[File] | None = None, release: str | None = None) -> Sources:
    """The newest tabular at hand, with its own year's books or else the newest.

    Args:
        given: Files to choose from instead of the user's and the package's.
        release: The fiscal year to use instead of the newest.

    Raises:
        UserError: There is no tabular, or none of this release.
    """
    files = [*fetched(), packaged()] if given is None else given
    tabulars = [f for f in files if f.kind == "tabular"]
    if not tabulars:
        raise UserError("no Tabular List among the files")
    wanted = [f for f in tabulars if release in (None, f.release)]
    if not wanted:
        there = ", ".join(sorted({f.release for f in tabulars}))
        raise UserError(
            f"no Tabular List of FY{release} at hand (there are: {there});"
            f" `clh fetch icd10cm --release {release}` gets it"
        )
    tabular = max(wanted, key=lambda f: f.release)

    def fitting(kind: str) -> File | None:
        return max(
            (f for f in files if f.kind == kind),
            key=lambda f: (f.release == tabular.release, f.release),
            default=None,
        )

    books = tuple(book for book in map(fitting, BOOKS) if book)
    return Sources(tabular, books, fitting("guidelines"))


def digest(files: Iterable[File], salt: str) -> str:
    """A key of the files' contents. A file is hashed once and remembered by its stat."""
    memory = cache_home() / "hashes.json"
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = orjson.loads(memory.read_bytes())
    fresh, key = dict(known), hashlib.sha256(salt.encode())
    for file in files:
        stat = file.path.stat()
        name = f"{file.path}:{stat.st_size}:{stat.st_mtime_ns}"
        if name not in fresh:
            with file.open() as stream:
                fresh[name] = hashlib.sha256(stream.read()).hexdigest()
        key.update(f"{file.kind}:{file.release}:{fresh[name]}".encode())
    if fresh != known:
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            part = memory.with_suffix(f".{os.getpid()}")
            part.write_bytes(orjson.dumps(fresh))
            os.replace(part, memory)
    return key.hexdigest()[:16]
