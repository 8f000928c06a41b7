"""The neoplasm and drug tables, the lists, and going from year to year."""

import gzip
import io

import pytest

from clhcode.icd.cells import read_cells
from clhcode.icd.lists import read_exempt, read_order
from clhcode.icd.sources import identify
from clhcode.icd.store import open_store
from clhcode.icd.years import earlier, heirs
from tests.conftest import shared

TABLE = b"""<?xml version="1.0"?><ICD10CM.index><version>2031</version>
<indexHeading><head col="1">Substance</head></indexHeading>
<letter><title>A</title><mainTerm><title>Aspirin<nemod>(aluminum)</nemod></title>
<cell col="2">T39.011</cell><cell col="6">T39.015</cell><cell col="7">--</cell>
<term level="1"><title>soluble</title><cell col="2">T39.01-</cell></term></mainTerm></letter>
</ICD10CM.index>"""


def test_a_table_is_read_row_by_row():
    version, terms, cells = read_cells(io.BytesIO(TABLE))
    assert version == "2031"
    assert [(t.title, t.parent, t.modifiers) for t in terms] == [
        ("Aspirin", None, ("aluminum",)),
        ("soluble", 0, ()),
    ]
    assert [(c.term, c.column, c.code) for c in cells] == [
        (0, 2, "T39.011"),
        (0, 6, "T39.015"),
        (1, 2, "T39.01-"),
    ]


def test_the_order_file_is_read_by_columns():
    line = "00002 A000    1 Cholera due to Vibrio" + " " * 40 + "Cholera due to Vibrio cholerae\n"
    (one,) = read_order(io.BytesIO(line.encode() + b"\n"))
    assert (one.code, one.billable, one.title) == ("A00.0", True, "Cholera due to Vibrio cholerae")


def test_the_exempt_codes_are_read_past_their_heading():
    lines = b"Order26\tPOAexemptCode\tDescription\n01238\tB90.0\tSequelae\n\n"
    assert list(read_exempt(io.BytesIO(lines))) == ["B90.0"]


@pytest.mark.parametrize(
    ("parts", "kind", "release"),
    [
        (("FY2021", "icd10cm-order-Jan-2021.txt.gz"), "order", "2021"),
        (("FY2021", "icd10cm_tabular_2021.xml.gz"), "tabular", "2021"),
        (("FY2025", "icd10cm_index_2025_rebuilt.xml.gz"), "index", "2025"),
        (("FY2025", "icd-10-cm-eindex-2025.xml.gz"), "external", "2025"),
        (("FY2026", "icd10cm-neoplasm-April-1-2026.xml.gz"), "neoplasm", "2026"),
        (("FY2026", "icd10cm-drug-April-1-2026.xml.gz"), "drug", "2026"),
        (("FY2026", "POAexemptCodesFY26.txt.gz"), "poa", "2026"),
    ],
)
def test_official_files_are_known_by_their_contents(parts, kind, release):
    file = identify(shared("icd10cm", *parts))
    assert (file.kind, file.release) == (kind, release)


@pytest.mark.parametrize("kind", ["neoplasm", "drug"])
def test_the_store_holds_every_cell_the_file_has(indexed, kind):
    store, _ = open_store(indexed)
    text = gzip.decompress(indexed.of(kind).path.read_bytes()).decode()
    printed = text.count("<cell") - text.count(">-</cell>") - text.count(">--</cell>")
    held = sum(store.term(term).book == kind for term, _, _ in store.cells())
    # A code or two of another year's table the tabular may not know.
    assert printed - int(store.meta()["unknown_codes"]) <= held <= printed


@pytest.mark.parametrize(
    ("phrase", "code", "path"),
    [
        ("liver metastases", "C78.7", ("liver", "malignant secondary")),
        ("adenocarcinoma of the colon", "C18.9", ("colon", "malignant primary")),
        ("aspirin overdose", "T39.011", ("Aspirin", "poisoning, accidental")),
        ("adverse effect of warfarin", "T45.515", ("Warfarin", "adverse effect")),
    ],
)
def test_tables_are_looked_up_as_tables(indexed_finder, phrase, code, path):
    best = indexed_finder.find(phrase)[0]
    assert (best.node.code, best.source, best.path[-2:]) == (code, "table", path)


def test_a_divided_code_has_heirs_and_they_know_it(store):
    assert heirs("M54.5", store) == ("M54.50", "M54.51", "M54.59")
    assert heirs("R51", store) == ("R51.0", "R51.9")
    assert heirs("I10", store) == ("I10",)
    assert heirs("Z99.999", store) == ()
    assert earlier("M54.50", {"M54.5", "M54"}) == "M54.5"
    assert earlier("R51.9", {"R51"}) == "R51"
    assert earlier("R51.9", {"I10"}) is None


def test_every_code_is_its_own_heir_or_below_it(store):
    for node in list(store.nodes())[::997]:
        if node.kind == "code":
            assert all(code.startswith(node.code) for code in heirs(node.code, store))
