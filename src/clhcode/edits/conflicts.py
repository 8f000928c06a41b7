"""Edits of pairs: codes that must not, or need not, stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from clhcode.edits.claim import Claim, Edit, Finding, Line
from clhcode.icd.store import Instruction, Node, Store
from clhcode.search.normalise import words


def excludes1(store: Store, node: Node, other: Node) -> Instruction | None:
    """The Excludes1 note in force at `node` that names `other`, if there is one.

    A note does not speak of codes that it names themselves: `E10` excludes `E11.-`, and
    neither excludes itself.
    """
    for note in store.instructions(node):
        if note.kind == "excludes1" and note.names(other) and not note.names(node):
            return note
    return None


def _excludes1(claim: Claim) -> Iterator[Finding]:
    for (at, line, node), (later_at, later, later_node) in combinations(claim.known, 2):
        note = excludes1(claim.store, node, later_node)
        back = excludes1(claim.store, later_node, node)
        found = note or back
        if found is None:
            continue
        if note and back:
            # Each names the other: the one listed first stands, unless the other is surer.
            first_goes = line.weight < later.weight
        else:
            first_goes = _yields(line, later) if note else not _yields(later, line)
        loser, winner = (at, later_at) if first_goes else (later_at, at)
        where = claim.store.by_number(found.node).code
        message = f"{line.code} with {later.code}: {where} excludes {found.text}"
        yield Finding("EX101", loser, "drop", message, winner)


def _yields(line: Line, other: Line) -> bool:
    """Whether the code under the note gives way to the code the note names.

    The note says "not coded here", so the named code stays, unless it is a mere symptom
    or the coder was surer of this one.
    """
    symptom, other_symptom = line.code.startswith("R"), other.code.startswith("R")
    if symptom != other_symptom:
        return symptom
    return line.weight <= other.weight


def _duplicate(claim: Claim) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for at, line in enumerate(claim.lines):
        if line.code in first:
            message = f"{line.code} is reported twice"
            yield Finding("EX201", at, "drop", message, first[line.code])
        first.setdefault(line.code, at)


def _ancestor(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        for other_at, other, other_node in claim.known:
            if node.id != other_node.id and node.holds(other_node):
                message = f"{line.code} is contained in {other.code}"
                yield Finding("EX202", at, "drop", message, other_at)


def residual(store: Store, node: Node) -> Node | None:
    """The header whose "unspecified" or "without complications" code this is."""
    parent = store.by_number(node.parent) if node.parent is not None else None
    if parent is None or parent.kind != "code":
        return None
    title = node.title.lower()
    stem = parent.title.split(",")[0].split(" (")[0].lower()
    vague = (f"{stem}, unspecified", f"unspecified {stem}", f"{stem} without complications")
    # "Laceration of unspecified hand" is all that "Laceration of hand" says.
    same = "unspecified" in title and _said(node.title) == _said(parent.title)
    return parent if same or title.startswith(vague) else None


def _said(title: str) -> frozenset[str]:
    return frozenset(words(title)) - {"unspecified"}


def _unspecified(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        header = residual(claim.store, node)
        if header is None:
            continue
        for other_at, other, other_node in claim.known:
            if header.holds(other_node) and not node.holds(other_node):
                message = f"{line.code} is the unspecified form of what {other.code} says"
                yield Finding("EX204", at, "drop", message, other_at)


_SIDES = frozenset({"right", "left", "bilateral"})
_BESIDE_SIDES = frozenset({"unspecified", "unilateral", "of", "in", "the"})


def _sides(node: Node) -> frozenset[str]:
    return _SIDES & _title_words(node)


def _title_words(node: Node) -> frozenset[str]:
    return frozenset(node.title.lower().replace(",", " ").split())


def _same_place(node: Node, other: Node) -> bool:
    """Whether two codes of a category differ in no more than their side."""
    here, there = (_title_words(n) - _SIDES - _BESIDE_SIDES for n in (node, other))
    # "..., right eye" stands beside "..., bilateral": there the organ is left out.
    near = here <= there or there <= here
    return node.code[:3] == other.code[:3] and near and len(here ^ there) < 2


def _unspecified_side(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        if _sides(node) or "unspecified" not in node.title.lower():
            continue
        for other_at, other, other_node in claim.known:
            if _sides(other_node) and _same_place(node, other_node):
                message = f"{line.code} leaves open the side that {other.code} gives"
                yield Finding("EX203", at, "drop", message, other_at)
                break


def _both_sides(claim: Claim) -> Iterator[Finding]:
    for (at, line, node), (later_at, later, other) in combinations(claim.known, 2):
        if _sides(node) | _sides(other) != {"right", "left"} or not _same_place(node, other):
            continue
        if both := _bilateral(claim.store, node):
            message = f"{line.code} with {later.code}: {both.code} says both sides"
            yield Finding("EX205", at, "report", message, later_at)


def _bilateral(store: Store, node: Node) -> Node | None:
    """The code for both sides of what `node` says of one."""
    for above in reversed(store.lineage(node)[:-1]):
        for child in store.children(above) if above.kind == "code" else ():
            if child.billable and _sides(child) == {"bilateral"} and _same_place(node, child):
                return child
    return None


EDITS = (
    Edit(
        "EX101",
        "excludes1",
        "I.A.12.a",
        "An Excludes1 note in force at one code names the other: the two describe conditions "
        "that cannot occur together. Keep one. Exception: the two conditions are unrelated to "
        "each other, which the record must make clear.",
        _excludes1,
        fires=("E10.9", "E11.9"),
        passes=("E11.9", "I10"),
    ),
    Edit(
        "EX201",
        "duplicate",
        "I.B.12",
        "Each diagnosis code may be reported only once for an encounter, also when it stands "
        "for two conditions or for both sides.",
        _duplicate,
        fires=("I10", "I10"),
        passes=("I10",),
    ),
    Edit(
        "EX202",
        "ancestor",
        "I.B.2",
        "A header code beside a code below it says nothing more. Keep the longer one.",
        _ancestor,
        fires=("E11.2", "E11.22"),
        passes=("E11.22",),
    ),
    Edit(
        "EX203",
        "unspecified-side",
        "I.B.13",
        "A code of unspecified side beside the same condition of a known side says less about "
        "the same thing. Keep the side that is documented.",
        _unspecified_side,
        fires=("S52.509A", "S52.501A"),
        passes=("S52.501A", "S52.502A"),
    ),
    Edit(
        "EX204",
        "unspecified",
        "I.B.18",
        "An unspecified code (or one `without complications`) beside a code of the same header "
        "that says more contradicts it. Keep the specific one.",
        _unspecified,
        fires=("E11.9", "E11.22"),
        passes=("E11.22", "E11.42"),
    ),
    Edit(
        "EX205",
        "both-sides",
        "I.B.13",
        "The right and the left side of a condition that has a code for both: report the "
        "bilateral code instead of the two.",
        _both_sides,
        fires=("M17.11", "M17.12"),
        passes=("M17.0",),
    ),
)
