"""Taking an agent's work away changes the result in the way its name says."""

import pytest

from tests.cli.run import text
from tests.cli.table import codes, demo_rows, read_rows, real_rows, write_lines

NOTE = {
    "note_id": "n1",
    "text": (
        "Assessment:\n1. Denies chest pain.\n2. Asthma. Asthma is stable.\n"
        "3. Closed fracture of the lower end of the left radius.\n"
        "4. Chronic kidney disease. Chronic kidney disease stage 4.\n"
    ),
}


def coded(rows, tmp_path, *options):
    source = write_lines(tmp_path / "n.jsonl", rows)
    target = tmp_path / "c.jsonl"
    text("code", source, "-o", target, *options)
    return read_rows(target)


def without(work, tmp_path, rows=(NOTE,)):
    return coded(rows, tmp_path), coded(rows, tmp_path, "--without", work)


def test_without_assertion_what_is_denied_is_coded(tmp_path):
    whole, less = without("assertion", tmp_path)
    assert "R07.9" not in codes(whole[0])
    assert "R07.9" in codes(less[0])
    assert {c["assertion"] for c in less[0]["conditions"]} == {"present"}


def test_without_retrieval_nothing_is_found(tmp_path):
    whole, less = without("retrieval", tmp_path)
    assert codes(whole[0])
    assert codes(less[0]) == []
    assert all(not c["candidates"] for c in less[0]["conditions"])
    bare = [{**c, "candidates": None} for c in whole[0]["conditions"]]
    assert [{**c, "candidates": None} for c in less[0]["conditions"]] == bare


def test_without_specificity_a_header_stays_a_header_and_is_rejected(tmp_path):
    whole, less = without("specificity", tmp_path)
    assert "S52.502A" in codes(whole[0])
    assert not any(code.startswith("S52") for code in codes(less[0]))
    verdicts = [
        c["reason"] for x in less[0]["conditions"] for c in x["candidates"] or () if c["reason"]
    ]
    assert any("is a header" in reason for reason in verdicts)


def test_without_merging_every_mention_keeps_its_code(tmp_path):
    whole, less = without("merging", tmp_path)
    assert codes(whole[0]).count("J45.909") == 1
    assert codes(less[0]).count("J45.909") == 2
    assert "N18.9" not in codes(whole[0])
    assert {"N18.9", "N18.4"} <= set(codes(less[0]))


@pytest.mark.parametrize("rows", [demo_rows, real_rows], ids=["demo", "real"])
def test_on_many_notes_each_work_shows(rows, tmp_path):
    rows = rows()
    whole = coded(rows, tmp_path)
    less = {
        work: coded(rows, tmp_path, "--without", work)
        for work in ("assertion", "retrieval", "specificity", "merging")
    }

    def count(rows):
        return sum(len(codes(row)) for row in rows)

    def looked_up(rows):
        return sum(c["candidates"] is not None for row in rows for c in row["conditions"])

    assert looked_up(less["assertion"]) > looked_up(whole)
    assert count(less["retrieval"]) == 0
    assert count(less["specificity"]) < count(whole)
    assert count(less["merging"]) > count(whole)
    assert all(not row["dropped"] for row in less["merging"])
    # What comes before the work that was taken away is untouched.
    for work in ("specificity", "merging"):
        for one, other in zip(whole, less[work], strict=True):
            assert [c["quote"] for c in one["conditions"]] == [
                c["quote"] for c in other["conditions"]
            ]
