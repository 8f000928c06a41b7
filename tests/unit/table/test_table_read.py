from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_cases import EMPTY, FULL

from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row, to_batch, to_dict
from clhcode.table.found import cut
from clhcode.table.read import read, read_stream
from clhcode.table.write import open_writer

TWO = [FULL, EMPTY]


def note(note_id, text, encounter_id=None, **more):
    return Row(Encounter(encounter_id or note_id, (Note(note_id, text),), **more))


def rows_of(source):
    return [row for rows in source for row in rows]


def failure(path, **options):
    with pytest.raises(UserError) as told:
        rows_of(read(path, **options))
    return str(told.value).removeprefix(f"{path}: ")


@pytest.fixture
def put(tmp_path):
    def put(name, data):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return put


@pytest.fixture
def written(tmp_path):
    def written(name, rows=TWO, **options):
        path = tmp_path / name
        with open_writer(path, **options) as writer:
            writer.write(rows)
        return path

    return written


def stream_bytes(rows=TWO, copies=1):
    stream = io.BytesIO()
    with open_writer(stream, "arrow", {"r": {"a": 1}}) as writer:
        for _ in range(copies):
            writer.write(rows)
    return stream.getvalue()


# Plain text


def test_a_text_file_is_one_note_as_stored(put):
    path = put("visit.txt", b"\xef\xbb\xbfHPI:\r\n  caf\xc3\xa9\n")
    assert rows_of(read(path)) == [note("visit.txt", "HPI:\r\n  café\n")]


@pytest.mark.parametrize("text", ["[** Name **] came", "a {b", "PAR", '["x"]'])
def test_text_without_a_suffix_is_one_note(put, text):
    assert rows_of(read(put("visit", text))) == [note("visit", text)]


def test_a_folder_is_its_notes_by_name(put, tmp_path):
    for name in ("d/b.txt", "d/a/z.txt", "d/a.txt", "d/x.csv", "d/.hidden.txt"):
        put(name, name)
    assert rows_of(read(tmp_path / "d")) == [
        note("a", "d/a.txt"),
        note("a/z", "d/a/z.txt"),
        note("b", "d/b.txt"),
    ]


def test_faults_of_text(put, tmp_path):
    assert failure(put("a.txt", "")) == "the file is empty"
    assert failure(put("a.txt", " \r\n")) == "the file is empty"
    told = failure(put("a.txt", b"caf\xc3\xa9 \xe9t"))
    assert told == "not UTF-8 text (byte 6); save it as UTF-8"
    assert failure(tmp_path / "none.txt") == "no such file"
    (tmp_path / "d").mkdir()
    assert failure(tmp_path / "d") == "no `.txt` notes in this folder"
    bad = put("d/x.txt", b"\xff")
    with pytest.raises(UserError, match=r"x\.txt: not UTF-8 text"):
        rows_of(read(bad.parent))


# JSON


def lines(*values):
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def test_json_lines_flat_and_nested(put):
    flat = put("notes.jsonl", lines({"text": "a", "mrn": 1}, {"text": "b", "note_id": "x"}))
    source = read(flat)
    assert source.left == ("mrn",)
    assert rows_of(source) == [note("notes-1", "a"), note("x", "b")]
    ours = read(put("ours.ndjson", b"\xef\xbb\xbf\n" + lines({**to_dict(FULL), "mrn": 1})))
    assert ours.left == ("mrn",)
    assert rows_of(ours) == [FULL]


@pytest.mark.parametrize("indent", [0, orjson.OPT_INDENT_2])
def test_a_json_document(put, indent):
    two = orjson.dumps([{"text": "a"}, to_dict(FULL)], option=indent)
    assert rows_of(read(put("two.json", two))) == [note("two-1", "a"), FULL]
    one = orjson.dumps(to_dict(FULL), option=indent)
    assert rows_of(read(put("one.json", one))) == [FULL]
    assert rows_of(read(put("one", one))) == [FULL]
    assert rows_of(read(put("odd.json", b'{"text":\n"a"}'))) == [note("odd-1", "a")]


def test_another_text_column(put):
    path = put("n.jsonl", lines({"NOTE": "a", "text": "b"}))
    source = read(path, text_column="NOTE")
    assert source.left == ("text",)
    assert rows_of(source) == [note("n-1", "a")]


def wrongs(path):
    """What is said of the rows that cannot be read, without the file's name."""
    errors = [error for row in rows_of(read(path)) for error in row.encounter.errors]
    told = [error.message for error in errors if (error.stage, error.kind) == ("read", "bad-row")]
    return [message.removeprefix(f"{path}: ") for message in told]


def test_faults_of_json(put):
    good = lines({"text": "SECRET"})
    assert failure(put("a.jsonl", "")) == "the file is empty"
    assert failure(put("a.jsonl", "\n \n")) == "the file is empty"
    half = good * 2 + b'{"text": "SECR'
    assert wrongs(put("a.jsonl", half)) == ["line 3: broken JSON at column 15"]
    assert failure(put("a.jsonl", half[-14:] + b"\n" + good)) == "line 1: broken JSON at column 15"
    needed = "a JSON object is needed, one for each row"
    assert wrongs(put("a.jsonl", good + b"3\n" + good)) == [f"line 2: {needed}"]
    assert wrongs(put("a.jsonl", good + b'{"note": "SECRET"}')) == [
        "line 2: has neither `text` nor `notes`"
    ]
    told = wrongs(put("a.jsonl", good + b'{"text": "\xff"}\n' + good))
    assert told == [f"line 2: not UTF-8 text (byte {len(good) + 10}); save it as UTF-8"]
    assert failure(put("a.json", b'[{"text": "a"},\n{"te')) == "broken JSON at line 2"
    assert wrongs(put("a.json", b'[{"text": "a"},3]')) == [f"item 2: {needed}"]
    assert failure(put("a.jsonl", lines({"note": "x"}))) == (
        "a table needs a column `text`; this one has `note` (rename it, or `--text-column note`)"
    )


# CSV


def test_csv_in_any_column_order(put):
    data = 'age,text,extra,encounter_id\n63,"a, ""b""\r\nc",x,E1\n,d,,E1\n,e,,\n'
    source = read(put("notes.csv", data))
    assert source.left == ("extra",)
    assert rows_of(source) == [
        Row(Encounter("E1", (Note("notes-1", 'a, "b"\r\nc'), Note("notes-2", "d")), age=63)),
        note("notes-3", "e"),
    ]


@pytest.mark.parametrize(("name", "mark"), [("n.tsv", "\t"), ("n.csv", ";"), ("n.csv", "\t")])
def test_other_delimiters(put, name, mark):
    path = put(name, f"\ufeffnote_id{mark}text\r\n1{mark}a,b\r\n\r\n2{mark}c\r\n")
    assert rows_of(read(path)) == [note("1", "a,b"), note("2", "c")]


def test_a_long_field_and_a_table_without_rows(put):
    assert rows_of(read(put("n.csv", "text\n" + "a" * 200_000)))[0].encounter.notes[0].text == (
        "a" * 200_000
    )
    assert rows_of(read(put("n.csv", "text\n"))) == []


def test_a_column_called_notes_may_hold_the_text(put):
    path = put("n.csv", "id,notes\n1,a\n")
    assert "`--text-column notes`" in failure(path)
    assert rows_of(read(path, text_column="notes")) == [note("n-1", "a")]
    assert rows_of(read(put("m.csv", "text,notes\na,b\n"))) == [note("m-1", "a")]


def test_a_missing_column_is_told_in_the_manner_of_the_house(put):
    assert failure(put("notes.csv", "TEXT_ID,NOTE\n1,SECRET\n")) == (
        "a table needs a column `text`; this one has `TEXT_ID`, `NOTE` "
        "(rename it, or `--text-column NOTE`)"
    )
    assert failure(put("n.csv", "a,b\n"), text_column="c") == (
        "a table needs a column `c`; this one has `a`, `b` "
        "(name the one with the notes: `--text-column NAME`)"
    )
    assert failure(put("n.csv", "1,SECRET words of a patient's note\n")) == (
        "a table needs a column `text`; this one has `1`, ... (is the header row missing?)"
    )


def test_faults_of_csv(put):
    assert failure(put("n.csv", "")) == "the file is empty"
    assert failure(put("n.csv", "\n \n")) == "the file is empty"
    assert wrongs(put("n.csv", "text,sex\na,f\nSECRET\nb,m\n")) == [
        "row 2: 1 fields, but the header names 2 columns"
    ]
    assert wrongs(put("n.csv", "text,sex\nSECRET,x\n")) == [
        "row 1: `sex` must be one of f, female, m, male"
    ]
    assert failure(put("n.csv", 'text\na\n"SECRET\nb\n')) == (
        "row 2: broken CSV at line 4 (unexpected end of data)"
    )
    assert failure(put("n.csv", "text,text\n")) == "1 column names stand twice in the header"
    latin = b"text\n\xc3\xa9\nfi\xe8vre\nb\n"
    assert wrongs(put("n.csv", latin)) == ["row 2: not UTF-8 text; save it as UTF-8"]
    assert failure(put("n.csv", b"t\xe8xt,text\na,b\n")) == (
        "header: not UTF-8 text; save it as UTF-8"
    )


# Gzip


def test_gzip_of_text_formats(put):
    csv = gzip.compress(b"text\na\n")
    assert rows_of(read(put("n.csv.gz", csv))) == [note("n-1", "a")]
    assert rows_of(read(put("v.txt.gz", gzip.compress(b"hello")))) == [note("v.txt", "hello")]
    assert rows_of(read(put("x", gzip.compress(lines(to_dict(FULL)))))) == [FULL]
    assert rows_of(read(put("s", gzip.compress(stream_bytes())))) == TWO


def test_gzip_of_a_parquet_file_is_spooled(put, written):
    data = gzip.compress(written("a.parquet").read_bytes())
    assert rows_of(read(put("a.gz", data))) == TWO


def test_faults_of_gzip(put):
    told = "the gzip data is damaged or cut short"
    data = gzip.compress(b"".join(lines({"text": os.urandom(9).hex()}) for _ in range(5000)))
    assert failure(put("n.jsonl.gz", data[:-2000])) == told
    assert failure(put("n.jsonl.gz", data[:5])) == told
    assert failure(put("n.jsonl.gz", data[:60] + b"x" * 100 + data[160:])) == told
    assert failure(put("n.txt.gz", gzip.compress(b""))) == "the file is empty"


# Parquet and Arrow


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "no_suffix"])
def test_a_table_of_ours(written, name):
    kinds = {"no_suffix": "parquet"}
    source = read(written(name, format=kinds.get(name), runs={"r1": {"engine": "rules"}}))
    assert source.runs == {"r1": {"engine": "rules"}}
    assert source.left == ()
    assert rows_of(source) == TWO


def test_what_a_file_is_is_told_by_its_bytes(put, written):
    parquet = written("a.parquet").read_bytes()
    assert rows_of(read(put("wrong.csv", parquet))) == TWO
    assert rows_of(read(put("stream.arrow", stream_bytes()))) == TWO


def flat_table():
    return pa.table(
        {
            "NOTE": pa.array(["a", "b", "c"], pa.large_string()),
            "encounter_id": pa.array([7, 7, None]),
            "age": [63.0, None, float("nan")],
            "mrn": [1, 2, 3],
            "text": ["x", "y", "z"],
        }
    )


def test_a_flat_table(tmp_path):
    path = tmp_path / "flat.parquet"
    pq.write_table(flat_table(), path)
    source = read(path, text_column="NOTE")
    assert source.left == ("mrn", "text")
    assert rows_of(source) == [
        Row(Encounter("7", (Note("flat-1", "a"), Note("flat-2", "b")), age=63)),
        note("flat-3", "c"),
    ]
    assert [len(rows) for rows in read(path, text_column="NOTE", budget=1)] == [1, 1]


def test_columns_not_carried_are_named(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_batches([to_batch(TWO)])
    pq.write_table(table.append_column("mrn", pa.array([1, 2])), path)
    source = read(path)
    assert source.left == ("mrn",)
    assert rows_of(source) == TWO


def test_a_table_without_text(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"Report_Text": ["SECRET"], "notes": ["SECRET"]}), path)
    assert failure(path) == (
        "a table needs a column `text`; this one has `Report_Text`, `notes` "
        "(rename it, or `--text-column notes`)"
    )


def test_the_row_of_a_bad_value_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", None]}), path)
    assert wrongs(path) == ["row 2: `text` is null"]
    pq.write_table(pa.Table.from_batches([to_batch(TWO)]).drop_columns("encounter_id"), path)
    assert wrongs(path) == [f"row {n}: `encounter_id` is null" for n in (1, 2)]


def test_a_bad_row_of_the_table_costs_no_other(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_batches([to_batch([*TWO, *TWO])])
    ages = pa.array([1, 2, 200, None], pa.int32())
    pq.write_table(table.set_column(table.column_names.index("age"), "age", ages), path)
    assert wrongs(path) == ["row 3: `age` must be between 0 and 150"]
    assert [row.encounter.age for row in rows_of(read(path))] == [1, 2, None, None]
    wrong = table.set_column(table.column_names.index("codes"), "codes", pa.array(["a"] * 4))
    pq.write_table(wrong, path)
    assert failure(path) == "`codes` is string, not a list"


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.parquet"
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    pq.write_table(pa.table({"text": bad}), path)
    assert failure(path) == "cannot be read as a Parquet file; it is damaged or cut short"


@pytest.mark.parametrize("kept", [4, 12, 0.3, 0.9, -1])
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_truncated_file(written, name, kept):
    path = written(name)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    kind = {"a.parquet": "a Parquet file", "a.arrow": "an Arrow file"}[name]
    assert failure(path) == f"cannot be read as {kind}; it is damaged or cut short"


def test_an_empty_or_foreign_file_with_a_binary_suffix(put):
    assert failure(put("a.parquet", b"")) == "the file is empty"
    told = "cannot be read as a Parquet file; it is damaged or cut short"
    assert failure(put("a.parquet", b"hello")) == told


def test_a_damaged_page(written):
    path = written("a.parquet", [note(str(n), os.urandom(50).hex()) for n in range(500)])
    data = bytearray(path.read_bytes())
    data[100:3000] = bytes(2900)
    path.write_bytes(bytes(data))
    assert failure(path) == "cannot be read as a Parquet file; it is damaged or cut short"


def test_a_stream_cut_anywhere_is_noticed():
    data = stream_bytes(copies=2)
    told = "s: cannot be read as an Arrow stream; it is damaged or cut short"
    for kept in range(8, len(data), 7):
        with pytest.raises(UserError) as error:
            rows_of(read_stream(io.BytesIO(data[:kept]), "s"))
        assert str(error.value) == told
    # Cut between the last batch and the end marker.
    with pytest.raises(UserError):
        rows_of(read_stream(io.BytesIO(data[:-8]), "s"))
    assert rows_of(read_stream(io.BytesIO(data), "s")) == TWO * 2


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl"])
def test_damage_anywhere_gives_rows_or_a_user_error(written, name):
    data, chance = written(name).read_bytes(), random.Random(1)
    told = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[chance.randrange(6, len(data))] = chance.randrange(256)
        try:
            rows_of(read_stream(io.BytesIO(damaged), name))
        except UserError:
            told += 1
    assert told


def test_a_stream_is_passed_on_as_it_comes():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb") as sink:
        with open_writer(sink, "arrow") as writer:
            writer.write([FULL])
            lists = iter(read_stream(stream, "s"))
            assert next(lists) == [FULL]
            writer.write([EMPTY])
            assert next(lists) == [EMPTY]
        sink.close()
        assert list(lists) == []


# Memory


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl"])
def test_lists_are_cut_by_text(written, name):
    texts = [("é" if n % 2 else "e") * (1000 + n) for n in range(40)] + ["x" * 30_000, "y"]
    path = written(name, [note(str(n), text) for n, text in enumerate(texts)])
    lists = list(read(path, budget=10_000))
    assert [row.encounter.encounter_id for rows in lists for row in rows] == [
        str(n) for n in range(len(texts))
    ]
    sizes = [sum(len(r.encounter.notes[0].text.encode()) for r in rows) for rows in lists]
    assert all(size <= 10_000 or len(rows) == 1 for size, rows in zip(sizes, lists, strict=True))
    assert min(sizes[:5]) > 7000


def test_what_stages_wrote_weighs_too():
    # 150 conditions and 100 candidates of 512 bytes each.
    coded = replace(FULL.encounter, conditions=FULL.encounter.conditions * 50)
    assert [len(rows) for rows in cut([Row(coded)] * 4, 400_000)] == [3, 1]
    assert max(len(rows) for rows in cut([Row(coded)] * 4, 1000)) == 1


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 40))
def test_cut_keeps_order_and_budget(lengths, budget):
    rows = [note(str(n), "a" * size) for n, size in enumerate(lengths)]
    lists = list(cut(iter(rows), budget))
    assert [row for some in lists for row in some] == rows
    for some in lists:
        assert len(some) == 1 or sum(len(r.encounter.notes[0].text) for r in some) <= budget


def test_parquet_is_decoded_in_pieces(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [note(str(n), os.urandom(500).hex()) for n in range(1000)]
    with open_writer(path) as writer:
        writer.write(rows)
    assert pq.ParquetFile(path).num_row_groups == 1
    source = read(path, budget=20_000)
    first = next(iter(source))
    assert 10 <= len(first) <= 20
    assert rows_of(read(path, budget=20_000)) == rows


# Standard input

ECHO = """
import sys
from clhcode.errors import UserError
from clhcode.table.read import read
try:
    for rows in read("-"):
        for row in rows:
            print(row.encounter.encounter_id, len(row.encounter.notes))
except UserError as error:
    print(error)
"""
SRC = Path(__file__).parents[3] / "src"


def echo(**stdin):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ECHO],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        **stdin,
    )
    assert not done.stderr
    return done.stdout.decode().splitlines()


def test_standard_input_is_sniffed(written):
    assert echo(input=b"A note.") == ["stdin 1"]
    assert echo(input=b'{"text": "a"}\n{"text": "b"}\n') == ["stdin-1 1", "stdin-2 1"]
    assert echo(input=gzip.compress(b'{"text": "a"}')) == ["stdin-1 1"]
    assert echo(input=stream_bytes()) == ["e1 2", "e2 0"]
    assert echo(input=b"") == ["stdin: the file is empty"]
    assert echo(input=b"\xff\xfe") == ["stdin: not UTF-8 text (byte 0); save it as UTF-8"]
    for name in ("a.parquet", "a.arrow"):
        path = written(name)
        assert echo(input=path.read_bytes()) == ["e1 2", "e2 0"]
        with path.open("rb") as file:
            assert echo(stdin=file) == ["e1 2", "e2 0"]


def test_text_needs_no_pyarrow(put):
    path = put("a.txt", "A note.")
    script = (
        "import sys; from pathlib import Path; from clhcode.table.read import read;"
        "from clhcode.table.write import open_writer\n"
        "with open_writer(sys.stdout.buffer, 'jsonl') as w:\n"
        f"  for rows in read(Path({str(path)!r})): w.write(rows)\n"
        "assert 'pyarrow' not in sys.modules"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=env)
    assert orjson.loads(done.stdout)["notes"][0]["text"] == "A note."


def test_a_source_closes_what_it_opened(put):
    source = read(put("a.jsonl", lines({"text": "a"})))
    source.close()
    rest = iter(read(put("a.jsonl", lines({"text": "a"}))))
    next(rest)
    rest.close()


def test_two_columns_of_one_name(tmp_path):
    path = tmp_path / "a.arrow"
    batch = pa.RecordBatch.from_arrays([pa.array([[1]]), pa.array([[1]])], ["notes", "notes"])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as file:
        file.write(batch)
    assert failure(path) == "two columns have the same name"
