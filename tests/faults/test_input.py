"""Bad input: one clear line that names file, row and cause, and nothing lost."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.run import clh, complaint, text

SECRET = "zygomorph"
GOOD = json.dumps({"note_id": "n1", "text": "Asthma."}) + "\n"


def bad(folder, kind):
    """A file of each kind of trouble."""
    path = folder / {"csv": "n.csv", "cut": "n.parquet"}.get(kind, "n.jsonl")
    contents = {
        "empty": b"",
        "not utf-8": b'{"note_id": "a", "text": "caf\xe9 zygomorph"}\n',
        "csv": f"TEXT_ID,NOTE\n1,{SECRET}\n".encode(),
        "no text": f'{{"note_id": "a", "NOTE": "{SECRET}"}}\n'.encode(),
        "broken line": (GOOD + f'{{"note_id": "b", "text": "{SECRET}\n').encode(),
        "no object": (GOOD + f'["{SECRET}"]\n').encode(),
    }
    if kind == "cut":
        pq.write_table(pa.table({"text": [SECRET * 50]}), path)
        path.write_bytes(path.read_bytes()[:-40])
    else:
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("empty", "empty"),
        ("not utf-8", "UTF-8"),
        ("csv", "`TEXT_ID`, `NOTE`"),
        ("no text", "`text`"),
        ("broken line", "line 2"),
        ("no object", "line 2"),
        ("cut", "damaged or cut short"),
    ],
)
@pytest.mark.parametrize("command", ["code", "analyse"])
def test_a_bad_file_is_told_in_one_line(kind, said, command, tmp_path):
    path = bad(tmp_path, kind)
    line = complaint(command, path)
    assert str(path) in line
    assert said in line
    assert SECRET not in clh(command, path).stderr.decode()


def test_a_plain_note_that_is_not_utf8(tmp_path):
    path = tmp_path / "n.txt"
    path.write_bytes(b"fi\xe8vre")
    line = complaint("code", path)
    assert str(path) in line
    assert "UTF-8" in line


@pytest.mark.parametrize("name", ["missing.txt", "missing.parquet", "no/such/folder"])
def test_what_is_not_there(name, tmp_path):
    assert str(tmp_path / name) in complaint("code", tmp_path / name)


def test_an_empty_standard_input():
    assert "empty" in complaint("code", "-")


def test_a_folder_without_notes(tmp_path):
    (tmp_path / "readme.md").write_text("no note")
    line = complaint("code", tmp_path)
    assert str(tmp_path) in line
    assert ".txt" in line


@pytest.mark.parametrize("arguments", [("lookup", "E11.999"), ("lookup", "E11.999", "--json")])
def test_a_code_that_does_not_exist(arguments):
    done = clh(*arguments)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_an_unknown_code_among_edits():
    done = clh("edits", "E11.999", "I10")
    assert done.returncode == 1
    assert b"E11.999" in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("cod",), ("code", "--formt"), ("code", "x", "--policy", "none"), ("fetch", "x")]
)
def test_a_wrong_command_line(arguments):
    done = clh(*arguments)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["x.docx", "no/folder/x.parquet"])
def test_an_output_that_cannot_be_written(target, tmp_path):
    note = tmp_path / "n.txt"
    note.write_text("Asthma.")
    assert target in complaint("code", note, "-o", tmp_path / target)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "arrow"])
def test_an_earlier_output_survives_a_run_that_fails(suffix, tmp_path):
    target = tmp_path / f"out.{suffix}"
    good = tmp_path / "good.jsonl"
    good.write_text(GOOD)
    text("code", good, "-o", target)
    before = target.read_bytes()
    complaint("code", bad(tmp_path, "broken line"), "-o", target)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.jsonl", "n.jsonl", target.name]
