"""The compiled classification: lineage, inherited notes and characters, citations."""

import sqlite3

import pytest

from clhcode.errors import UserError
from clhcode.icd.sources import File, Sources, choose, packaged
from clhcode.icd.store import open_store


def codes(nodes):
    return [node.code for node in nodes]


def test_lineage(store):
    node = store.node("S52.502A")
    assert codes(store.lineage(node)) == [
        "chapter 19",
        "S50-S59",
        "S52",
        "S52.5",
        "S52.50",
        "S52.502",
        "S52.502A",
    ]
    assert store.category(node).code == "S52"


def test_descendants_are_a_range(store):
    s52, leaf, other = store.node("S52"), store.node("S52.502A"), store.node("S62.001A")
    assert s52.holds(leaf)
    assert s52.holds(s52)
    assert not s52.holds(other)
    assert not leaf.holds(s52)


def test_a_section_of_one_category_is_not_taken_for_it(store):
    # U07 is the category; the section that holds it has a range for a name.
    assert store.node("U07").kind == "code"


def test_notes_are_inherited_from_above(store):
    notes = store.instructions(store.node("E11.22"))
    assert ("excludes1", "type 1 diabetes mellitus (E10.-)") in [(n.kind, n.text) for n in notes]
    note = next(n for n in notes if n.text.startswith("type 1 diabetes"))
    assert note.names(store.node("E10.65"))
    assert not note.names(store.node("E11.65"))
    assert store.by_number(note.node).code == "E11"


def test_sevenths_come_from_the_nearest_definition(store):
    chars = [char for char, _, _ in store.sevenths(store.node("S52.502"))]
    assert chars == list("ABCDEFGHJKMNPQRS")
    # S52.52 (torus fracture) overrides its category: a torus fracture is never open.
    assert [c for c, _, _ in store.sevenths(store.node("S52.521"))] == list("ADGKPS")
    assert store.sevenths(store.node("E11.9")) == ()


def test_most_excludes1_notes_are_compiled(store):
    db = sqlite3.connect(f"{store.path.as_uri()}?mode=ro", uri=True)
    total, cited = db.execute(
        "select count(*), sum(exists(select 1 from cite where instruction = i.id))"
        " from instruction i where kind = 'excludes1'"
    ).fetchone()
    db.close()
    assert total > 5_000
    assert cited / total > 0.97


def test_counts_of_the_packaged_release(store):
    meta = store.meta()
    assert int(meta["billable"]) > 74_000
    nodes = list(store.nodes())
    assert len({n.code for n in nodes}) == len(nodes)
    assert sum(n.billable for n in nodes) == int(meta["billable"])
    assert all(n.id == n.last for n in nodes if n.billable)


def test_a_damaged_source_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    broken = tmp_path / "broken.xml"
    broken.write_bytes(packaged().path.read_bytes()[:100_000])
    sources = Sources(File(broken, "tabular", "2026"))
    with pytest.raises(UserError, match=r"broken\.xml: not a readable tabular"):
        open_store(sources, say=lambda line: None)
    assert [path.suffix for path in tmp_path.glob("clh/*.sqlite*")] == [".lock"]


def test_the_newest_tabular_is_joined_with_its_own_years_index(tmp_path):
    def file(kind, year):
        return File(tmp_path / f"{kind}{year}", kind, year)

    t25, t26, i24, i25 = (
        file("tabular", "2025"),
        file("tabular", "2026"),
        file("index", "2024"),
        file("index", "2025"),
    )
    assert choose([t25, t26, i24, i25]) == Sources(t26, (i25,))
    assert choose([t25, i25, i24]) == Sources(t25, (i25,))
    assert choose([t25, i24, file("index", "2026"), i25]) == Sources(t25, (i25,))
    assert choose([t26]) == Sources(t26)
    assert choose([t25, t26, i25], release="2025") == Sources(t25, (i25,))
    with pytest.raises(UserError, match=r"no Tabular List of FY2019 at hand .*2025, 2026"):
        choose([t25, t26], release="2019")
    tables = file("drug", "2026"), file("neoplasm", "2025")
    assert choose([t26, *tables]).of("neoplasm") == tables[1]
