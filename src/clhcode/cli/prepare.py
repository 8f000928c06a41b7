"""`clh prepare`: a published data set to the one table, with its card."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clhcode.cli.console import visible
from clhcode.cli.options import Examples, decorated, released
from clhcode.errors import DONE, UserError

if TYPE_CHECKING:
    from clhcode.datasets.registry import Dataset

_BELOW = {
    "mimic-iii": "Folder of MIMIC-III",
    "mimic-iv": "Folder of MIMIC-IV",
    "mimic-iv-note": "Folder of MIMIC-IV-Note",
    "splits": "Folder of the splits of Edin et al.",
}


def _folder(name: str, told: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help=f"{told}; data/{name}/raw otherwise.",
    )


@click.command(
    cls=Examples,
    examples=(
        "clh prepare demo",
        "clh prepare codiesp --from final_dataset_v4_to_publish",
        "clh prepare mdace --from MDACE --mimic-iii physionet.org/files/mimiciii/1.4",
        "clh prepare mimic-iv --from mimiciv/3.1 --mimic-iv-note mimic-iv-note/2.2",
    ),
)
@click.argument("name", metavar="NAME")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the published files; data/NAME/raw otherwise.",
)
@decorated(*(_folder(name, told) for name, told in _BELOW.items()))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Table to write; data/NAME/prepared/NAME.parquet otherwise.",
)
@click.option(
    "--trimmed",
    "trim",
    is_flag=True,
    help="Cut blanks and punctuation off the ends of gold spans; as given otherwise.",
)
@released
def prepare(
    name: str,
    source: Path | None,
    output: Path | None,
    *,
    trim: bool,
    release: str | None,
    **below: Path | None,
) -> int:
    """Bring a data set into the one table.

    Reads the published layout as it is and writes the table with a card beside it: counts,
    splits, what was left out and why, and the codes that the release does not have. Raw files
    are only read, and nothing is written among them. Text that does not fit in memory waits in
    a folder beside the table, which goes with the run.
    """
    from clhcode.datasets.registry import Raw, dataset, prepared
    from clhcode.datasets.workbench import workroom

    chosen = dataset(name)
    given = {option.replace("_", "-"): path for option, path in below.items()}
    folder, others = _sources(chosen, source or given.get(chosen.files), given)
    target = output or prepared(chosen.table)
    _check_apart(target, [folder, *others.values()])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror})") from None
    try:
        with workroom(target) as work:
            raw = Raw(folder, others, work=work)
            shown = _write(chosen, raw, target, trim=trim, release=release)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise UserError(f"{target}: the disk is full: name another place with -o") from None
    click.echo("".join(f"{visible(line)}\n" for line in shown.splitlines()), nl=False)
    click.echo(f"\n{visible(str(target))}", err=True)
    return DONE


def _sources(
    chosen: Dataset, source: Path | None, given: dict[str, Path | None]
) -> tuple[Path, dict[str, Path]]:
    """The folder of the data set, and those of what it lies over or overlaps with."""
    from clhcode.datasets.registry import raw

    folder = source or raw(chosen.files)
    if source is None and chosen.name != "demo" and not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder (`clh fetch {chosen.files}` gets it, --from names another)"
        )
    others = {need: given.get(need) or raw(need) for need in chosen.needs}
    for need, path in others.items():
        if not path.is_dir():
            told = _BELOW[need].removeprefix("Folder of ")
            get = "" if given.get(need) else f"`clh fetch {need}` gets it, "
            raise UserError(f"{path}: no such folder ({get}--{need} names {told})")
    for name in chosen.also:
        if (path := given.get(name) or raw(name)).is_dir():
            others[name] = path
    return folder, others


def _check_apart(target: Path, folders: Iterable[Path]) -> None:
    """Refuses a table among raw files, which are often shared and never to be changed."""
    place = Path(os.path.realpath(target))
    for folder in folders:
        if folder.is_dir() and place.is_relative_to(os.path.realpath(folder)):
            raise UserError(f"{target}: inside the raw folder {folder}; -o names another place")


def _write(chosen: Dataset, raw: Any, target: Path, *, trim: bool, release: str | None) -> str:
    """Writes table and card; the card as Markdown."""
    import orjson
    from tqdm import tqdm

    from clhcode.cli.running import packs
    from clhcode.datasets.card import Counts, as_markdown, card
    from clhcode.datasets.gold import trimmed
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store
    from clhcode.table.write import open_writer

    sources = choose(release=release)
    store, _ = open_store(sources)
    counts = Counts()
    rows = chosen.rows()(raw)
    bar = tqdm(
        counts.counted(trimmed(rows) if trim else rows),
        desc=target.name,
        unit=" encounters",
        file=sys.stderr,
        disable=None,
        leave=False,
    )
    with open_writer(target) as writer, bar:
        for pack in packs(bar):
            writer.write(pack)
        made = card(chosen, counts, raw.left_out, store, sources.describe())
        made["gold_spans"] = "trimmed" if trim else "as given"
        shown = as_markdown(made)
        # Whole before the table has its name; theirs they take when it has, so that a disk that
        # is full at the end leaves neither a table without a card nor a card without a table.
        cards = {
            target.with_suffix(".card.json"): orjson.dumps(made, option=orjson.OPT_INDENT_2),
            target.with_suffix(".card.md"): shown.encode(),
        }
        for path, data in cards.items():
            (raw.work / path.name).write_bytes(data)
    for path in cards:
        (raw.work / path.name).replace(path)
    return shown
