"""The Alphabetic Index: paths, cross references, codes the tabular does not know."""

import io

import pytest

from clhcode.icd.index import References, alternatives, read_index
from clhcode.icd.store import open_store

SMALL = b"""<ICD10CM.index><version>2031</version><title>INDEX TO DISEASES and INJURIES</title>
<letter><title>D</title>
<mainTerm><title>Diabetes, diabetic<nemod>(mellitus) (sugar)</nemod></title><code>E11.9</code>
 <term level="1"><title>type 1</title><code>E10.9</code>
  <term level="2"><title>with</title>
   <term level="3"><title>arthropathy NEC</title><code>E10.618</code></term></term></term>
</mainTerm>
<mainTerm><title>Disease, diseased</title><code>R69</code><seeAlso>Syndrome</seeAlso></mainTerm>
</letter><letter><title>S</title>
<mainTerm><title>Sugar</title><see>Diabetes, type 1, with</see></mainTerm>
<mainTerm><title>Sweet</title><see>condition</see></mainTerm>
<mainTerm><title>Complication(s)<nemod>(of)</nemod></title>
 <term level="1"><title>graft</title><code>T86.9-</code><manif>[Z94.9]</manif></term></mainTerm>
</letter></ICD10CM.index>"""


@pytest.fixture
def terms():
    return read_index(io.BytesIO(SMALL))[1]


def test_a_small_index(terms):
    assert [(t.level, t.title, t.parent, t.last) for t in terms] == [
        (0, "Diabetes, diabetic", None, 3),
        (1, "type 1", 0, 3),
        (2, "with", 1, 3),
        (3, "arthropathy NEC", 2, 3),
        (0, "Disease, diseased", None, 4),
        (0, "Sugar", None, 5),
        (0, "Sweet", None, 6),
        (0, "Complication(s)", None, 8),
        (1, "graft", 7, 8),
    ]
    assert terms[0].modifiers == ("mellitus", "sugar")
    assert (terms[8].code, terms[8].manifestation) == ("T86.9-", "[Z94.9]")
    assert terms[4].see_also == "Syndrome"


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("Diabetes, type 1, with", "with"),
        ("Diabetes", "Diabetes, diabetic"),
        ("diabetic, type 1", "type 1"),
        ("Diabetes, by type", "Diabetes, diabetic"),
        ("Complications, graft", "graft"),
        ("Diabetes, of another kind", "Diabetes, diabetic"),
        ("condition", None),
    ],
)
def test_references(terms, reference, title):
    found = References(terms).resolve(reference)
    assert (terms[found].title if found is not None else None) == title


def test_alternatives():
    assert alternatives("Diabetes, diabetic") == ("Diabetes", "diabetic")
    assert alternatives("Fracture, traumatic") == ("Fracture",)


def test_the_rebuilt_index(indexed):
    store, _ = open_store(indexed)
    meta = store.meta()
    assert int(meta["terms"]) > 80_000
    known = {node.code for node in store.nodes()}
    printed = [c for t in store.terms() for c in (t.code, t.manifestation) if c]
    assert len(printed) > 60_000
    assert set(printed) <= known
    sees = [t for t in store.terms() if t.see and t.see != "condition" and "by site" not in t.see]
    resolved = sum(t.target is not None for t in sees)
    assert resolved / len(sees) > 0.94
