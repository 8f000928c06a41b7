"""The Tabular List: a small one by hand, and the official ones against the order file."""

import gzip
import io

import pytest

from clhcode.icd.sources import identify
from clhcode.icd.tabular import read_tabular
from tests.conftest import shared

SMALL = b"""<ICD10CM.tabular><version>2031</version><chapter>
<name>19</name><desc>Injury (S00-T88)</desc>
<section id="S50-S59"><desc>Injuries to the forearm</desc>
<diag><name>S52</name><desc>Fracture of forearm</desc>
 <excludes1><note>traumatic amputation of forearm (S58.-)</note></excludes1>
 <sevenChrDef><extension char="A">initial, closed</extension><note>closed NOS</note>
  <extension char="B">initial, open</extension></sevenChrDef>
 <diag><name>S52.5</name><desc>Lower end of radius</desc>
  <inclusionTerm><note>Distal end</note></inclusionTerm></diag>
 <diag><name>S52.6</name><desc>Lower end of ulna</desc>
  <sevenChrDef><extension char="D">later</extension></sevenChrDef>
  <diag><name>S52.611</name><desc>Torus</desc></diag></diag>
</diag>
<diag><name>S59</name><desc>Other</desc></diag>
</section></chapter></ICD10CM.tabular>"""


def test_a_small_list():
    version, entries = read_tabular(io.BytesIO(SMALL))
    assert version == "2031"
    assert [(e.code, e.depth, e.billable) for e in entries] == [
        ("19", 0, False),
        ("S50-S59", 1, False),
        ("S52", 2, False),
        ("S52.5", 3, False),
        ("S52.5XXA", 4, True),
        ("S52.5XXB", 4, True),
        ("S52.6", 3, False),
        ("S52.611", 4, False),
        ("S52.611D", 5, True),
        ("S59", 2, True),
    ]
    s52 = entries[2]
    assert s52.instructions == (("excludes1", "traumatic amputation of forearm (S58.-)"),)
    assert [(s.char, s.also) for s in s52.sevenths] == [("A", "closed NOS"), ("B", None)]
    assert entries[4].title == "Lower end of radius, initial, closed"


def test_the_billable_codes_of_2021_are_those_of_the_official_order_file():
    tabular = identify(shared("icd10cm", "FY2021", "icd10cm_tabular_2021.xml.gz"))
    with tabular.open() as stream:
        version, entries = read_tabular(stream)
    assert version == tabular.release == "2021"
    order = shared("icd10cm", "FY2021", "icd10cm-order-Jan-2021.txt.gz")
    with gzip.open(order, "rt") as lines:
        rows = [(line[6:14].strip(), line[14], line[77:].strip()) for line in lines]
    billable = {code: title for code, flag, title in rows if flag == "1"}
    headers = {code for code, flag, _ in rows if flag == "0"}
    ours = {e.code.replace(".", ""): e for e in entries if e.kind == "code"}
    assert {code for code, e in ours.items() if e.billable} == billable.keys()
    # The order file has no line for a header that 7th characters alone make one.
    assert headers <= {code for code, e in ours.items() if not e.billable}
    titles = sum(ours[code].title.lower() == title.lower() for code, title in billable.items())
    assert titles / len(billable) > 0.99


@pytest.mark.parametrize(
    ("code", "billable"),
    [
        ("E11.22", True),
        ("E11.2", False),
        ("R40.2112", True),
        ("S52.502", False),
        ("S52.502C", True),
        ("W19.XXXA", True),
        ("O31.8X11", True),
        ("S06.5X7A", True),
        ("H40.1132", True),
        ("U07.1", True),
        ("M80.08XA", True),
    ],
)
def test_codes_of_the_packaged_release(store, code, billable):
    assert store.node(code).billable is billable


@pytest.mark.parametrize("code", ["S06.5X7D", "E11.222", "S52.502X", "W19.XXXXA", "Z99.99", "W19A"])
def test_codes_that_do_not_exist(store, code):
    assert store.node(code) is None
