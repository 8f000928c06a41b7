"""`clh code`: what goes in, where it comes out, and what it may never do."""

import io
import json
import os
import struct
import subprocess

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from clhcode.table.schema import RUNS, schema
from tests.cli.run import CLH, clh, complaint, on_a_terminal, text
from tests.cli.table import codes, demo_rows, read_rows, real_rows, write_lines

NOTE = (
    "HPI: 68 year old woman with CKD stage 3b and afib. Denies chest pain.\n"
    "Mother had breast cancer.\n\nASSESSMENT\n1. Closed fracture of the lower end of the left"
    " radius.\n2. Type 2 diabetes mellitus with diabetic chronic kidney disease.\n"
    "3. Hypertension.\n4. Probable pneumonia.\n"
)


def single(value):
    """The same, with every number as a 32-bit float holds it."""
    if isinstance(value, float):
        return struct.unpack("f", struct.pack("f", value))[0]
    if isinstance(value, dict):
        return {key: single(each) for key, each in value.items()}
    return [single(each) for each in value] if isinstance(value, list) else value


def one(*options, note=NOTE):
    (line,) = text("code", "-", *options, stdin=note.encode()).splitlines()
    return json.loads(line)


@pytest.fixture(scope="module")
def typed():
    """The row of the note, typed into standard input."""
    return one()


@pytest.fixture(scope="module", params=[demo_rows, real_rows], ids=["demo", "real"])
def many(request, tmp_path_factory):
    """The rows of many notes."""
    folder = tmp_path_factory.mktemp("many")
    text("code", write_lines(folder / "n.jsonl", request.param()), "-o", folder / "c.jsonl")
    return read_rows(folder / "c.jsonl")


def test_a_typed_note_gives_codes_with_their_evidence(typed):
    assert {"S52.502A", "E11.22", "N18.32", "I12.9"} <= set(codes(typed))
    assert not {"R07.9", "J18.9", "C50.919"} & set(codes(typed))
    by_code = {code["code"]: code for code in typed["codes"]}
    (number,) = by_code["S52.502A"]["conditions"]
    condition = typed["conditions"][number]
    assert condition["quote"] == "fracture of the lower end of the left radius"
    assert condition["section"] == "assessment_plan"


def test_the_index_makes_the_combination(index_env):
    note = b"Type 2 diabetes with chronic kidney disease, stage 3b."
    (line,) = text("code", "-", stdin=note, env=index_env).splitlines()
    assert codes(json.loads(line)) == ["E11.22", "N18.32"]
    assert json.loads(line)["dropped"] == []
    # Without the index two codes are found, and put together as guideline I.A.15 presumes.
    (line,) = text("code", "-", stdin=note).splitlines()
    assert codes(json.loads(line)) == ["E11.22", "N18.32"]
    assert [d["code"] for d in json.loads(line)["dropped"]] == ["E11.9"]


def test_json_lines_hold_every_key_of_the_schema(typed):
    assert list(typed) == schema().names
    assert typed["gold"] is None


def test_codes_exist_are_billable_and_numbered_in_their_order(many, store):
    for row in many:
        assert [c["sequence"] for c in row["codes"]] == list(range(1, len(row["codes"]) + 1))
        assert all(store.node(code).billable for code in codes(row))
        assert len(set(codes(row))) == len(codes(row))
        assert row["errors"] == []
    assert any(codes(row) for row in many)


def test_codes_point_at_conditions_that_are_words_of_the_note(many):
    for row in many:
        assert all(code["conditions"] for code in row["codes"])
        pointed = {number for code in row["codes"] for number in code["conditions"]}
        assert pointed <= set(range(len(row["conditions"])))
        for condition in row["conditions"]:
            places = [
                row["notes"][span["note"]]["text"][span["begin"] : span["end"]]
                for span in condition["evidence"]
            ]
            assert places
            assert " ... ".join(places) == condition["quote"]


def test_a_code_was_accepted_for_each_of_its_conditions(many):
    for row in many:
        combined = [d for d in row["dropped"] if d["edit"] == "CB101"]
        for code in row["codes"]:
            replaced = {d["code"] for d in combined if d["because_of"] == code["code"]}
            for number in code["conditions"]:
                candidates = row["conditions"][number]["candidates"]
                accepted = {c["code"] for c in candidates if c["verdict"] == "accepted"}
                if replaced:
                    assert accepted
                else:
                    assert code["code"] in accepted


def test_a_note_may_be_a_file_or_one_of_a_folder(typed, tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").write_text(NOTE)
    by_file = json.loads(text("code", tmp_path / "a.txt"))
    folder = [json.loads(line) for line in text("code", tmp_path).splitlines()]
    assert [row["encounter_id"] for row in folder] == ["a", "b"]
    assert codes(folder[0]) == codes(by_file) == codes(typed)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_note_may_be_a_row_of_a_table(suffix, typed, tmp_path):
    path = tmp_path / f"n.{suffix}"
    row = {"note_id": "x", "text": NOTE, "sex": "female"}
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif suffix == "csv":
        path.write_text(f'note_id,text,sex\nx,"{NOTE}",female\n')
    else:
        write_lines(path, [row])
    found = json.loads(text("code", path))
    assert (found["encounter_id"], found["sex"]) == ("x", "female")
    assert codes(found) == codes(typed)


def test_the_column_of_the_text_may_have_any_name(tmp_path):
    (tmp_path / "n.csv").write_text('note_id,NOTE\nx,"Asthma, stable."\n')
    row = json.loads(text("code", tmp_path / "n.csv", "--text-column", "NOTE"))
    assert (row["encounter_id"], codes(row)) == ("x", ["J45.909"])


def test_notes_of_one_encounter_make_one_row(tmp_path):
    notes = [
        {"encounter_id": "e1", "note_id": "a", "text": "Asthma."},
        {"encounter_id": "e1", "note_id": "b", "text": "Hypertension."},
        {"encounter_id": "e2", "note_id": "c", "text": "Gout."},
    ]
    lines = text("code", write_lines(tmp_path / "n.jsonl", notes)).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [[note["note_id"] for note in row["notes"]] for row in rows] == [["a", "b"], ["c"]]
    assert set(codes(rows[0])) == {"J45.909", "I10"}


def test_a_table_may_come_by_standard_input(tmp_path, typed):
    path = tmp_path / "y.parquet"
    pq.write_table(pa.Table.from_pylist([{"note_id": "y", "text": NOTE}]), path)
    piped = json.loads(text("code", "-", stdin=path.read_bytes()))
    with path.open("rb") as file:
        done = subprocess.run([*CLH, "code", "-"], stdin=file, capture_output=True, check=True)
    assert json.loads(done.stdout) == piped
    assert (piped["encounter_id"], codes(piped)) == ("y", codes(typed))


def test_the_setting_and_the_policy_decide_what_is_reported():
    assert "J18.9" not in codes(one("--setting", "outpatient"))
    assert "J18.9" in codes(one("--setting", "inpatient"))
    assert {"J18.9", "R07.9"} <= set(codes(one("--policy", "mentions")))


def test_the_setting_of_the_encounter_counts_unless_it_is_overridden(tmp_path):
    note = {"note_id": "n", "text": "Probable pneumonia.", "setting": "inpatient"}
    path = write_lines(tmp_path / "n.jsonl", [note])
    assert codes(json.loads(text("code", path))) == ["J18.9"]
    assert codes(json.loads(text("code", path, "--setting", "outpatient"))) == []


def unpacked(data, kind):
    """The rows of a table in bytes."""
    if kind == "parquet":
        return pq.read_table(io.BytesIO(data)).to_pylist()
    if kind == "arrow":
        return pyarrow.ipc.open_stream(io.BytesIO(data)).read_all().to_pylist()
    rows = [json.loads(data)] if kind == "json" else [json.loads(x) for x in data.splitlines()]
    # JSON writes a 32-bit score as the shortest number that reads back as it.
    return [single(row) for row in rows]


@pytest.mark.parametrize("kind", ["json", "jsonl", "arrow", "parquet"])
def test_a_pipe_takes_each_format(kind, typed):
    done = clh("code", "-", "--format", kind, stdin=NOTE.encode())
    assert unpacked(done.stdout, kind) == [single(typed)]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A table of two encounters and the rows that come of it."""
    folder = tmp_path_factory.mktemp("two")
    source = write_lines(folder / "n.jsonl", demo_rows()[:2])
    return source, [json.loads(line) for line in text("code", source).splitlines()]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl", "json"])
def test_a_file_is_what_its_suffix_says(suffix, two, tmp_path):
    source, rows = two
    target = tmp_path / f"c.{suffix}"
    text("code", source, "-o", target)
    if suffix == "arrow":
        with pyarrow.ipc.open_file(target) as file:
            found = file.read_all().to_pylist()
    else:
        found = json.loads(target.read_text()) if suffix == "json" else read_rows(target)
    assert single(found) == single(rows)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_redirected_file_becomes_parquet_with_provenance(two, tmp_path):
    source, rows = two
    target = tmp_path / "redirected"
    with target.open("wb") as out:
        subprocess.run(
            [*CLH, "code", str(source)], stdout=out, stderr=subprocess.DEVNULL, check=True
        )
    table = pq.read_table(target)
    assert table.schema.names == schema().names
    assert table.to_pylist() == single(rows)
    (run,) = {run for row in table.to_pylist() for run in row["runs"]}
    kept = json.loads(table.schema.metadata[RUNS.encode()])
    assert list(kept) == [run]
    assert kept[run]["policy"] == "guidelines"
    assert kept[run]["engine"] == "rules"
    assert kept[run]["tabular"]


def test_runs_of_one_configuration_have_one_name(typed):
    assert one(note="Gout.")["runs"] == typed["runs"]
    assert one("--setting", "inpatient", note="Gout.")["runs"] != typed["runs"]


def test_a_table_that_was_coded_before_keeps_the_names_of_both_runs(tmp_path):
    path = tmp_path / "c.parquet"
    for options in ((), ("--policy", "mentions")):
        source = path if path.exists() else "-"
        text("code", source, "-o", path, *options, stdin=b"Gout.")
    table = pq.read_table(path)
    kept = json.loads(table.schema.metadata[RUNS.encode()])
    (row,) = table.to_pylist()
    assert [kept[run]["policy"] for run in row["runs"]] == ["guidelines", "mentions"]


def test_a_person_sees_codes_evidence_and_what_was_left_out():
    assert "\x1b[" in on_a_terminal("code", "-", stdin=NOTE.encode())
    plain = on_a_terminal("code", "-", "--plain", stdin=NOTE.encode())
    assert "\x1b" not in plain
    assert "E11.22   Type 2 diabetes mellitus with diabetic chronic kidney disease" in plain
    assert "chest pain (negated, l. 1)" in plain
    assert "l. 5" in plain
    assert "Research use only." in plain
    assert all(len(line) <= 100 for line in plain.splitlines())


def test_no_color_means_no_colours():
    seen = on_a_terminal("code", "-", stdin=NOTE.encode(), NO_COLOR="1")
    assert "Research use only." in seen
    assert "\x1b" not in seen


def test_a_table_in_binary_is_not_for_a_terminal(tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    with pytest.raises(AssertionError, match="not for a terminal"):
        on_a_terminal("code", tmp_path / "n.txt", "--format", "parquet")


def test_explain_shows_path_and_reason():
    shown = text("code", "-", "--explain", "--format", "text", stdin=NOTE.encode())
    assert "specified    S52.502A initial encounter for closed fracture" in shown
    assert "passed over" in shown
    assert "pneumonia (possible, l. 8)" in shown
    short = text("code", "-", "--format", "text", stdin=NOTE.encode())
    assert "passed over" not in short
    assert "`--explain` shows each decision" in short


def test_explain_shows_the_walk_through_the_index(index_env):
    note = b"Type 2 diabetes with chronic kidney disease."
    shown = text("code", "-", "--explain", "--format", "text", stdin=note, env=index_env)
    assert "index        Diabetes, diabetic > type 2 > with > chronic kidney disease" in shown


def test_the_demonstration_runs_from_anywhere(tmp_path):
    shown = text("code", "--demo", cwd=tmp_path)
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [row["encounter_id"] for row in rows] == [r["encounter_id"] for r in demo_rows()]


def test_what_cannot_be_done_is_said(tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    assert "--demo" in complaint("code")
    assert "text is for reading" in complaint(
        "code", tmp_path / "n.txt", "--format", "text", "-o", tmp_path / "x.jsonl"
    )
    assert os.listdir(tmp_path) == ["n.txt"]
    assert "`gpt`" in complaint("code", tmp_path / "n.txt", "--engine", "gpt")
