"""`clh compare`: results of the bench beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clhcode.cli.options import Examples, mapping
from clhcode.errors import DONE, UserError


@click.command(
    cls=Examples,
    examples=(
        "clh compare rules.json other.json",
        "clh compare guidelines.json mentions.json --allow policy",
    ),
)
@click.argument("results", nargs=-1, metavar="A B...", type=click.Path(path_type=Path))
@click.option(
    "--allow", multiple=True, metavar="CONDITION", help="A condition of the protocol may differ."
)
@mapping
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--plain", is_flag=True, help="No colours.")
def compare(
    results: tuple[Path, ...],
    allow: tuple[str, ...],
    *,
    conversion: Path | None,
    gem: Path | None,
    as_json: bool,
    plain: bool,
) -> int:
    """Compare results of bench, each with the first.

    Encounters are paired: a bootstrap over them, wins and losses by code, and how many
    encounters are different after each agent. Results of different protocols are refused.
    """
    from dataclasses import fields

    from clhcode.bench.protocol import Protocol

    if len(results) < 2:
        raise UserError("give two results at least")
    known = [field.name for field in fields(Protocol)]
    for name in allow:
        if name not in known:
            raise UserError(f"--allow {name}: a protocol has {', '.join(known)}")
    from clhcode.bench.result import read

    first, *others = (read(path) for path in results)
    found = [_compared(first, other, allow, (conversion, gem)) for other in others]
    if as_json:
        import orjson

        click.echo(orjson.dumps(found[0] if len(found) == 1 else found).decode())
        return DONE
    from clhcode.cli.bench_view import show_comparison

    for path, each in zip(results[1:], found, strict=True):
        show_comparison(each, (str(results[0]), str(path)), plain=plain)
    return DONE


def _compared(
    one: Any, other: Any, allow: tuple[str, ...], given: tuple[Path | None, Path | None]
) -> dict[str, Any]:
    from clhcode.bench import compare as comparing
    from clhcode.bench.cases import Key
    from clhcode.bench.ground import scale_of

    comparing.check(one, other, allow)
    keys = [Key(case.id, gold, (), ()) for case, gold in zip(one.cases, one.gold, strict=True)]
    gold, before = scale_of(one, *given).sides(keys, one.cases)
    _, after = scale_of(other, *given).sides(keys, other.cases)
    return comparing.compare(one, other, (gold, before, after))
