"""One look-up as a coder does it: the index entry, then the tabular entry with its notes."""

from __future__ import annotations

from dataclasses import dataclass

from clhcode.icd.codes import normal
from clhcode.icd.store import Node, Store
from clhcode.search.find import Finder, Match


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a query led to.

    Attributes:
        code: The query as a code, where it has the form of one.
        matches: What the classification calls the query, best first; for a code, the
            index entries are not searched and there are none.
        node: The tabular entry: of the code, or of the best match.
    """

    query: str
    code: str | None
    matches: tuple[Match, ...]
    node: Node | None


def lookup(query: str, store: Store, finder: Finder, most: int = 10) -> Lookup:
    """Looks up a term or a code."""
    code = normal(query)
    node = store.node(code) if code else None
    matches = _matches(finder, query, most) if code is None else ()
    if matches:
        node = matches[0].node
    return Lookup(query, code, matches, node)


def _matches(finder: Finder, query: str, most: int) -> tuple[Match, ...]:
    """The best matches, and among them at least one way through the Alphabetic Index."""
    found = finder.find(query, 4 * most)
    best = found[:most]
    if any(match.source == "index" for match in best):
        return best
    walked = [match for match in found if match.source == "index"][:1]
    return (*best[: most - len(walked)], *walked)


def as_json(found: Lookup, store: Store) -> dict[str, object]:
    """The look-up as `clh lookup --json` prints it; `entry` is null for an unknown code."""
    return {
        "query": found.query,
        "code": found.code,
        "matches": [
            {
                "code": match.node.code,
                "title": match.node.title,
                "billable": match.node.billable,
                "path": list(match.path),
                "source": match.source,
                "score": round(match.score, 4),
            }
            for match in found.matches
        ],
        "entry": entry(found.node, store) if found.node else None,
    }


def entry(node: Node, store: Store) -> dict[str, object]:
    """A tabular entry with everything that holds for it, inherited notes included."""
    return {
        "code": node.code,
        "title": node.title,
        "billable": node.billable,
        "parents": [_named(n) for n in store.lineage(node)[:-1]],
        "children": [_named(n) for n in store.children(node)],
        "notes": [
            {"kind": note.kind, "text": note.text, "from": store.by_number(note.node).code}
            for note in store.instructions(node)
        ],
        "seventh_characters": [
            {"character": char, "meaning": meaning, "also": also}
            for char, meaning, also in store.sevenths(node)
        ],
    }


def _named(node: Node) -> dict[str, str]:
    return {"code": node.code, "title": node.title}
