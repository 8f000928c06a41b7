"""Reads the neoplasm and drug tables (XML of CDC/NCHS): a term and six codes a row.

The neoplasm table is site by behaviour, the drug table substance by intent. A row is a term
as in the Alphabetic Index; a cell without a code (`-`, `--`) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree

from clhcode.icd.index import Term, read_terms

NEOPLASM = {
    2: "malignant primary",
    3: "malignant secondary",
    4: "carcinoma in situ",
    5: "benign",
    6: "uncertain behavior",
    7: "unspecified behavior",
}
"""Columns of the neoplasm table, as the files number them."""

DRUG = {
    2: "poisoning, accidental",
    3: "poisoning, intentional self-harm",
    4: "poisoning, assault",
    5: "poisoning, undetermined",
    6: "adverse effect",
    7: "underdosing",
}
"""Columns of the drug table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code of a table.

    Attributes:
        term: Number of its row among the terms.
        column: See `NEOPLASM` and `DRUG`.
        code: As printed, a trailing `-` for "more characters needed" included.
    """

    term: int
    column: int
    code: str


def read_cells(stream: IO[bytes]) -> tuple[str, list[Term], list[Cell]]:
    """Reads a whole table: the `version` it names, its rows in preorder, and their cells."""
    root = ElementTree.parse(stream).getroot()
    terms, elements = read_terms(root)
    cells = [
        Cell(number, int(cell.get("col", "0")), code)
        for number, element in enumerate(elements)
        for cell in element.iterfind("cell")
        if (code := (cell.text or "").strip()).strip("-")
    ]
    return (root.findtext("version") or "").strip(), terms, cells
