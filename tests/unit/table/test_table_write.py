from __future__ import annotations

import gc
import io
import os
import pty
import stat
import tempfile
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_cases import EMPTY, FULL, rows

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, to_dict
from clhcode.table.read import read
from clhcode.table.write import ROW_GROUP, format_of, open_writer, stdout_kind

TWO = [FULL, EMPTY]


def save(path, *lists, **options):
    with open_writer(path, **options) as writer:
        for some in lists:
            writer.write(some)
    return path


def interrupted():
    yield FULL
    raise KeyboardInterrupt


def rows_of(path):
    return [row for some in read(path) for row in some]


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_all_formats_read_back_alike(some):
    with tempfile.TemporaryDirectory() as folder:
        names = ("a.parquet", "a.arrow", "a.jsonl", "a.json")
        first, *others = (rows_of(save(Path(folder, name), some)) for name in names)
    assert [row.encounter.notes for row in first] == [row.encounter.notes for row in some]
    assert [row.gold for row in first] == [row.gold for row in some]
    assert all(other == first for other in others)


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=3))
def test_a_second_trip_changes_nothing(some):
    with tempfile.TemporaryDirectory() as folder:
        a = rows_of(save(Path(folder, "a.parquet"), some))
        b = rows_of(save(Path(folder, "b.jsonl"), a))
        c = rows_of(save(Path(folder, "c.parquet"), b))
        assert a == b == c
        assert pq.read_table(Path(folder, "a.parquet")) == pq.read_table(Path(folder, "c.parquet"))


def test_formats_by_suffix():
    named = {"a.parquet": "parquet", "a.pq": "parquet", "a.ARROW": "arrow", "a.ipc": "arrow"}
    named |= {"a.feather": "arrow", "a.jsonl": "jsonl", "a.ndjson": "jsonl", "a.json": "json"}
    assert {name: format_of(Path(name)) for name in named} == named
    with pytest.raises(UserError, match=r"a\.xlsx: the suffix says no format; known"):
        format_of(Path("a.xlsx"))


def test_parquet_keeps_runs_and_compresses(tmp_path):
    path = save(tmp_path / "a.parquet", TWO, [FULL], runs={"r1": {"engine": "rules"}})
    file = pq.ParquetFile(path)
    assert file.schema_arrow.metadata[b"clh.runs"] == b'{"r1":{"engine":"rules"}}'
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.num_row_groups == 1
    assert rows_of(path) == [FULL, EMPTY, FULL]


def test_row_groups_are_cut_by_bytes(tmp_path):
    big = [Row(Encounter("e", (Note("n", "a" * (ROW_GROUP // 4)),)))]
    path = save(tmp_path / "a.parquet", *[big] * 6)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [4, 2]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_table_without_rows(tmp_path, name):
    assert rows_of(save(tmp_path / name, [])) == []
    assert rows_of(save(tmp_path / name)) == []


def test_jsonl_has_every_key(tmp_path):
    lines = save(tmp_path / "a.jsonl", TWO).read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == [to_dict(FULL), to_dict(EMPTY)]


def test_json_is_an_object_or_an_array(tmp_path):
    path = tmp_path / "a.json"
    assert orjson.loads(save(path, [FULL]).read_bytes()) == to_dict(FULL)
    assert path.read_text().startswith('{\n  "encounter_id": "e1",\n')
    assert orjson.loads(save(path, TWO, [FULL]).read_bytes()) == [
        to_dict(row) for row in (FULL, EMPTY, FULL)
    ]
    assert save(path).read_bytes() == b"[]\n"


@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl", "json"])
def test_to_a_stream_that_stays_open(kind):
    stream = io.BytesIO()
    with open_writer(stream, kind) as writer:
        writer.write(TWO)
    data = stream.getvalue()
    if kind == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 2
    elif kind == "arrow":
        assert pa.ipc.open_stream(data).read_all().num_rows == 2
    else:
        assert data.startswith(b'{"enc' if kind == "jsonl" else b"[\n{")


def test_parquet_into_a_pipe():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as sink, open_writer(sink, "parquet") as writer:
        writer.write(TWO)
    with os.fdopen(reading, "rb") as stream:
        assert pq.read_table(io.BytesIO(stream.read())).num_rows == 2


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl", "a.json"])
def test_a_failure_leaves_what_was_there(tmp_path, name):
    path = save(tmp_path / name, [EMPTY])
    with pytest.raises(KeyboardInterrupt):
        save(path, [FULL], interrupted())
    assert rows_of(path) == [EMPTY]
    assert os.listdir(tmp_path) == [name]


def test_the_old_output_stays_until_the_end(tmp_path):
    path = save(tmp_path / "a.jsonl", [EMPTY])
    with open_writer(path) as writer:
        writer.write([FULL])
        assert rows_of(path) == [EMPTY]
        assert len(os.listdir(tmp_path)) == 2
    assert rows_of(path) == [FULL]
    assert os.listdir(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_stream_left_by_an_error_is_not_completed(kind):
    stream = io.BytesIO()
    with pytest.raises(KeyboardInterrupt):
        save(stream, TWO, interrupted(), format=kind)
    gc.collect()
    assert not stream.getvalue().endswith(b"\xff\xff\xff\xff\0\0\0\0")
    assert kind == "arrow" or stream.getvalue() == b"PAR1"


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl"])
def test_an_input_may_be_its_own_output(tmp_path, name):
    some = [Row(Encounter(str(n), (Note("n", "a" * 100),))) for n in range(50)]
    path = save(tmp_path / name, some)
    with open_writer(path) as writer:
        for part in read(path, budget=500):
            writer.write(part)
    assert rows_of(path) == some


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    path, link, pipe = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "p.jsonl"
    link.symlink_to(path)
    save(link, [FULL])
    assert link.is_symlink()
    assert rows_of(path) == [FULL]
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    save(pipe, [EMPTY])
    assert orjson.loads(os.read(reading, 1 << 16)) == to_dict(EMPTY)
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(UserError, match=r"d\.jsonl: this is a folder"):
        save(tmp_path / "d.jsonl", TWO)
    with pytest.raises(UserError, match=r"a\.jsonl: cannot be written"):
        save(tmp_path / "none" / "a.jsonl", TWO)


def test_what_a_descriptor_is_connected_to(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        assert stdout_kind(file.fileno()) == "file"
    for descriptors, kind in ((os.pipe(), "pipe"), (pty.openpty(), "terminal")):
        assert stdout_kind(descriptors[1]) == kind
        for descriptor in descriptors:
            os.close(descriptor)
