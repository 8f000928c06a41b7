"""SHA256SUMS.txt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clhcode.download.sums import is_inside, read_sums
from clhcode.download.trouble import DownloadError

ONE, TWO = "a1" * 32, "B2" * 32


def test_lines_of_both_forms():
    data = f"{ONE} LICENSE.txt\n{TWO}  hosp/a b.csv.gz\n{ONE} *icu/c.csv.gz\r\n\n".encode()
    # PhysioNet writes one blank, sha256sum two or a star.
    assert read_sums(data, "x") == {
        "LICENSE.txt": ONE,
        "hosp/a b.csv.gz": TWO.lower(),
        "icu/c.csv.gz": ONE,
    }


@pytest.mark.parametrize(
    "line",
    [
        "<!DOCTYPE html>",
        f"{ONE[:-1]} a.csv",
        f"{ONE} ../a.csv",
        f"{ONE} /etc/passwd",
        f"{ONE} a/../../b",
        f"{ONE} a\x1b[2J",
    ],
)
def test_other_lines_are_refused_by_number(line):
    with pytest.raises(DownloadError, match="line 2"):
        read_sums(f"{ONE} ok.csv\n{line}\n".encode(), "x")


def test_an_empty_one_is_refused():
    with pytest.raises(DownloadError, match="empty"):
        read_sums(b"\n", "x")


@settings(deadline=None)
@given(st.text(max_size=20))
def test_what_is_inside_stays_inside(tmp_path_factory, path):
    if is_inside(path):
        base = tmp_path_factory.getbasetemp()
        assert (base / path).resolve().is_relative_to(base.resolve())
