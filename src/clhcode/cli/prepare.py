"""`clh prepare`: a published data set to the one table, with its card."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from clhcode.cli.console import visible
from clhcode.cli.options import Examples, released
from clhcode.errors import DONE, UserError


@click.command(
    cls=Examples,
    examples=(
        "clh prepare demo",
        "clh prepare codiesp --from final_dataset_v4_to_publish",
        "clh prepare mdace --from MDACE --mimic-iii physionet.org/files/mimiciii/1.4",
    ),
)
@click.argument("name", metavar="NAME")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the published files; data/NAME/raw otherwise.",
)
@click.option(
    "--mimic-iii",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of MIMIC-III, for data sets that lie over it; data/mimic-iii/raw otherwise.",
)
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
    mimic_iii: Path | None,
    output: Path | None,
    *,
    trim: bool,
    release: str | None,
) -> int:
    """Bring a data set into the one table.

    Reads the published layout as it is and writes the table with a card beside it: counts,
    splits, what was left out and why, and the codes that the release does not have. Raw files
    are only read.
    """
    import orjson

    from clhcode.cli.running import packs
    from clhcode.datasets.card import Counts, as_markdown, card
    from clhcode.datasets.gold import trimmed
    from clhcode.datasets.registry import dataset, prepared, raw
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store
    from clhcode.table.write import open_writer

    chosen = dataset(name)
    folder = source or raw(chosen.files)
    if source is None and name != "demo" and not folder.is_dir():
        raise UserError(f"{folder}: no such folder (--from names the published files)")
    given = {"mimic-iii": mimic_iii}
    others = {need: given.get(need) or raw(need) for need in chosen.needs}
    for need, path in others.items():
        if not path.is_dir():
            raise UserError(f"{path}: no such folder (--{need} names {need.upper()})")
    target = output or prepared(chosen.table)
    target.parent.mkdir(parents=True, exist_ok=True)
    left_out: Counter[str] = Counter()
    counts = Counts()
    given_rows = chosen.rows()(folder, others, left_out)
    rows = counts.counted(trimmed(given_rows) if trim else given_rows)
    with open_writer(target) as writer:
        for pack in packs(rows):
            writer.write(pack)
    sources = choose(release=release)
    store, _ = open_store(sources)
    made = card(chosen, counts, left_out, store, sources.describe())
    made["gold_spans"] = "trimmed" if trim else "as given"
    target.with_suffix(".card.json").write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2))
    shown = as_markdown(made)
    target.with_suffix(".card.md").write_text(shown, "utf-8")
    click.echo("".join(f"{visible(line)}\n" for line in shown.splitlines()), nl=False)
    click.echo(f"\n{visible(str(target))}", err=True)
    return DONE
