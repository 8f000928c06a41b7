"""The official table of codes that came in the place of others, as text and as a sheet."""

import io
import zipfile

import pytest

from clhcode.errors import UserError
from clhcode.icd.conversion import Change, between, find_conversion, fiscal, read_conversion
from clhcode.icd.sheet import read_sheet

TABLE = """ICD-10-CM Conversion Table FY2026

Current code assignment\tEffective\tPrevious Code(s) Assignment
A92.5\t2016\tA92.8
M54.50\t10/1/2021\tM54.5
E66.813\t2024\t"E66.01, E66.8"
H02.151\t10/1/2017\tH02.101-H02.104; H02.109
T40.415A\t2020\tT40.4X5A-T40.4X5D
A48.52\t1/1/2021\tA05.1 and A48.8
U07.1\t4/1/2020\tNone
C84.A9\t2024
Z99.9\t\tZ99.8
Z99.9\t2025\tZ99.7 or Z99.9
"""
WANTED = {
    "A92.5": (Change(("A92.8",), 2017),),
    "M54.50": (Change(("M54.5",), 2022),),
    "E66.813": (Change(("E66.01", "E66.8"), 2025),),
    "H02.151": (Change(("H02.101", "H02.102", "H02.103", "H02.104", "H02.109"), 2018),),
    "T40.415A": (Change(("T40.4X5A", "T40.4X5B", "T40.4X5C", "T40.4X5D"), 2021),),
    "A48.52": (Change(("A05.1", "A48.8"), 2021),),
    "Z99.9": (Change(("Z99.8",), None), Change(("Z99.7",), 2026)),
}


def rows():
    return [line.split("\t") for line in TABLE.splitlines()]


def sheet(table):
    """An .xlsx of a table: shared strings, one text inline, dates as numbers, a cell left out."""
    shared, lines = [], []
    for number, cells in enumerate(table, 1):
        line = ""
        for letter, cell in zip("ABC", cells, strict=False):
            where = f'r="{letter}{number}"'
            if cell.isdigit():
                line += f"<c {where}><v>{cell}</v></c>"
            elif cell == "Z99.8":
                line += f'<c {where} t="inlineStr"><is><t>{cell}</t></is></c>'
            elif cell:
                half = len(cell) // 2
                shared.append(f"<si><r><t>{cell[:half]}</t></r><r><t>{cell[half:]}</t></r></si>"
                              if number % 2 else f"<si><t>{cell}</t></si>")  # fmt: skip
                line += f'<c {where} t="s"><v>{len(shared) - 1}</v></c>'
        lines.append(f'<row r="{number}">{line}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{''.join(shared)}</sst>")
        inner = f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        archive.writestr("xl/worksheets/sheet1.xml", inner)
    return made.getvalue()


def test_lines_of_the_table():
    found = read_conversion(rows(), "FY2026")
    assert found.before == WANTED
    assert found.name.startswith("FY2026 (")
    assert read_conversion([["Title"], ["Current", "x", "y"]], "none") is None


def test_a_sheet_says_the_same():
    cells = [[cell.strip('"').replace("10/1/2021", "44470") for cell in row] for row in rows()]
    read = list(read_sheet(sheet(cells)))
    assert [r + [""] * (3 - len(r)) for r in read] == [c + [""] * (3 - len(c)) for c in cells]
    assert read_conversion(read, "FY2026").before == WANTED


@pytest.mark.parametrize(
    ("effective", "year"),
    [
        ("2024", 2025),
        ("2024.0", 2025),
        ("45017", 2023),  # the first of April 2023
        ("45200", 2024),  # the first of October
        ("10/1/2021", 2022),
        ("9/30/21", 2021),
        ("04/01/2023", 2023),
        ("13/45/2023", None),
        ("", None),
        ("soon", None),
    ],
)
def test_fiscal_years(effective, year):
    assert fiscal(effective) == year


@pytest.mark.parametrize(
    ("first", "last", "codes"),
    [
        ("H02.101", "H02.103", ["H02.101", "H02.102", "H02.103"]),
        ("C00.8", "C00.9", ["C00.8", "C00.9"]),
        ("S00.09", "S00.11", ["S00.09", "S00.10", "S00.11"]),
        ("T36.0X1A", "T36.0X1C", ["T36.0X1A", "T36.0X1B", "T36.0X1C"]),
        ("I10", "I10", ["I10"]),
        ("A01.0", "B02", ["A01.0", "B02"]),
    ],
)
def test_ranges(first, last, codes):
    assert list(dict.fromkeys(between(first, last))) == codes


def test_files_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find_conversion() is None
    home = tmp_path / "clh/icd10cm"
    for year in ("2025", "2026"):
        (home / year).mkdir(parents=True)
    (home / "2025/icd10cm-conversion.txt").write_text(TABLE)
    assert find_conversion().name.startswith("FY2025 (")
    with zipfile.ZipFile(home / "2026/2026-conversion-table.zip", "w") as archive:
        archive.writestr("icd10pcs_conversion_table_FY2026.txt", "no table of ours\t2026\tA01.1")
        archive.writestr("ICD-10-CM-CONVERSION-TABLE-FY2026.xlsx", sheet(rows()))
    found = find_conversion()
    assert (found.name[:6], found.before) == ("FY2026", WANTED)
    with pytest.raises(UserError, match="no conversion table"):
        find_conversion(_other(tmp_path))
    broken = tmp_path / "conversion.xlsx"
    broken.write_bytes(b"PK no zip")
    with pytest.raises(UserError, match=r"conversion\.xlsx: cannot be read"):
        find_conversion(broken)


def _other(folder):
    path = folder / "notes.txt"
    path.write_text("I10 is hypertension\n")
    return path
