"""`clh fetch icd10cm`: official files into the user's data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clhcode.errors import UserError

if TYPE_CHECKING:
    from clhcode.icd.sources import File

MIRROR = "CLH_ICD10CM_MIRROR"
"""Names a server in place of the official ones; so does an address after `--from`."""


def fetch_icd(given: str | None, release: str | None, agent: str | None) -> None:
    """Downloads a year, or takes what is at hand, and says what came.

    Raises:
        UserError: Neither a year nor files at hand are named, or the files could not be had.
    """
    from clhcode.cli.fetch import place
    from clhcode.icd.install import install

    source = place(given) if given else os.environ.get(MIRROR)
    if not isinstance(source, Path):
        if release is None:
            raise UserError("say which: --release YEAR downloads, --from takes what is at hand")
        source = _downloaded(release, source, agent)
    taken, passed = install(source, release, _say)
    for file in sorted(taken, key=lambda f: (f.release, f.kind)):
        click.echo(f"{file.kind} FY{file.release} -> {file.path}")
    if passed:
        kinds = ", ".join(sorted({f"{f.kind} FY{f.release or '?'}" for f in passed}))
        click.echo(f"passed over: {kinds}", err=True)
    _checked(taken)


def _downloaded(release: str, mirror: str | None, agent: str | None) -> Path:
    """The folder with a year's files, kept until they are whole so that a rerun goes on."""
    from clhcode.cli.fetch_bar import telling
    from clhcode.download.web import Web
    from clhcode.icd.download import download
    from clhcode.places import cache_home

    if not release.isdigit() or len(release) != 4:
        raise UserError(f"--release {release}: a fiscal year such as 2026 is meant")
    folder = cache_home() / "downloads" / release
    with telling() as (tell, _):
        download(Web(agent=agent), release, folder, tell=tell, mirror=mirror, say=_say)
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
