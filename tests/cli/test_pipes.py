"""Four commands joined by pipes do what `clh code` does, and `gold` decides nothing."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.run import complaint, pipeline, text
from tests.cli.table import codes, demo_rows, read_rows, real_rows, write_lines

AGENTS = ("analyse", "locate", "verify", "assign")


@pytest.fixture(params=["demo", "real"])
def notes(request, tmp_path):
    if request.param == "demo":
        return write_lines(tmp_path / "n.jsonl", demo_rows())
    pq.write_table(pa.Table.from_pylist(real_rows()), tmp_path / "n.parquet")
    return tmp_path / "n.parquet"


def test_piped_agents_write_the_rows_of_code(notes, tmp_path):
    piped, whole = tmp_path / "a.parquet", tmp_path / "b.parquet"
    exits, _ = pipeline(("analyse", notes), ("locate",), ("verify",), ("assign", "-o", piped))
    assert exits == [0, 0, 0, 0]
    text("code", notes, "-o", whole)
    assert read_rows(piped) == read_rows(whole)
    assert any(codes(row) for row in read_rows(whole))


def test_agents_from_file_to_file_write_the_same(tmp_path):
    source = write_lines(tmp_path / "n.jsonl", demo_rows())
    for agent in AGENTS:
        target = tmp_path / f"{agent}.parquet"
        text(agent, source, "-o", target)
        source = target
    text("code", tmp_path / "n.jsonl", "-o", tmp_path / "b.parquet")
    assert read_rows(source) == read_rows(tmp_path / "b.parquet")


def test_a_stage_keeps_what_the_stages_before_it_wrote(tmp_path):
    notes = write_lines(tmp_path / "n.jsonl", demo_rows())
    text("analyse", notes, "-o", tmp_path / "a.parquet")
    text("locate", tmp_path / "a.parquet", "-o", tmp_path / "b.parquet")
    for before, after in zip(
        read_rows(tmp_path / "a.parquet"), read_rows(tmp_path / "b.parquet"), strict=True
    ):
        for one, other in zip(before["conditions"], after["conditions"], strict=True):
            assert {**other, "candidates": None} == one
    assert any(
        c["candidates"] for row in read_rows(tmp_path / "b.parquet") for c in row["conditions"]
    )


@pytest.mark.parametrize(
    ("agent", "first"), [("locate", "analyse"), ("verify", "analyse"), ("assign", "analyse")]
)
def test_a_stage_out_of_turn_says_what_to_run_first(agent, first, tmp_path):
    notes = write_lines(tmp_path / "n.jsonl", [{"note_id": "n1", "text": "Asthma."}])
    assert f"run `clh {first}` first" in complaint(agent, notes)


def test_verify_before_locate_says_so(tmp_path):
    note = write_lines(tmp_path / "n.jsonl", [{"note_id": "n1", "text": "Asthma."}])
    text("analyse", note, "-o", tmp_path / "a.parquet")
    assert "run `clh locate` first" in complaint("verify", tmp_path / "a.parquet")
    text("locate", tmp_path / "a.parquet", "-o", tmp_path / "l.parquet")
    assert "run `clh verify` first" in complaint("assign", tmp_path / "l.parquet")


def predictions(rows, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", rows)
    text("code", source, "-o", tmp_path / "out.jsonl")
    return read_rows(tmp_path / "out.jsonl")


def test_gold_decides_nothing_and_passes_by(tmp_path):
    rows = demo_rows()
    assert all(row["gold"] for row in rows)
    golds = [row["gold"] for row in rows]
    permuted = [
        {**row, "gold": gold} for row, gold in zip(rows, golds[1:] + golds[:1], strict=True)
    ]
    without = [{key: value for key, value in row.items() if key != "gold"} for row in rows]
    found = [predictions(each, tmp_path) for each in (rows, permuted, without)]
    stripped = [[{**row, "gold": None} for row in each] for each in found]
    assert stripped[0] == stripped[1] == stripped[2]
    assert [row["gold"] for row in found[1]] == golds[1:] + golds[:1]
    assert [row["gold"] for row in found[2]] == [None] * len(rows)


def test_the_flat_view_lists_codes_candidates_and_dropped(tmp_path):
    source = write_lines(tmp_path / "n.jsonl", demo_rows())
    text("code", source, "-o", tmp_path / "c.parquet")
    rows = read_rows(tmp_path / "c.parquet")
    for view, expected in (
        ("codes", sum(len(row["codes"]) for row in rows)),
        ("dropped", sum(len(row["dropped"]) for row in rows)),
        ("candidates", sum(len(c["candidates"] or ()) for r in rows for c in r["conditions"])),
    ):
        listed = text("table", tmp_path / "c.parquet", "--of", view, "--format", "tsv").splitlines()
        assert len(listed) == expected + 1
        assert len({line.count("\t") for line in listed}) == 1
    shown = text("table", tmp_path / "c.parquet", "--format", "text")
    assert all(len(line) <= 160 for line in shown.splitlines())


def test_stdin_may_be_a_parquet_file(tmp_path):
    source = write_lines(tmp_path / "n.jsonl", demo_rows()[:2])
    text("analyse", source, "-o", tmp_path / "a.parquet")
    there = text("locate", "-", "--format", "jsonl", stdin=(tmp_path / "a.parquet").read_bytes())
    assert len([json.loads(line) for line in there.splitlines()]) == 2
