"""Bad input: one clear line that names file, row and cause, and nothing lost."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.run import clh, complaint, text

SECRET = "zygomorph"
"""A word of the notes; no message may hold it."""
GOOD = json.dumps({"note_id": "n1", "text": "Asthma."}) + "\n"

BAD = {
    # name of the file: its content, and what is said of it
    "empty.jsonl": ("", "empty"),
    "empty.txt": ("", "empty"),
    "blank.txt": (" \n\n", "empty"),
    "latin.txt": (f"fi\xe8vre {SECRET}", "not UTF-8 text (byte 2)"),
    "named.csv": (f"TEXT_ID,NOTE\n1,{SECRET}\n", "`TEXT_ID`, `NOTE`"),
    "named.jsonl": (f'{{"note_id": "a", "NOTE": "{SECRET}"}}\n', "`--text-column NOTE`"),
    "headless.csv": (f"1,the {SECRET} note of a day\n", "is the header row missing?"),
    "broken.jsonl": (f'{{"text": "{SECRET}\n{GOOD}', "line 1: broken JSON"),
    "quote.csv": (f'note_id,text\n1,"{SECRET}\n', "row 1: broken CSV"),
    "noise.parquet": (f"PAR1 {SECRET} PAR1", "damaged or cut short"),
}

ROWS = {
    # a good row, then one that cannot be read, and what is said of that
    "latin.csv": (f"note_id,text\nn1,gout\nn2,{SECRET} fi\xe8vre\n", "row 2: not UTF-8 text"),
    "latin.jsonl": (
        f'{GOOD}{{"text": "{SECRET} fi\xe8vre"}}\n',
        "line 2: not UTF-8 text (byte 59)",
    ),
    "broken.jsonl": (f'{GOOD}{{"text": "{SECRET}\n', "line 2: broken JSON"),
    "list.jsonl": (f'{GOOD}["{SECRET}"]\n', "line 2: a JSON object is needed"),
    "number.jsonl": (f'{GOOD}{{"text": 5, "note_id": "{SECRET}"}}\n', "line 2: `text` must be a"),
    "wide.csv": (f"note_id,text\n1,gout\n1,a,{SECRET}\n", "row 2: 3 fields"),
}


def written(folder, name, files=BAD):
    path = folder / name
    path.write_bytes(files[name][0].encode("latin-1"))
    return path


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("command", ["code", "analyse"])
def test_a_bad_row_is_told_and_costs_no_other(name, command, tmp_path):
    path = written(tmp_path, name, ROWS)
    target = tmp_path / "out.jsonl"
    done = clh(command, path, "-o", target)
    assert done.returncode == 1
    _, said, total = done.stderr.decode().splitlines()
    assert said.startswith(f"{path}: {ROWS[name][1]}")
    assert total == "1 of 2 rows failed: see their `errors`"
    assert SECRET not in done.stderr.decode()
    good, bad = (json.loads(line) for line in target.read_text().splitlines())
    assert good["conditions"]
    assert not good["errors"]
    assert bad["conditions"] is bad["codes"] is None
    assert [error["message"] for error in bad["errors"]] == [said]


def test_many_bad_rows_are_counted_and_the_next_in_the_pipe_is_silent(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text(GOOD + "3\n" * 5)
    done = clh("analyse", path)
    assert len(done.stderr.splitlines()) == 6
    assert b"2 more rows that cannot be read" in done.stderr
    after = clh("locate", "--format", "jsonl", stdin=done.stdout)
    assert after.returncode == 1
    assert b"JSON object" not in after.stderr
    assert len(after.stdout.splitlines()) == 6


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_in_one_line_that_holds_no_note(name, tmp_path):
    path = written(tmp_path, name)
    line = complaint("code", path, unsaid=SECRET)
    assert line.startswith(f"clh: {path}: ")
    assert BAD[name][1] in line


@pytest.mark.parametrize("agent", ["analyse", "locate", "verify", "assign"])
def test_every_agent_tells_it_as_well(agent, tmp_path):
    line = complaint(agent, written(tmp_path, "named.csv"), unsaid=SECRET)
    assert BAD["named.csv"][1] in line


@pytest.mark.parametrize("name", ["empty.txt", "broken.jsonl"])
def test_bad_standard_input_is_told_by_its_name(name, tmp_path):
    line = complaint("code", "-", stdin=written(tmp_path, name).read_bytes(), unsaid=SECRET)
    assert line.startswith("clh: stdin: ")
    assert BAD[name][1] in line


def test_a_parquet_file_that_is_cut_short(tmp_path):
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"text": [SECRET * 50]}), path)
    path.write_bytes(path.read_bytes()[:-40])
    line = complaint("code", path, unsaid=SECRET)
    assert line.startswith(f"clh: {path}: ")
    assert "damaged or cut short" in line


def test_a_parquet_file_without_the_column_lists_those_it_has(tmp_path):
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"TEXT_ID": [1], "NOTE": [SECRET]}), path)
    line = complaint("code", path, "--text-column", "BODY", unsaid=SECRET)
    assert "needs a column `BODY`; this one has `TEXT_ID`, `NOTE`" in line


def test_an_agent_between_pipes_notices_a_stream_that_is_cut_short(tmp_path):
    whole = clh("analyse", "-", stdin=f"Asthma. {SECRET}".encode()).stdout
    target = tmp_path / "out.parquet"
    target.write_bytes(b"earlier")
    half = whole[: len(whole) // 2]
    line = complaint("locate", "-o", target, stdin=half, unsaid=SECRET)
    assert "damaged or cut short" in line
    assert target.read_bytes() == b"earlier"


@pytest.mark.parametrize("name", ["missing.txt", "no/such/folder"])
def test_what_is_not_there(name, tmp_path):
    assert f"{tmp_path / name}: no such file" in complaint("code", tmp_path / name)


def test_a_folder_without_notes(tmp_path):
    (tmp_path / "readme.md").write_text("no note")
    assert f"{tmp_path}: no `.txt` notes" in complaint("code", tmp_path)


def test_a_note_of_a_folder_is_named_where_it_is_bad(tmp_path):
    (tmp_path / "a.txt").write_text("Asthma.")
    path = written(tmp_path, "latin.txt")
    assert str(path) in complaint("code", tmp_path, unsaid=SECRET)


def test_a_code_that_does_not_exist():
    assert "E11.999" in complaint("lookup", "E11.999", code=1)
    done = clh("edits", "E11.999", "I10")
    assert done.returncode == 1
    assert b"VA101 unknown-code" in done.stdout
    assert b"E11.999 is not a code of this release" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cod",), "'cod'"),
        (("code", "--formt"), "--formt"),
        (("code", "x", "--policy", "none"), "'none'"),
        (("code", "x", "--without", "thinking"), "'thinking'"),
        (("code", "x", "--demo"), "--demo"),
        (("fetch", "x"), "'x'"),
        (("edits", "I10", "--age", "old"), "'old'"),
        (("lookup", "I10", "--release", "1999"), "FY1999"),
        (("lookup",), "TERM, CODE OR SECTION"),
    ],
)
def test_a_wrong_command_line(arguments, said):
    assert said in complaint(*arguments)


@pytest.mark.parametrize("target", ["x.docx", "no/folder/x.parquet", "folder"])
def test_an_output_that_cannot_be_written(target, tmp_path):
    (tmp_path / "folder").mkdir()
    note = tmp_path / "n.txt"
    note.write_text(f"Asthma. {SECRET}")
    assert target in complaint("code", note, "-o", tmp_path / target, unsaid=SECRET)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "n.txt"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("by", ["file", "standard input"])
def test_an_earlier_output_survives_a_run_that_fails(suffix, by, tmp_path):
    target = tmp_path / f"out.{suffix}"
    target.write_bytes(b"earlier")
    bad = written(tmp_path, "broken.jsonl")
    if by == "file":
        complaint("code", bad, "-o", target)
    else:
        complaint("code", "-", "-o", target, stdin=bad.read_bytes())
    assert target.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == [bad.name, target.name]


def test_a_row_that_fails_costs_no_other_and_says_nothing_of_its_note(tmp_path):
    beyond = {"note": 7, "begin": 0, "end": 9_000}
    within = {"note": 0, "begin": 10, "end": 16}
    rows = [
        {
            "encounter_id": f"e{span['note']}",
            "notes": [{"note_id": "n", "text": f"{SECRET} asthma"}],
            "conditions": [{"quote": "asthma", "evidence": [span], "assertion": "present"}],
        }
        for span in (beyond, within)
    ]
    path = tmp_path / "n.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = clh("locate", path, "--format", "jsonl")
    assert done.returncode == 1
    assert "1 of 2 rows failed" in done.stderr.decode()
    assert SECRET not in done.stderr.decode()
    bad, good = (json.loads(line) for line in done.stdout.splitlines())
    assert [error["stage"] for error in bad["errors"]] == ["locate"]
    assert SECRET not in json.dumps(bad["errors"])
    assert good["conditions"][0]["candidates"]


def test_a_run_that_goes_well_says_nothing_of_its_notes_either():
    done = clh("code", "-", stdin=f"Asthma. {SECRET}".encode())
    assert done.returncode == 0
    assert SECRET not in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


def test_a_note_without_a_condition_is_a_row_without_codes():
    row = json.loads(text("code", "-", stdin=b"Nothing of note today.\n"))
    assert (row["conditions"], row["codes"], row["errors"]) == ([], [], [])
