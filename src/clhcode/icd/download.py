"""Gets the official files from CDC/NCHS and CMS: resumed where broken off, checked, told.

The addresses change their form from year to year. Each is tried in turn, and where none
answers the message names the page that lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from clhcode.download.file import Download, Patience, Tell, get
from clhcode.download.local import check_zip
from clhcode.download.sources import ICD_CDC, ICD_CMS, ICD_FILES, ICD_PAGE, ICD_PAPERS
from clhcode.download.trouble import DownloadError, shown
from clhcode.download.web import Web
from clhcode.errors import StoppedError, UserError

PATIENCE = Patience(tries=1)
"""Most files have a second address, and a rerun goes on where this one ended."""


def addresses(what: str, year: str, mirror: str | None = None) -> list[str]:
    """The addresses of one of `ICD_FILES` for a year; all below `mirror` where one is given."""
    roots = {
        "cdc": mirror or ICD_CDC,
        "cms": mirror or ICD_CMS,
        "papers": mirror or ICD_PAPERS,
    }
    found = [form.format(year=year, **roots) for form in ICD_FILES[what]]
    return [quote(address, safe=":/") for address in found]


def download(
    web: Web,
    year: str,
    folder: Path,
    *,
    tell: Tell = lambda *_: None,
    mirror: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    patience: Patience = PATIENCE,
) -> list[Path]:
    """Fetches the files of a year into a folder, going on where an earlier try broke off.

    Args:
        web: The servers.
        year: The fiscal year.
        folder: Where they go, and where an earlier try has left its part.
        tell: Told how far it is.
        mirror: A server to ask in place of the official ones.
        say: Told that the guidelines were not found, which is no failure.
        patience: With a server that breaks off.

    Raises:
        UserError: No address has the tables of that year, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    got: list[Path] = []
    troubles: list[str] = []
    for what in ICD_FILES:
        for address in addresses(what, year, mirror):
            target = folder / f"{what}-{year}{Path(address).suffix}"
            check = _check_pdf if target.suffix == ".pdf" else check_zip
            try:
                if not target.exists():
                    file = Download(address, target, page=True, check=check)
                    get(web, file, tell=tell, patience=patience)
            except DownloadError as trouble:
                if trouble.kind == "stopped":
                    raise StoppedError("stopped") from None
                if trouble.kind == "full":
                    raise UserError(f"{target}: the disk is full") from None
                troubles.append(f"{shown(address)}: {trouble}")
                if what == "guidelines":
                    say(
                        f"no guidelines of FY{year} ({troubles[-1]});"
                        f" `--from` takes their PDF, see {ICD_PAGE}"
                    )
                continue
            got.append(target)
            break
    if not any(path.name.startswith("tables") for path in got):
        tried = "; ".join(troubles)
        raise UserError(
            f"the files of FY{year} could not be fetched ({tried});"
            f" get them from {ICD_PAGE} and use `--from`"
        )
    return got


def _check_pdf(path: Path) -> None:
    with path.open("rb") as stream:
        if not stream.read(8).startswith(b"%PDF-"):
            raise DownloadError("damaged", "not a PDF", url=str(path))
