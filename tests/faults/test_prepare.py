"""`clh prepare` cut off: by Ctrl-C, and by a disk that is full."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import mimic_files as made
import pytest

from clhcode.datasets.workbench import workbench
from clhcode.errors import UserError
from tests.cli.run import CLH, awaited, clh, complaint, started
from tests.faults.test_ending import complaints

ASKED = ("prepare", "mimic-iii", "--from", "raw", "--splits", "splits", "-o", "out/t.parquet")
BEFORE = {"t.parquet": b"earlier", "t.card.json": b"{}", "t.card.md": b"# earlier"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Files that take long enough for a run over them to be caught in the middle."""
    folder = tmp_path_factory.mktemp("raw")
    stays = made.many(4_000)
    made.mimic_iii(folder / "raw", stays)
    made.splits(folder / "splits", "mimiciii_full_splits.feather", stays)
    return folder


@pytest.fixture
def desk(raw, tmp_path):
    """The files, and a table with its cards from an earlier run."""
    for name in ("raw", "splits"):
        (tmp_path / name).symlink_to(raw / name)
    (tmp_path / "out").mkdir()
    for name, data in BEFORE.items():
        (tmp_path / "out" / name).write_bytes(data)
    return tmp_path


def left(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("caught", ["at the codes", "at the texts", "at the table"])
def test_ctrl_c_leaves_what_was_there(desk, caught):
    out = desk / "out"
    work = out / ".t.parquet.work"

    def there():
        if caught == "at the codes":
            return (work / "tables.duckdb").exists()
        if caught == "at the texts":
            return (work / "texts").exists() and (work / "texts").stat().st_size > 0
        return any(out.glob(".*.tmp"))

    with started(*ASKED, cwd=desk) as process:
        awaited(there, process)
        process.send_signal(signal.SIGINT)
        shown, err = process.communicate()
    assert process.returncode == 130
    assert (shown, complaints(err.decode())) == (b"", ["clh: stopped"])
    assert b"begin" not in err
    assert left(out) == BEFORE


def test_ctrl_c_in_a_query_is_ctrl_c(tmp_path):
    with pytest.raises(KeyboardInterrupt), workbench(tmp_path):
        raise RuntimeError("Query interrupted")  # so does DuckDB


def test_a_bug_is_no_ctrl_c(tmp_path):
    with pytest.raises(RuntimeError, match="stay 7"), workbench(tmp_path):
        raise RuntimeError("stay 7 came back beside 8")


def test_a_table_that_does_not_fit_leaves_no_card(desk):
    """All of the work is done by then: only the table is on the full disk."""
    (desk / "out/t.parquet").unlink()
    (desk / "out/t.parquet").symlink_to("/dev/full")
    said = complaint(*ASKED, cwd=desk, unsaid="begin")
    assert said == "clh: out/t.parquet: the disk is full: name another place with -o"
    (desk / "out/t.parquet").unlink()
    assert left(desk / "out") == {name: BEFORE[name] for name in BEFORE if "card" in name}


def may_mount():
    done = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.skipif(not shutil.which("unshare") or not may_mount(), reason="needs a mount")
@pytest.mark.parametrize("kilobytes", [150, 400, 1_000, 2_500, 3_500])
def test_a_full_disk_at_any_time_leaves_what_was_there(desk, kilobytes):
    # The disk is there for this process and its children alone, and goes with them.
    script = (
        'mount -t tmpfs -o size="$1k" none out && cp before/* out && shift && "$@"; code=$?;'
        " ls -A out >&2; diff -r before out >&2 || code=99; exit $code"
    )
    shutil.copytree(desk / "out", desk / "before")
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(kilobytes), *CLH, *ASKED]
    done = subprocess.run(command, cwd=desk, capture_output=True, check=False)
    err = done.stderr.decode()
    assert done.returncode == 2, err
    (said,) = complaints(err)
    assert said.endswith("name another place with -o")
    assert err.splitlines()[-3:] == sorted(BEFORE)


def test_a_full_disk_is_told_however_duckdb_names_it(tmp_path):
    import duckdb

    with pytest.raises(UserError, match="no room for its tables"), workbench(tmp_path):
        raise duckdb.TransactionException("Failed to commit: No space left on device")
    with pytest.raises(duckdb.TransactionException), workbench(tmp_path / ".."):
        raise duckdb.TransactionException("Conflict on update!")


def test_a_folder_that_may_not_be_written_is_told(desk):
    if os.getuid() == 0:
        shutil.rmtree(desk / "out")
        (desk / "out").write_text("a file")
        assert complaint(*ASKED, cwd=desk).startswith("clh: out/t.parquet: cannot be written (")
        return
    Path(desk / "out").chmod(0o555)
    done = clh(*ASKED, cwd=desk)
    Path(desk / "out").chmod(0o755)
    assert done.returncode == 2
    assert len(complaints(done.stderr.decode())) == 1
