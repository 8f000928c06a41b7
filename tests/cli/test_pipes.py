"""Four commands joined by pipes do what `clh code` does, and `gold` decides nothing."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clhcode.table.schema import RUNS
from tests.cli.run import complaint, pipeline, text
from tests.cli.table import codes, demo_rows, read_rows, real_rows, write_lines

AGENTS = ("analyse", "locate", "verify", "assign")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder with the demonstration, `n.jsonl`, and what `clh code` makes of it, `c.parquet`."""
    folder = tmp_path_factory.mktemp("demo")
    text("code", write_lines(folder / "n.jsonl", demo_rows()), "-o", folder / "c.parquet")
    return folder


def alike(one, other):
    """Whether two Parquet files hold the same rows and tell the same of their runs."""
    tables = [pq.read_table(path) for path in (one, other)]
    kept = [json.loads(table.schema.metadata[RUNS.encode()]) for table in tables]
    return tables[0].to_pylist() == tables[1].to_pylist() and kept[0] == kept[1]


def test_piped_agents_write_the_rows_of_code(demo, tmp_path):
    piped = tmp_path / "a.parquet"
    commands = (("analyse", demo / "n.jsonl"), ("locate",), ("verify",), ("assign", "-o", piped))
    assert pipeline(*commands)[0] == [0, 0, 0, 0]
    assert alike(piped, demo / "c.parquet")
    assert any(codes(row) for row in read_rows(piped))


def test_piped_agents_write_the_rows_of_code_for_real_notes_by_the_index(tmp_path, index_env):
    notes, piped, whole = (tmp_path / f"{name}.parquet" for name in ("n", "a", "b"))
    pq.write_table(pa.Table.from_pylist(real_rows()), notes)
    commands = (("analyse", notes), ("locate",), ("verify",), ("assign", "-o", piped))
    assert pipeline(*commands, env=index_env)[0] == [0, 0, 0, 0]
    text("code", notes, "-o", whole, env=index_env)
    assert alike(piped, whole)
    sources = {
        c["source"]
        for r in read_rows(piped)
        for x in r["conditions"]
        for c in x["candidates"] or ()
    }
    assert "index" in sources


@pytest.fixture(scope="module")
def stages(demo, tmp_path_factory):
    """The files that the agents wrote, one after another."""
    folder = tmp_path_factory.mktemp("stages")
    source = demo / "n.jsonl"
    for agent in AGENTS:
        text(agent, source, "-o", folder / f"{agent}.parquet")
        source = folder / f"{agent}.parquet"
    return {agent: folder / f"{agent}.parquet" for agent in AGENTS}


def test_agents_from_file_to_file_write_the_same(demo, stages):
    assert alike(stages["assign"], demo / "c.parquet")


@pytest.mark.parametrize(
    ("before", "after", "adds"),
    [
        ("analyse", "locate", {"conditions"}),
        ("locate", "verify", {"conditions"}),
        ("verify", "assign", {"codes", "dropped"}),
    ],
)
def test_an_agent_leaves_the_other_columns_alone(before, after, adds, stages):
    pairs = list(zip(read_rows(stages[before]), read_rows(stages[after]), strict=True))
    assert all(one[k] == other[k] for one, other in pairs for k in one if k not in adds)
    assert all(any(one[k] != other[k] for one, other in pairs) for k in adds)


@pytest.mark.parametrize("agent", ["locate", "verify"])
def test_locate_and_verify_change_nothing_of_a_condition_but_its_candidates(agent, stages):
    for before, after in zip(read_rows(stages["analyse"]), read_rows(stages[agent]), strict=True):
        bare = [{**condition, "candidates": None} for condition in after["conditions"]]
        assert bare == before["conditions"]


def test_a_stage_that_has_not_run_is_null(stages):
    (row, *_) = read_rows(stages["analyse"])
    assert {c["candidates"] is None for c in row["conditions"]} == {True}
    assert (row["codes"], row["dropped"]) == (None, None)
    (row, *_) = read_rows(stages["locate"])
    verdicts = {c["verdict"] for x in row["conditions"] for c in x["candidates"] or ()}
    assert verdicts == {None, "passed over"}
    (row, *_) = read_rows(stages["verify"])
    assert None not in {c["verdict"] for x in row["conditions"] for c in x["candidates"] or ()}


@pytest.mark.parametrize("agent", ["locate", "assign"])
def test_a_stage_out_of_turn_says_what_to_run_first(agent, demo, tmp_path):
    line = complaint(agent, demo / "n.jsonl", "-o", tmp_path / "x.parquet")
    assert "run `clh analyse` first" in line
    assert demo_rows()[0]["encounter_id"] in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("agent", "there"), [("verify", "analyse"), ("assign", "locate")])
def test_a_stage_too_early_says_which_is_missing(agent, there, stages):
    missing = AGENTS[AGENTS.index(there) + 1]
    assert f"run `clh {missing}` first" in complaint(agent, stages[there])


def test_when_the_first_of_a_pipe_fails_the_next_leaves_no_file(tmp_path):
    target = tmp_path / "x.parquet"
    exits, _ = pipeline(("analyse", tmp_path / "none.jsonl"), ("locate", "-o", target))
    assert exits == [2, 2]
    assert list(tmp_path.iterdir()) == []


def predictions(rows, folder):
    folder.mkdir()
    text("code", write_lines(folder / "in.jsonl", rows), "-o", folder / "out.parquet")
    return read_rows(folder / "out.parquet")


def test_gold_decides_nothing_and_passes_by(demo, tmp_path):
    rows = demo_rows()
    golds = [row["gold"] for row in rows]
    assert all(golds)
    turned = golds[1:] + golds[:1]
    permuted = [{**row, "gold": gold} for row, gold in zip(rows, turned, strict=True)]
    without = [{key: value for key, value in row.items() if key != "gold"} for row in rows]
    found = [
        read_rows(demo / "c.parquet"),
        predictions(permuted, tmp_path / "permuted"),
        predictions(without, tmp_path / "without"),
    ]
    stripped = [[{**row, "gold": None} for row in each] for each in found]
    assert stripped[0] == stripped[1] == stripped[2]
    kept = [[row["gold"] for row in each] for each in found]
    assert kept == [golds, turned, [None] * len(rows)]


VIEWS = {
    "codes": lambda rows: [c["code"] for row in rows for c in row["codes"]],
    "dropped": lambda rows: [d["code"] for row in rows for d in row["dropped"]],
    "candidates": lambda rows: [
        c["code"] for row in rows for x in row["conditions"] for c in x["candidates"] or ()
    ],
}


@pytest.mark.parametrize("view", VIEWS)
def test_the_flat_view_has_a_line_for_each(view, demo):
    expected = VIEWS[view](read_rows(demo / "c.parquet"))
    assert expected
    listed = csv.DictReader(io.StringIO(text("table", demo / "c.parquet", "--of", view)))
    assert [line["code"] for line in listed] == expected


def test_the_flat_view_says_the_same_with_tabs_and_for_reading(demo):
    listed = list(csv.reader(io.StringIO(text("table", demo / "c.parquet"))))
    tabs = text("table", demo / "c.parquet", "--format", "tsv")
    assert list(csv.reader(io.StringIO(tabs), delimiter="\t")) == listed
    shown = text("table", demo / "c.parquet", "--format", "text").splitlines()
    assert len(shown) == len(listed)
    assert all(line[2] in shown[number] for number, line in enumerate(listed) if number)
    assert all(len(line) <= 160 for line in shown)


def test_the_flat_view_reads_a_pipe(demo):
    of_file = text("table", demo / "c.parquet")
    exits, shown = pipeline(("code", demo / "n.jsonl"), ("table", "-"))
    assert exits == [0, 0]
    assert shown.decode() == of_file


def test_stdin_may_be_a_parquet_file(stages):
    there = text("locate", "-", "--format", "jsonl", stdin=stages["analyse"].read_bytes())
    found = [[c["quote"] for c in json.loads(line)["conditions"]] for line in there.splitlines()]
    assert found == [[c["quote"] for c in row["conditions"]] for row in read_rows(stages["locate"])]
