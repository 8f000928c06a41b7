"""`clh code`: what goes in, where it comes out, and what it may never do."""

import io
import json
import os
import pty
import struct
import subprocess

import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from clhcode.table.schema import RUNS, schema
from tests.cli.run import CLH, clh, complaint, text
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


def on_a_terminal(*arguments, stdin=b"", **env):
    """What a person sees: standard output is a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*CLH, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm-256color", **env},
    )
    os.close(theirs)
    process.stdin.write(stdin)
    process.stdin.close()
    seen = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(ours)
    assert process.wait(timeout=60) == 0, process.stderr.read()
    process.stderr.close()
    return seen.decode().replace("\r\n", "\n")


def test_a_typed_note_gives_codes_with_their_evidence():
    row = one()
    assert {"S52.502A", "E11.22", "N18.32", "I10"} <= set(codes(row))
    assert not {"R07.9", "J18.9", "C50.919"} & set(codes(row))
    by_code = {code["code"]: code for code in row["codes"]}
    (number,) = by_code["S52.502A"]["conditions"]
    condition = row["conditions"][number]
    assert condition["quote"] == "fracture of the lower end of the left radius"
    assert condition["section"] == "assessment_plan"


def test_the_index_makes_the_combination(index_env):
    note = b"Type 2 diabetes with chronic kidney disease, stage 3b."
    (line,) = text("code", "-", stdin=note, env=index_env).splitlines()
    assert codes(json.loads(line)) == ["E11.22", "N18.32"]
    (line,) = text("code", "-", stdin=note).splitlines()
    assert "E11.22" not in codes(json.loads(line))


def test_json_lines_hold_every_key_of_the_schema():
    row = one()
    assert list(row) == schema().names
    assert row["gold"] is None


@pytest.mark.parametrize("rows", [demo_rows, real_rows], ids=["demo", "real"])
def test_codes_exist_are_billable_and_point_at_the_words_of_the_note(rows, tmp_path, store):
    source = write_lines(tmp_path / "n.jsonl", rows())
    text("code", source, "-o", tmp_path / "c.jsonl")
    for row in read_rows(tmp_path / "c.jsonl"):
        assert [c["sequence"] for c in row["codes"]] == list(range(1, len(row["codes"]) + 1))
        for code in row["codes"]:
            assert store.node(code["code"]).billable
            assert code["conditions"]
            for number in code["conditions"]:
                condition = row["conditions"][number]
                places = [
                    row["notes"][s["note"]]["text"][s["begin"] : s["end"]]
                    for s in condition["evidence"]
                ]
                assert places
                assert " ... ".join(places) == condition["quote"]
        assert row["errors"] == []


def test_notes_come_as_a_file_a_folder_or_a_table(tmp_path):
    (tmp_path / "notes").mkdir()
    for name in ("a", "b"):
        (tmp_path / "notes" / f"{name}.txt").write_text(NOTE)
    (tmp_path / "n.csv").write_text('note_id,NOTE\nx,"Asthma, stable."\n')
    flat = write_lines(tmp_path / "n.jsonl", [{"note_id": "y", "text": NOTE, "sex": "female"}])
    by_file = json.loads(text("code", tmp_path / "notes" / "a.txt"))
    folder = [json.loads(line) for line in text("code", tmp_path / "notes").splitlines()]
    assert [row["encounter_id"] for row in folder] == ["a", "b"]
    assert codes(folder[0]) == codes(by_file) == codes(one())
    table = json.loads(text("code", tmp_path / "n.csv", "--text-column", "NOTE"))
    assert (table["encounter_id"], codes(table)) == ("x", ["J45.909"])
    assert json.loads(text("code", flat))["sex"] == "female"


def test_the_setting_and_the_policy_decide_what_is_reported():
    assert "J18.9" not in codes(one("--setting", "outpatient"))
    assert "J18.9" in codes(one("--setting", "inpatient"))
    assert {"J18.9", "R07.9"} <= set(codes(one("--policy", "mentions")))


def test_each_suffix_and_format_holds_the_same_rows(tmp_path):
    source = write_lines(tmp_path / "n.jsonl", demo_rows()[:3])
    for suffix in ("parquet", "arrow", "jsonl", "json"):
        text("code", source, "-o", tmp_path / f"c.{suffix}")
    expected = read_rows(tmp_path / "c.parquet")
    with pyarrow.ipc.open_file(tmp_path / "c.arrow") as file:
        assert file.read_all().to_pylist() == expected
    stream = clh("code", source, "--format", "arrow").stdout
    assert pyarrow.ipc.open_stream(io.BytesIO(stream)).read_all().to_pylist() == expected
    # JSON writes a 32-bit score as the shortest number that reads back as it.
    assert single(read_rows(tmp_path / "c.jsonl")) == expected
    assert single(json.loads((tmp_path / "c.json").read_text())) == expected


def test_a_redirected_file_becomes_parquet_with_provenance(tmp_path):
    source = write_lines(tmp_path / "n.jsonl", demo_rows()[:2])
    target = tmp_path / "redirected"
    with target.open("wb") as out:
        subprocess.run(
            [*CLH, "code", str(source)], stdout=out, stderr=subprocess.DEVNULL, check=True
        )
    table = pq.read_table(target)
    (run,) = {run for row in table.to_pylist() for run in row["runs"]}
    kept = json.loads(table.schema.metadata[RUNS.encode()])
    assert kept[run]["policy"] == "guidelines"
    assert kept[run]["engine"] == "rules"
    assert kept[run]["tabular"]


def test_a_person_sees_codes_evidence_and_what_was_left_out():
    seen = on_a_terminal("code", "-", stdin=NOTE.encode())
    assert "\x1b[" in seen
    plain = on_a_terminal("code", "-", "--plain", stdin=NOTE.encode())
    assert "\x1b[" not in plain
    assert "\x1b[" not in on_a_terminal("code", "-", stdin=NOTE.encode(), NO_COLOR="1")
    assert "E11.22   Type 2 diabetes mellitus with diabetic chronic kidney disease" in plain
    assert "chest pain (negated, l. 1)" in plain
    assert "l. 5" in plain
    assert "Research use only." in plain
    assert all(len(line) <= 100 for line in plain.splitlines())


def test_explain_shows_path_and_reason():
    shown = text("code", "-", "--explain", "--format", "text", stdin=NOTE.encode())
    assert "specified    S52.502A initial encounter for closed fracture" in shown
    assert "passed over" in shown
    assert "pneumonia (possible, l. 8)" in shown


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
    assert "`gpt`" in complaint("code", tmp_path / "n.txt", "--engine", "gpt")
