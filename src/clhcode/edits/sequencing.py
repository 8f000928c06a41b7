"""Edits of order: what may not be listed first, and what follows its cause."""

from __future__ import annotations

from collections.abc import Iterator

from clhcode.edits.claim import Claim, Edit, Finding
from clhcode.icd.store import Node, Store

_EXTERNAL = "VWXY"


def is_manifestation(node: Node) -> bool:
    """Whether the title says that an underlying disease must be coded before it."""
    return "in diseases classified elsewhere" in node.title or (
        "classified elsewhere" in node.title and "not elsewhere classified" not in node.title
    )


def etiologies(store: Store, node: Node, others: list[tuple[int, Node]]) -> list[int]:
    """Positions of the codes that a "code first" note at `node` names."""
    notes = [note for note in store.instructions(node) if note.kind == "code first"]
    return [at for at, other in others if any(note.names(other) for note in notes)]


def _cause_first(claim: Claim) -> Iterator[Finding]:
    nodes = {i: node for i, _, node in claim.known}
    for at, line, node in claim.known:
        others = [(i, other) for i, _, other in claim.known if other.id != node.id]
        # Where two codes name each other the given order stands.
        causes = [
            i
            for i in etiologies(claim.store, node, others)
            if not etiologies(claim.store, nodes[i], [(at, node)])
        ]
        later = [i for i in causes if i > at]
        if later and len(later) == len(causes):
            cause = claim.lines[later[0]].code
            message = f"{line.code} is listed before its cause: code {cause} first"
            yield Finding("SQ101", at, "move", message, later[0])


def _no_cause(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        others = [(i, other) for i, _, other in claim.known if other.id != node.id]
        if is_manifestation(node) and not etiologies(claim.store, node, others):
            alone = len(claim.lines) == 1 or at == 0
            message = f"{line.code} is a manifestation and no underlying disease is coded" + (
                ", yet it is listed first" if alone else ""
            )
            yield Finding("SQ103", at, "report", message)


def _external_first(claim: Claim) -> Iterator[Finding]:
    for at, line, _ in claim.known:
        behind = [i for i, o, _ in claim.known if i > at and o.code[0] not in _EXTERNAL]
        if line.code[0] in _EXTERNAL and behind:
            injury = claim.lines[behind[-1]].code
            message = f"{line.code} is an external cause and cannot come before {injury}"
            yield Finding("SQ102", at, "move", message, behind[-1])


def _external_only(claim: Claim) -> Iterator[Finding]:
    if claim.lines and all(line.code[0] in _EXTERNAL for line in claim.lines):
        yield Finding("SQ104", 0, "report", "external causes alone: the injury itself is missing")


EDITS = (
    Edit(
        "SQ101",
        "cause-first",
        "I.A.13",
        "A `code first` note wants the underlying condition before this code.",
        _cause_first,
        fires=("L97.411", "E11.621"),
        passes=("E11.621", "L97.411"),
    ),
    Edit(
        "SQ102",
        "external-cause-first",
        "I.C.20.a.6",
        "Codes V00 to Y99 say how an injury came about. They are never the first-listed or "
        "principal diagnosis and follow the codes for the injury.",
        _external_first,
        fires=("W19.XXXA", "S52.502A"),
        passes=("S52.502A", "W19.XXXA"),
    ),
    Edit(
        "SQ103",
        "manifestation-alone",
        "I.A.13",
        "The title says `in diseases classified elsewhere`: the code is reported behind the "
        "underlying disease, never alone and never first.",
        _no_cause,
        fires=("G63",),
        passes=("E85.1", "G63"),
    ),
    Edit(
        "SQ104",
        "external-cause-alone",
        "I.C.20.a",
        "External cause codes are secondary codes: a code of another chapter must say what "
        "condition they explain.",
        _external_only,
        fires=("W19.XXXA",),
        passes=("S52.502A", "W19.XXXA"),
    ),
)
