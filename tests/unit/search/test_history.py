"""What is over has codes of its own."""

import pytest

from clhcode.search.history import past
from clhcode.search.normalise import table


@pytest.mark.parametrize(
    ("code", "history"),
    [
        ("C50.912", "Z85.3"),
        ("C18.9", "Z85.038"),
        ("I63.9", "Z86.73"),
        ("I21.4", "I25.2"),
        ("N20.0", "Z87.442"),
        ("J18.9", "Z87.01"),
        ("S72.001A", "Z87.81"),
        ("S61.412A", "Z87.828"),
        ("M10.9", "Z87.39"),
        ("F17.200", "Z87.891"),
        ("Z95.1", "Z95.1"),
        ("R07.9", None),
        ("M54.50", None),
    ],
)
def test_the_history_of_a_code(store, code, history):
    found = past(store.node(code), store)
    assert (found.code if found else None) == history


def test_every_code_of_the_file_is_billable(store):
    for first, last, history in table("history.tsv"):
        assert first <= last
        if history not in "=-":
            assert store.node(history), history
            assert store.node(history).billable, history
