"""Reads the first sheet of an .xlsx: its cells as text, a list a row.

Layout (ECMA-376): a zip with `xl/worksheets/sheet1.xml`, where a cell `<c r="B2" t="s"><v>7</v>`
holds the number of a string in `xl/sharedStrings.xml`; other cells hold numbers, or text inline.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

_NAMES = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_sheet(data: bytes) -> Iterator[list[str]]:
    """The rows of the first sheet.

    Raises:
        ValueError: A part of it is not XML.
        KeyError: There is no such sheet.
        zipfile.BadZipFile: It is no zip.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            shared: list[str] = []
            if "xl/sharedStrings.xml" in archive.namelist():
                root = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
                shared = [_text(each) for each in root.iterfind(f"{_NAMES}si")]
            sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    for row in sheet.iter(f"{_NAMES}row"):
        cells: list[str] = []
        for cell in row.iterfind(f"{_NAMES}c"):
            at = _column(cell.get("r", ""), len(cells))
            cells += [""] * (at + 1 - len(cells))
            value = cell.findtext(f"{_NAMES}v") or ""
            if cell.get("t") == "s" and value:
                value = shared[int(value)]
            elif cell.get("t") == "inlineStr":
                value = _text(cell)
            cells[at] = value
        yield cells


def _text(element: ElementTree.Element) -> str:
    """The runs of a string; what is said of its sound is left out."""
    runs = (*element.iterfind(f"{_NAMES}t"), *element.iterfind(f"{_NAMES}r/{_NAMES}t"))
    inline = element.iterfind(f"{_NAMES}is/{_NAMES}t")
    return "".join(each.text or "" for each in (*runs, *inline))


def _column(place: str, otherwise: int) -> int:
    """The number, from 0, of the column of `AB12`."""
    letters = re.match(r"[A-Z]+", place)
    if letters is None:
        return otherwise
    number = 0
    for letter in letters[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1
