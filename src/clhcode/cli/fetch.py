"""`clh fetch`: official files into the user's data folder."""

from __future__ import annotations

from pathlib import Path

import click

from clhcode.cli.options import Examples


@click.command(
    cls=Examples,
    examples=(
        "clh fetch icd10cm --from ~/Downloads/icd10cm",
        "clh fetch icd10cm --from FILES --release 2026",
    ),
)
@click.argument("name", type=click.Choice(("icd10cm",)))
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with the official XML files, plain or gzipped, at any depth.",
)
@click.option("--release", help="Fiscal year: only its files, e.g. 2026.")
def fetch(name: str, folder: Path, release: str | None) -> None:
    """Get the official files of the classification.

    The Tabular List and the Alphabetic Index are recognised by their contents, whatever their
    names, and copied into your data folder, where every command finds them.
    """
    from clhcode.icd.sources import choose, home, install

    taken, passed = install(folder, release)
    for file in taken:
        click.echo(f"{file.kind} FY{file.release} -> {file.path}")
    if passed:
        kinds = ", ".join(sorted({f"{f.kind} FY{f.release or '?'}" for f in passed}))
        click.echo(f"passed over: {kinds}", err=True)
    click.echo(f"now in use: {choose().describe()} ({home()})", err=True)
