"""`clh edits`: the rules on a set of codes, without a note."""

from __future__ import annotations

from typing import cast

import click

from clhcode.cli.console import visible
from clhcode.cli.options import Examples, released
from clhcode.errors import DONE, SOME_ROWS_FAILED, UserError
from clhcode.records import Sex


@click.command(
    cls=Examples,
    examples=(
        "clh edits E10.9 E11.9",
        "clh edits N40.0 --sex female",
        "clh edits --explain EX101",
    ),
)
@click.argument("codes", nargs=-1, metavar="CODE...")
@click.option("--sex", type=click.Choice(("female", "male")), help="Sex on record.")
@click.option("--age", type=click.IntRange(0, 150), help="Age in years.")
@released
@click.option("--explain", metavar="EDIT", help="What an edit means; `all` lists them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def edits(
    codes: tuple[str, ...],
    sex: str | None,
    age: int | None,
    explain: str | None,
    *,
    release: str | None,
    as_json: bool,
) -> int:
    """Check a set of codes against the rules.

    Codes are taken in the order given, with or without the dot. Exit code 1 where an edit
    objects.
    """
    from clhcode.edits.claim import claim_of
    from clhcode.edits.registry import BY_CODE, EDITS, check
    from clhcode.icd.codes import normal
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store

    if explain:
        wanted = [e for e in EDITS if explain.lower() in ("all", e.code.lower(), e.name)]
        if not wanted:
            raise UserError(f"no edit `{explain}`: `clh edits --explain all` lists them")
        for edit in wanted:
            click.echo(f"{edit.code} {edit.name}  guideline {edit.guideline}")
            click.echo(f"  {edit.explanation}")
            click.echo(f"  objects to: {' '.join(edit.fires)}   not to: {' '.join(edit.passes)}")
        return DONE
    if not codes:
        raise UserError("give the codes to check, or --explain EDIT")
    store, _ = open_store(choose(release=release))
    given = [(normal(code) or code, 1.0) for code in codes]
    claim = claim_of(given, store, cast("Sex | None", sex), age)
    found = check(claim)
    if as_json:
        import orjson

        listed = [
            {
                "edit": f.edit,
                "name": BY_CODE[f.edit].name,
                "code": claim.lines[f.at].code,
                "because_of": claim.lines[f.other].code if f.other is not None else None,
                "action": f.action,
                "message": f.message,
                "guideline": BY_CODE[f.edit].guideline,
            }
            for f in found
        ]
        click.echo(orjson.dumps({"codes": [c for c, _ in given], "findings": listed}).decode())
    else:
        for f in found:
            edit = BY_CODE[f.edit]
            click.echo(f"{edit.code} {edit.name:<20} {visible(f.message)}   {edit.guideline}")
        if not found:
            click.echo(f"{len(given)} codes, no edit objects")
    return SOME_ROWS_FAILED if found else DONE
