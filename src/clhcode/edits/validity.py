"""Edits of validity: the code exists, and is complete."""

from __future__ import annotations

from collections.abc import Iterator

from clhcode.edits.claim import Claim, Edit, Finding


def _unknown(claim: Claim) -> Iterator[Finding]:
    for at, line in enumerate(claim.lines):
        if line.node is None or line.node.kind != "code":
            yield Finding("VA101", at, "drop", f"{line.code} is not a code of this release")


def _header(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        if node.kind == "code" and not node.billable and not _lacks_seventh(claim, at):
            more = [child.code for child in claim.store.children(node)]
            among = ", ".join(more[:4]) + (" ..." if len(more) > 4 else "")
            yield Finding("VA102", at, "drop", f"{line.code} is a header: choose among {among}")


def _seventh(claim: Claim) -> Iterator[Finding]:
    for at, line, node in claim.known:
        if _lacks_seventh(claim, at):
            chars = ", ".join(char for char, _, _ in claim.store.sevenths(node))
            yield Finding("VA103", at, "drop", f"{line.code} needs a 7th character: {chars}")


def _lacks_seventh(claim: Claim, at: int) -> bool:
    node = claim.lines[at].node
    if node is None or node.kind != "code" or node.billable:
        return False
    children = claim.store.children(node)
    return all(len(child.code) == 8 and child.billable for child in children) and bool(
        claim.store.sevenths(node)
    )


EDITS = (
    Edit(
        "VA101",
        "unknown-code",
        "I.B.1",
        "The code is not in the Tabular List of this release. It may be mistyped, of another "
        "year, or of another system. Look the condition up with `clh lookup`.",
        _unknown,
        fires=("E11.222",),
        passes=("E11.22",),
        always=True,
    ),
    Edit(
        "VA102",
        "header-code",
        "I.B.2",
        "The code has codes below it, so it is not valid for reporting. Code to the highest "
        "number of characters available.",
        _header,
        fires=("E11",),
        passes=("E11.9",),
        always=True,
    ),
    Edit(
        "VA103",
        "seventh-character",
        "I.A.5",
        "The category wants a 7th character in the 7th place, empty places before it filled "
        "with X.",
        _seventh,
        fires=("S52.502",),
        passes=("S52.502A",),
        always=True,
    ),
)
