"""`clh prepare` as a user runs it: from published files to a figure, and what may go wrong.

MDACE goes the same way in `test_bench.py`.
"""

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import mimic_files as made
import pyarrow.parquet as pq
import pytest
from mimic_files import DIAGNOSES_10, PROCEDURES_10, Style

from clhcode.datasets.splits import read_splits
from tests.cli.run import awaited, clh, complaint, started, text
from tests.conftest import shared

OFFICIAL = Style()

IV = {"born": (52, 2148), "came": "2150-03-01 01:02:03", "age": 54, "sex": "male"}
SAID = {
    "I10": "Essential hypertension.",
    "E1122": "Type 2 diabetes mellitus with diabetic chronic kidney disease.",
    "N183": "Chronic kidney disease, stage 3.",
    "S72001A": "Fracture of unspecified part of neck of right femur.",
}


def table_of(path):
    kept = ("encounter_id", "dataset", "split", "subject_id", "sex", "age", "setting")
    rows = pq.read_table(path).to_pylist()
    return [{key: row[key] for key in (*kept, "notes", "gold")} for row in rows]


def mimic_iii(folder, count, style=OFFICIAL):
    """Raw files below `folder`, and the stays that are in them."""
    stays = made.many(count)
    made.mimic_iii(folder / "raw", stays, style)
    made.splits(folder / "splits", "mimiciii_full_splits.feather", stays)
    return stays


ASKED = ("prepare", "mimic-iii", "--from", "raw", "--splits", "splits")


def listed(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("count", [20, 2_000])
def test_a_table_with_its_card(tmp_path, count):
    stays = mimic_iii(tmp_path, count)
    done = clh(*ASKED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data/mimic-iii/prepared"
    assert listed(folder) == {f"mimic-iii.{s}" for s in ("parquet", "card.json", "card.md")}
    assert table_of(folder / "mimic-iii.parquet") == made.table_of(stays, "mimic-iii")
    card = json.loads((folder / "mimic-iii.card.json").read_bytes())
    assert card["encounters"] == card["with_gold"] == count
    assert card["notes"] == sum(len(stay.notes) for stay in stays)
    assert card["codes"]["icd9cm"] == sum(len(stay.diagnoses) for stay in stays)
    assert (card["left_out"], len(card["rules"])) == ({}, 4)
    assert done.stdout == (folder / "mimic-iii.card.md").read_bytes()
    assert b"begin1" not in done.stdout + done.stderr
    # No terminal, no progress.
    assert done.stderr.decode().splitlines()[-1].endswith("mimic-iii.parquet")
    assert b"rows" not in done.stderr


def test_mimic_iv_to_a_figure(tmp_path):
    stays = made.many(40, (DIAGNOSES_10, PROCEDURES_10), **IV)
    for stay in stays:
        at, when, addendum, written = stay.notes[0]
        problems = "\n".join(SAID[code] for code in stay.diagnoses)
        stay.notes[0] = (f"{at}-DS", when, addendum, f"Assessment:\n{problems}\n\n{written}")
    made.mimic_iv(tmp_path / "iv", tmp_path / "note", stays, 10)
    made.splits(tmp_path / "splits", "mimiciv_icd10_split.feather", stays)
    where = ("--from", "iv", "--mimic-iv-note", "note", "--splits", "splits")
    text("prepare", "mimic-iv", *where, cwd=tmp_path)
    scored = json.loads(text("bench", "--dataset", "mimic-iv", "--json", cwd=tmp_path))
    assert scored["protocol"]["encounters"] == 10
    assert scored["protocol"]["setting"] is None
    # Both problems stand in the note in the words of the index.
    assert scored["metrics"]["micro"]["recall"] > 0.4


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mimiciii_full_splits", (47_719, 1_631, 3_372)),
        ("mimiciii_50_splits", (8_066, 1_573, 1_729)),
        ("mimiciii_clean_splits", (38_401, 5_577, 8_734)),
        ("mimiciv_icd10_split", (89_099, 13_378, 19_802)),
        ("mimiciv_icd9_split", (154_542, 21_980, 32_804)),
    ],
)
def test_published_splits_have_their_sizes(name, sizes):
    table = read_splits(shared("splits").parent, f"{name}.feather")
    found = table["split"].to_pylist()
    assert tuple(found.count(split) for split in ("train", "val", "test")) == sizes
    assert len(set(table["stay"].to_pylist())) == sum(sizes)


def test_a_second_run_writes_the_same_bytes(tmp_path):
    mimic_iii(tmp_path, 300)
    tables = []
    for name in ("a.parquet", "b.parquet"):
        text(*ASKED, "-o", name, cwd=tmp_path)
        tables.append((tmp_path / name).read_bytes())
    text(*ASKED, "-o", "a.parquet", cwd=tmp_path)
    assert (tmp_path / "a.parquet").read_bytes() == tables[0] == tables[1]


def test_raw_files_are_only_read(tmp_path):
    mimic_iii(tmp_path, 5)
    folders = [tmp_path / "raw", tmp_path / "splits"]
    everything = [p for f in folders for p in (f, *f.rglob("*"))]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in everything}
    text(*ASKED, cwd=tmp_path)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in before} == before
    assert {p for f in folders for p in (f, *f.rglob("*"))} == set(before)
    for path in everything:
        path.chmod(0o755)


@pytest.mark.parametrize("output", ["raw/t.parquet", "raw/new/t.parquet", "link/t.parquet"])
def test_no_table_among_raw_files(tmp_path, output):
    mimic_iii(tmp_path, 2)
    (tmp_path / "link").symlink_to("raw", target_is_directory=True)
    before = listed(tmp_path)
    said = complaint(*ASKED, "-o", output, cwd=tmp_path)
    assert said == f"clh: {output}: inside the raw folder raw; -o names another place"
    assert listed(tmp_path) == before


def test_a_killed_run_leaves_no_table(tmp_path):
    mimic_iii(tmp_path, 2_000)
    text(*ASKED, "-o", "whole/t.parquet", cwd=tmp_path)
    folder = tmp_path / "out"
    work = folder / ".t.parquet.work"
    seen = ((work / "tables.duckdb").exists, lambda: any(folder.glob(".*.tmp")))
    for event in seen:
        with started(*ASKED, "-o", "out/t.parquet", cwd=tmp_path) as process:
            awaited(event, process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not any(name.startswith("t.") for name in listed(folder))
        assert work.exists()
    text(*ASKED, "-o", "out/t.parquet", cwd=tmp_path)
    assert listed(folder) == {"t.parquet", "t.card.json", "t.card.md"}
    assert (folder / "t.parquet").read_bytes() == (tmp_path / "whole/t.parquet").read_bytes()


def test_two_runs_at_once_do_not_meet(tmp_path):
    mimic_iii(tmp_path, 2_000)
    work = tmp_path / ".t.parquet.work"
    with started(*ASKED, "-o", "t.parquet", cwd=tmp_path) as process:
        awaited((work / "tables.duckdb").exists, process)
        process.send_signal(signal.SIGSTOP)
        said = complaint(*ASKED, "-o", "t.parquet", cwd=tmp_path)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    assert said == "clh: t.parquet: another run is writing it"
    assert (tmp_path / "t.parquet").exists()


def test_damage_leaves_what_was_there(tmp_path):
    mimic_iii(tmp_path, 20, Style(zipped=False, tree=False))
    text(*ASKED, "-o", "t.parquet", cwd=tmp_path)
    before = (tmp_path / "t.parquet").read_bytes()
    path = tmp_path / "raw/NOTEEVENTS.csv"
    path.write_bytes(path.read_bytes()[:-9])
    said = complaint(*ASKED, "-o", "t.parquet", cwd=tmp_path, unsaid="begin")
    rows = sum(1 + len(stay.notes) for stay in made.many(20))
    assert said == f"clh: raw/NOTEEVENTS.csv: row {rows}: unexpected end of data"
    assert (tmp_path / "t.parquet").read_bytes() == before
    assert not any(name.startswith(".") for name in os.listdir(tmp_path))


def test_a_terminal_sees_how_far_it_is(tmp_path):
    mimic_iii(tmp_path, 20)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with started(*ASKED, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        # Linux says by an error that the other side has closed.
        with suppress(OSError):
            while block := os.read(ours, 65_536):
                seen += block
    os.close(ours)
    assert process.returncode == 0
    assert b"NOTEEVENTS.csv.gz: 0 rows" in seen
    assert b"mimic-iii.parquet: 0 encounters" in seen
    assert b"begin1" not in seen


def test_without_duckdb_it_is_told_what_to_type(tmp_path):
    mimic_iii(tmp_path, 2)
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent/duckdb.py").write_text("raise ImportError('no duckdb')\n")
    source = Path(__file__).parents[2] / "src"
    env = {"PYTHONPATH": f"{tmp_path / 'absent'}{os.pathsep}{source}"}
    said = complaint(*ASKED, cwd=tmp_path, env=env)
    assert said == 'clh: this data set needs DuckDB: pip install "clhcode[data]"'


def test_folders_below_are_asked_for_by_name(tmp_path):
    mimic_iii(tmp_path, 2)
    asked = ("prepare", "mimic-iii", "--mimic-iii", "raw", "--splits", "splits")
    text(*asked, cwd=tmp_path)
    said = complaint(*asked[:4], cwd=tmp_path)
    assert said == (
        "clh: data/splits/raw: no such folder"
        " (`clh fetch splits` gets it, --splits names the splits of Edin et al.)"
    )
    shutil.move(tmp_path / "splits", tmp_path / "data/splits")
    shutil.copytree(tmp_path / "data/splits", tmp_path / "data/splits/raw")
    text(*asked[:4], cwd=tmp_path)
    said = complaint("prepare", "mimic-iv", "--from", "raw", cwd=tmp_path)
    assert "data/mimic-iv-note/raw: no such folder (`clh fetch mimic-iv-note` gets it," in said
