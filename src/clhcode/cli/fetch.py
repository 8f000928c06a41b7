"""`clh fetch`: published files, from their sources or from what is at hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clhcode.cli.console import visible
from clhcode.cli.options import Examples
from clhcode.errors import DONE, StoppedError, UserError

if TYPE_CHECKING:
    from clhcode.download.login import Login
    from clhcode.download.sets import Order, Outcome
    from clhcode.download.sources import Source


@click.command(
    cls=Examples,
    examples=(
        "clh fetch",
        "clh fetch mimic-iv --release 2.2",
        "clh fetch mimic-iii --from /mnt/physionet.org/files/mimiciii/1.4",
        "clh fetch mdace --from MDACE-main.zip",
        "clh fetch aci-bench --codes codes.csv",
        "clh fetch icd10cm --release 2026",
        "clh fetch icd10cm --from ~/Downloads/icd10cm",
    ),
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--from",
    "given",
    metavar="URL|PATH",
    help="Mirror, folder or zip with the set, in place of its source; files at hand are copied.",
)
@click.option(
    "--release",
    metavar="RELEASE",
    help="Of mimic-iv 2.2, 3.0 or 3.1, the newest otherwise; of icd10cm a fiscal year.",
)
@click.option("--all", "everything", is_flag=True, help="The whole set, not what coding needs.")
@click.option(
    "--codes",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The expert codes of aci-bench: a CSV file with encounter_id and code.",
)
@click.option("--user-agent", "agent", metavar="TEXT", help="How to name this program to servers.")
@click.option("--plain", is_flag=True, help="No colours.")
def fetch(
    name: str | None,
    given: str | None,
    release: str | None,
    *,
    everything: bool,
    codes: Path | None,
    agent: str | None,
    plain: bool,
) -> int:
    """Get data sets and the classification from their sources.

    Without a name: which there are, what of them is here, and their licences. With one, the files
    that coding needs come into data/NAME/raw, where `clh prepare` finds them; a command that
    broke off goes on where it was, and files that are whole are not asked for again.

    PhysioNet's sets need an account that signed their agreement. User and password are taken from
    PHYSIONET_USER and PHYSIONET_PASS, else from ~/.netrc, else asked for.

    icd10cm, the classification, goes into your data folder, where every command finds it; its
    official files are recognised by their contents, whatever their names, also in folders and
    zips given with --from.
    """
    from clhcode.download.sources import CLASSIFICATION, NAMES, SOURCES

    if name is None:
        if given or release or everything or codes:
            raise UserError("say which data set: `clh fetch NAME` (`clh fetch` lists them)")
        from clhcode.cli.fetch_list import show

        show(plain=plain)
        return DONE
    if name not in NAMES:
        raise UserError(f"no data set '{name}': known are {', '.join(NAMES)}")
    if codes and name != "aci-bench":
        raise UserError("--codes: only aci-bench takes codes")
    if agent is not None and not (agent.isascii() and agent.isprintable() and agent.strip()):
        raise UserError("--user-agent: plain letters on one line are meant")
    if name == CLASSIFICATION:
        from clhcode.cli.fetch_icd import fetch_icd

        if everything:
            raise UserError("--all: icd10cm is always fetched as a whole")
        fetch_icd(given, release, agent)
        return DONE
    _fetch_set(SOURCES[name], given, release, everything, agent)
    if codes:
        from clhcode.datasets.aci_bench import add_codes
        from clhcode.datasets.registry import raw

        click.echo(visible(add_codes(codes, raw(name))))
    return DONE


def _fetch_set(
    source: Source, given: str | None, release: str | None, everything: bool, agent: str | None
) -> None:
    from clhcode.cli.fetch_bar import bar
    from clhcode.datasets.registry import raw
    from clhcode.download.advice import advise
    from clhcode.download.login import origin
    from clhcode.download.sets import Order, fetch_set, is_whole
    from clhcode.download.trouble import DownloadError
    from clhcode.download.web import AGENT, AT_PHYSIONET, Web

    agent = agent or (AT_PHYSIONET if source.credentialed else AGENT)
    chosen = source.release(release)
    root, page = source.at(chosen)
    order = Order(source, chosen, raw(source.name), place(given) if given else root, everything)
    order.say = lambda line: click.echo(visible(line), err=True)
    web, login, told = None, None, True
    try:
        if isinstance(order.root, str) and not is_whole(order):
            login, told = _login(source, order.root, given is not None, page)
            web = Web(login=login, told=origin(order.root) if told else None, agent=agent)
        elif isinstance(order.root, str):
            web = Web(agent=agent)
        with bar(order):
            outcome = fetch_set(order, web)
    except DownloadError as trouble:
        raise advise(trouble, source.name, page, login=login, agent=agent, told=told) from None
    except KeyboardInterrupt:
        from clhcode.download.advice import GO_ON

        raise StoppedError(f"stopped; {GO_ON}") from None
    _report(order, outcome)


def place(given: str) -> str | Path:
    """What `--from` names: an address or a path."""
    from urllib.parse import urlsplit

    from clhcode.download.login import origin

    if "://" not in given:
        path = Path(given).expanduser()
        if not path.exists():
            # What has an @ may be meant for an address, with a password in it.
            shown = "--from" if "@" in given else path
            raise UserError(f"{shown}: not there (--from takes an address, a folder or a zip)")
        return path
    origin(given)
    parts = urlsplit(given)
    if "@" in parts.netloc:
        raise UserError(
            "--from: an address must not hold user and password: they would stand in the list of"
            " processes (see `clh fetch --help`)"
        )
    if (parts.query or parts.fragment) and not parts.path.lower().endswith(".zip"):
        raise UserError("--from: the address of a folder has no `?` and no `#`")
    return given


def _login(source: Source, root: str, named: bool, page: str) -> tuple[Login | None, bool]:
    """The credentials for a source, and whether its server may be sent them."""
    from clhcode.download.login import HOW, find_login, may_be_told, origin

    if not source.credentialed:
        return None, False
    if not may_be_told(root):
        click.echo("credentials are sent to https and to this machine only: none", err=True)
        return None, False
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    login = find_login(origin(root)[1], _ask if terminal else None)
    if login is None and not named:
        raise UserError(f"{source.name}: needs an account that signed {page}: {HOW}")
    return login, True


def _ask() -> Login | None:
    from clhcode.download.login import Login

    user = click.prompt("PhysioNet user", default="", show_default=False, err=True)
    if not user:
        return None
    password = click.prompt("Password", hide_input=True, err=True)
    return Login(user, password, "what was typed")


def _report(order: Order, outcome: Outcome) -> None:
    """The result on standard output; what can be done with it beside it."""
    from clhcode.datasets.registry import DATASETS, raw
    from clhcode.download.local import amount

    title = f"{order.source.title} {order.release}".strip()
    files = f"{len(outcome.paths):,} file{'' if len(outcome.paths) == 1 else 's'}"
    fresh = "all were there" if not outcome.fresh else f"{outcome.fresh:,} came now"
    line = f"{title}: {files}, {amount(outcome.size)}, {fresh} -> {order.folder}"
    click.echo(visible(line))
    known = DATASETS.get(order.source.name)
    if known is None:
        return
    lacking = [need for need in known.needs if not raw(need).is_dir()]
    also = ", ".join(f"`clh fetch {need}`" for need in lacking)
    line = f"next: {also + ', then ' if also else ''}`clh prepare {known.name}`"
    click.echo(line, err=True)
