"""Gets the official files from CDC/NCHS and CMS: resumed where broken off, checked, told.

The addresses change their form from year to year. Each is tried in turn, and where none
answers the message names the page that lists them.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from clhcode.errors import UserError

CDC = "https://ftp.cdc.gov/pub/Health_Statistics/NCHS/Publications/ICD10CM"
CMS = "https://www.cms.gov/files/zip"
PAPERS = "https://www.cms.gov/files/document"
PAGE = "https://www.cms.gov/medicare/coding-billing/icd-10-codes"
"""Where a person finds the files when the addresses below have changed."""

FILES = {
    "tables": (
        "{cdc}/{year}/icd10cm-Table and Index-{year}.zip",
        "{cdc}/{year}/icd10cm-table-index-{year}.zip",
        "{cdc}/{year}-Update/icd10cm-table-index-April-{year}.zip",
        "{cms}/{year}-code-tables-tabular-and-index.zip",
    ),
    "order": (
        "{cdc}/{year}/icd10cm-Code Descriptions-{year}.zip",
        "{cms}/{year}-code-descriptions-tabular-order.zip",
    ),
    "guidelines": ("{papers}/fy-{year}-icd-10-cm-coding-guidelines.pdf",),
}
"""What is fetched, and where it may be."""

BLOCK = 1 << 16
TIMEOUT = 60.0
"""Seconds without a byte after which an address is given up."""

Progress = Callable[[str, int, int | None], None]
"""Told the name, the bytes so far and the bytes in all, where the server says them."""


def addresses(what: str, year: str, mirror: str | None = None) -> list[str]:
    """The addresses of one of `FILES` for a year; all below `mirror` where one is given."""
    roots = {"cdc": mirror or CDC, "cms": mirror or CMS, "papers": mirror or PAPERS}
    found = [form.format(year=year, **roots) for form in FILES[what]]
    return [quote(address, safe=":/") for address in found]


def download(
    year: str,
    folder: Path,
    tell: Progress,
    mirror: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Fetches the files of a year into a folder, going on where an earlier try broke off.

    Args:
        year: The fiscal year.
        folder: Where they go, and where an earlier try has left its part.
        tell: Told how far it is.
        mirror: A server to ask in place of the official ones.
        say: Told that the guidelines were not found, which is no failure.

    Raises:
        UserError: No address has the tables of that year.
    """
    folder.mkdir(parents=True, exist_ok=True)
    got: list[Path] = []
    troubles: list[str] = []
    for what in FILES:
        for address in addresses(what, year, mirror):
            target = folder / f"{what}-{year}{Path(address).suffix}"
            try:
                _fetch(address, target, tell)
            except (HTTPError, URLError, HTTPException, OSError, zipfile.BadZipFile) as error:
                troubles.append(f"{address}: {_why(error)}")
                if what == "guidelines":
                    say(
                        f"no guidelines of FY{year} ({troubles[-1]});"
                        f" `--from` takes their PDF, see {PAGE}"
                    )
                continue
            got.append(target)
            break
    if not any(path.name.startswith("tables") for path in got):
        tried = "; ".join(troubles)
        raise UserError(
            f"the files of FY{year} could not be fetched ({tried});"
            f" get them from {PAGE} and use `--from`"
        )
    return got


def _fetch(address: str, target: Path, tell: Progress) -> None:
    """One file, by a partial one that a later try goes on with, and tested for its kind."""
    if target.exists():
        return
    part = target.with_suffix(".part")
    have = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        answer = urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except HTTPError as error:
        # Nothing is left to send: the partial file may be whole.
        if error.code != 416:
            raise
    else:
        with answer:
            resumed = answer.status == 206
            length = answer.headers.get("Content-Length")
            size = int(length) + (have if resumed else 0) if length else None
            with part.open("ab" if resumed else "wb") as out:
                done = out.tell()
                while block := answer.read(BLOCK):
                    out.write(block)
                    done += len(block)
                    tell(target.name, done, size)
            if size is not None and done < size:
                raise HTTPException(f"broken off at {done} of {size} bytes")
    try:
        _tested(part, target.suffix)
    except (zipfile.BadZipFile, HTTPException):
        # What is of another kind will not become right by going on.
        part.unlink(missing_ok=True)
        raise
    os.replace(part, target)


def _tested(part: Path, suffix: str) -> None:
    """Raises where a file is not of the kind asked for; a zip is read to its end."""
    if suffix == ".pdf":
        with part.open("rb") as stream:
            if not stream.read(8).startswith(b"%PDF-"):
                raise HTTPException("not a PDF")
        return
    with zipfile.ZipFile(part) as archive:
        if broken := archive.testzip():
            raise zipfile.BadZipFile(f"{broken} is damaged")


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    return str(error) or type(error).__name__
