"""`docs/bad-input.md` is true: each case is made, and what is printed is compared."""

import fcntl
import json
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.run import CLH, clh

DOC = Path(__file__).parents[2] / "docs" / "bad-input.md"
ROWS = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| (\d) \|$", DOC.read_text(), re.MULTILINE)
SECRET = "zygomorph"


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(path):
    pq.write_table(pa.table({"text": [SECRET * 20]}), path)
    return path.read_bytes()[:-30]


FILES = {
    "empty file": ("n.txt", b""),
    "not UTF-8": ("n.txt", b"fi\xe8vre zygomorph"),
    "table without text": ("n.csv", b"TEXT_ID,NOTE\n1,zygomorph\n"),
    "broken first line": ("n.jsonl", b'{"text": "zygomorph\n' + lines({"text": "a"})),
    "broken line": ("n.jsonl", lines({"text": "a"}) + b'{"text": "zygomorph\n'),
    "row of a wrong kind": ("n.jsonl", lines({"text": "a"}, {"text": 7, "note_id": SECRET})),
    "notes of an encounter apart": (
        "n.jsonl",
        lines(*({"encounter_id": each, "text": SECRET} for each in "aba")),
    ),
    "50 MB in one line": ("n.txt", b"zygomorph " * 5_000_000),
}


@pytest.fixture
def made(tmp_path):
    """Runs the command of a case; standard error and the exit code."""

    def make(case):
        source, target, env = tmp_path / "missing.txt", tmp_path / "out.jsonl", {}
        good = tmp_path / "good.jsonl"
        good.write_bytes(lines({"note_id": "a", "text": "Gout."}))
        options = ("-o", target)
        if case in FILES:
            name, content = FILES[case]
            source = tmp_path / name
            source.write_bytes(content)
        elif case == "Parquet cut short":
            source = tmp_path / "n.parquet"
            source.write_bytes(parquet(source))
        elif case == "folder without notes":
            source = tmp_path / "folder"
            source.mkdir()
            (source / "readme.md").write_text("no note")
        elif case == "output that cannot be written":
            source, target = good, tmp_path / "no" / "out.jsonl"
            options = ("-o", target)
        elif case == "cache that cannot be written":
            source, env = good, {"XDG_CACHE_HOME": str(good)}
        elif case == "full disk":
            source = good
            with Path("/dev/full").open("wb") as full:
                done = subprocess.run(
                    [*CLH, "code", str(source), "--format", "jsonl"],
                    stdout=full,
                    stderr=subprocess.PIPE,
                    check=False,
                )
            return done.stderr.decode(), done.returncode, source, target
        elif case == "two runs on one output":
            source = good
            folder = tmp_path / "out.jsonl.parts"
            folder.mkdir()
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                done = clh("code", source, *options)
            return done.stderr.decode(), done.returncode, source, target
        elif case == "output of another run":
            source = good
            folder = tmp_path / "out.jsonl.parts"
            folder.mkdir()
            kept = fingerprint(source, "mentions", tmp_path)
            (folder / "fingerprint.json").write_text(json.dumps(kept))
        done = clh("code", source, *options, env=env)
        return done.stderr.decode(), done.returncode, source, target

    return make


def fingerprint(source, policy, folder):
    """What a run with this policy leaves of itself, read from one that is killed at once."""
    target = folder / "other.jsonl"
    with subprocess.Popen(
        [*CLH, "code", str(source), "-o", str(target), "--policy", policy],
        stderr=subprocess.DEVNULL,
        env=None,
    ) as process:
        kept = folder / "other.jsonl.parts" / "fingerprint.json"
        content = None
        while process.poll() is None and content is None:
            content = kept.read_text() if kept.exists() else None
        process.kill()
    assert content, "the run ended before it was looked at"
    return json.loads(content)


@pytest.mark.parametrize(("case", "said", "code"), ROWS, ids=[case for case, *_ in ROWS])
def test_what_the_document_says_is_said(case, said, code, made):
    err, exit_code, source, target = made(case)
    wanted = said.replace("FILE", str(source)).replace("OUT", str(target))
    assert exit_code == int(code), err
    assert wanted in err
    assert "Traceback" not in err
    assert SECRET not in err
    assert target.parent != source or not target.exists()


def test_every_kind_of_file_is_in_the_document():
    assert {case for case, *_ in ROWS} >= set(FILES)
    assert len(ROWS) >= 15
