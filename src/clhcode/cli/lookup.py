"""`clh lookup`: the classification, as a coder walks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from clhcode.cli.console import visible
from clhcode.cli.options import Examples, released
from clhcode.errors import DONE, SOME_ROWS_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clhcode.icd.sources import Sources
    from clhcode.icd.store import Node, Store
    from clhcode.search.find import Match
    from clhcode.search.lookup import Lookup

_NOTES_SHOWN = 12
_WIDTH = 100


@click.command(
    cls=Examples,
    examples=(
        'clh lookup "fracture of lower end of left radius"',
        "clh lookup e1122",
        'clh lookup "heart failure" --json',
        "clh lookup I.C.9.a",
    ),
)
@click.argument("query", metavar='"TERM, CODE OR SECTION"', nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--most",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Matches of a term to show.",
)
@released
@click.option("--plain", is_flag=True, help="No colours.")
def lookup(
    query: tuple[str, ...], *, as_json: bool, most: int, release: str | None, plain: bool
) -> int:
    """Walk the classification from a term or a code.

    A term is looked up in the Alphabetic Index and among the titles; a code, with or without
    its dot, in the Tabular List, with the notes it inherits and its 7th characters; a section
    such as I.C.9.a or "section II" in the Official Guidelines, or in a summary of our own
    where they have not been fetched. Exit code 1 where nothing is found.
    """
    from clhcode.icd.guidelines import section_named
    from clhcode.icd.sources import choose
    from clhcode.icd.store import open_store
    from clhcode.search import lookup as looking
    from clhcode.search.find import open_finder

    sources = choose(release=release)
    if section := section_named(" ".join(query)):
        return _guideline(section, sources, as_json=as_json, plain=plain)
    store, key = open_store(sources)
    finder = open_finder(store, key)
    found = looking.lookup(" ".join(query), store, finder, most)
    if as_json:
        import orjson

        document = looking.as_json(found, store)
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(found, store, sources.describe(), plain=plain)
    return DONE if found.node else SOME_ROWS_FAILED


def _guideline(name: str, sources: Sources, *, as_json: bool, plain: bool) -> int:
    """Prints a section of the guidelines with all below it."""
    from clhcode.icd.guidelines import OWN, open_guidelines

    guidelines = open_guidelines(sources.guidelines)
    found = guidelines.section(name)
    if as_json:
        import orjson

        document = {"section": name, "source": guidelines.source, "text": found}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return DONE if found else SOME_ROWS_FAILED
    click.echo(f"guidelines: {guidelines.source}", err=True)
    if found is None:
        near = guidelines.nearest(name)
        hint = f"; there is {near}" if near else ""
        if guidelines.source == OWN:
            hint += " (`clh fetch icd10cm` takes the official PDF)"
        click.echo(f"clh: {name}: no such section in {guidelines.source}{hint}", err=True)
        return SOME_ROWS_FAILED
    for line in found.splitlines():
        heading = line.startswith("§ ")
        shown = line if heading else click.wrap_text(line, _WIDTH, "  ", "  ")
        click.echo(click.style(shown, bold=True) if heading and not plain else shown)
    return DONE


def _print(found: Lookup, store: Store, stood_on: str, *, plain: bool) -> None:
    click.echo(stood_on, err=True)
    if found.node is None:
        what = f"{found.code} is not a code of this release" if found.code else "nothing found"
        click.echo(f"clh: {visible(found.query)}: {what}", err=True)
        return
    colour = not plain

    def say(text: str, **style: object) -> None:
        click.echo(click.style(text, **style) if colour else text)  # type: ignore[arg-type]

    for match in found.matches:
        say(f" {_path(match):<66} {_printed(match.node)}", dim=match is not found.matches[0])
    for line, strong in _entry(found.node, store):
        say(line, bold=strong) if strong else say(line)


def _path(match: Match) -> str:
    steps = " > ".join(match.path)
    return steps if len(steps) <= 66 else f"{steps[:65]}…"


def _printed(node: Node) -> str:
    """A code as the index prints it: `-` where more characters are needed."""
    return node.code if node.billable else f"{node.code}-"


def _entry(node: Node, store: Store) -> Iterator[tuple[str, bool]]:
    for depth, ancestor in enumerate(store.lineage(node)[:-1]):
        yield f" {'  ' * depth}{ancestor.code}  {ancestor.title}", False
    depth = len(store.lineage(node)) - 1
    state = "billable" if node.billable else "not billable: more characters needed"
    yield f" {'  ' * depth}{node.code}  {node.title}  ({state})", True
    notes = store.instructions(node)
    for note in notes[-_NOTES_SHOWN:]:
        yield f"   {note.kind:<15} {note.text}  [{store.by_number(note.node).code}]", False
    if len(notes) > _NOTES_SHOWN:
        yield f"   ... {len(notes) - _NOTES_SHOWN} more inherited notes: --json", False
    if not node.billable or len(node.code) == 8:
        for char, meaning, _ in store.sevenths(node):
            yield f"   7th {char}           {meaning}", False
    for child in store.children(node)[:20]:
        if not child.title.startswith(f"{node.title}, ") or len(child.code) != 8:
            yield f"     {child.code:<9} {child.title}", False
