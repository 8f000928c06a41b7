"""What the small model of our own learns from."""

from benchmarks.small_model import pairs, phrases
from clhcode.bench.making import DEV, HELD_OUT, part


def test_no_category_that_is_asked_about_is_learned(indexed):
    from clhcode.icd.store import open_store

    store, _ = open_store(indexed)
    found = list(phrases(store))
    assert {part(code) for code, _ in found} == set(range(8)) - {HELD_OUT, DEV}
    assert len(found) > 50_000
    assert ("Typhoid fever", "Infection due to Salmonella typhi") in pairs(store)
