"""`clh fetch`: official files into the user's data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clhcode.cli.options import Examples
from clhcode.errors import UserError

if TYPE_CHECKING:
    from clhcode.icd.sources import File


@click.command(
    cls=Examples,
    examples=(
        "clh fetch icd10cm --release 2026",
        "clh fetch icd10cm --from ~/Downloads/icd10cm",
        "clh fetch icd10cm --from tables.zip --release 2025",
        "clh fetch icd10cm --from coding-guidelines-FY2026.pdf",
    ),
)
@click.argument("name", type=click.Choice(("icd10cm",)))
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Folder, zip or file at hand instead of a download; folders are searched in depth.",
)
@click.option("--release", metavar="YEAR", help="Fiscal year: only its files, e.g. 2026.")
def fetch(name: str, source: Path | None, release: str | None) -> None:
    """Get the official files of the classification.

    Tabular List, Alphabetic Index, external-cause index, neoplasm and drug tables, order file
    and the codes exempt from POA reporting, of any fiscal year. They are recognised by their
    contents, whatever their names, and copied into your data folder, where every command
    finds them. So are the Official Guidelines, a PDF with `guidelines` in its name. Downloads
    go on where they broke off; CLH_ICD10CM_MIRROR names another server.
    """
    from clhcode.icd.install import install

    if source is None:
        if release is None:
            raise UserError("say which: --release YEAR downloads, --from takes what is at hand")
        source = _downloaded(release)
    taken, passed = install(source, release, _say)
    for file in sorted(taken, key=lambda f: (f.release, f.kind)):
        click.echo(f"{file.kind} FY{file.release} -> {file.path}")
    if passed:
        kinds = ", ".join(sorted({f"{f.kind} FY{f.release or '?'}" for f in passed}))
        click.echo(f"passed over: {kinds}", err=True)
    _checked(taken)


def _downloaded(release: str) -> Path:
    """The folder with a year's files, kept until they are whole so that a rerun goes on."""
    from clhcode.icd.download import download
    from clhcode.places import cache_home

    if not release.isdigit() or len(release) != 4:
        raise UserError(f"--release {release}: a fiscal year such as 2026 is meant")
    folder = cache_home() / "downloads" / release
    mirror = os.environ.get("CLH_ICD10CM_MIRROR")
    if not sys.stderr.isatty():
        download(release, folder, lambda *_: None, mirror, _say)
        return folder
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, leave=False) as bar:

        def tell(name: str, done: int, size: int | None) -> None:
            bar.set_description(name)
            bar.total = size
            bar.n = done
            bar.refresh()

        download(release, folder, tell, mirror, _say)
    return folder


def _say(line: str) -> None:
    click.echo(line, err=True)


def _checked(taken: list[File]) -> None:
    """Compiles each year that came, and says what is in it and whether its lists agree."""
    from clhcode.icd.guidelines import open_guidelines
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store
    from clhcode.icd.years import against_order

    for file in (f for f in taken if f.kind == "guidelines"):
        names = [section.name for section in open_guidelines(file).sections]
        chapters = sum(name.startswith("I.C.") and name.count(".") == 2 for name in names)
        click.echo(f"FY{file.release}: {len(names):,} guideline sections, {chapters} chapters")
    years = sorted({f.release for f in taken if f.kind in ("tabular", "order")})
    for year in years:
        try:
            sources = choose(release=year)
        except UserError:
            continue
        store, _ = open_store(sources)
        meta = store.meta()
        headers = int(meta["codes"]) - int(meta["billable"])
        line = f"FY{year}: {int(meta['billable']):,} billable codes, {headers:,} headers"
        line += f", {int(meta['notes']):,} notes, {int(meta['terms']):,} index terms"
        line += f", {int(meta['cells']):,} table cells"
        if (order := against_order(year, store)) is not None:
            line += f"; {order}"
        click.echo(line)
    click.echo(f"now in use: {choose().describe()}", err=True)
