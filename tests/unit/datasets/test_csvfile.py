"""The reader of PhysioNet's CSV files: what stands in a file, and what is wrong with it."""

import csv
import gzip
import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clhcode.datasets.csvfile import find, rows
from clhcode.errors import UserError

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def read(path, *columns):
    left_out = Counter()
    return list(rows(path, columns, left_out)), left_out


def written(folder, data, name="notes.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@given(st.lists(st.tuples(ANY, ANY), max_size=5))
def test_every_text_comes_back_as_it_was(tmp_path_factory, texts):
    data = io.StringIO(newline="")
    csv.writer(data, quoting=csv.QUOTE_ALL).writerows([("ID", "TEXT"), *texts])
    path = written(tmp_path_factory.mktemp("any"), data.getvalue().encode())
    assert read(path, "id", "text")[0] == texts


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_columns_are_found_by_name(tmp_path, name):
    path = written(tmp_path, b'\xef\xbb\xbfx,"TEXT",Id\r\n1,"a\r\nb",7\r\n\r\n2,,8\r\n', name)
    assert read(path, "ID", "Text")[0] == [("7", "a\r\nb"), ("8", "")]


def test_a_wrong_byte_moves_nothing(tmp_path):
    # A cut character of three bytes, a lone byte, and whole ones around them.
    path = written(tmp_path, b'ID,TEXT\n1,"\xe4\xb8 \xff.\xe4\xb8\xad"\n2,"a\xef\xbf\xbdb"\n')
    found, left_out = read(path, "ID", "TEXT")
    assert found == [("1", "\ufffd\ufffd \ufffd.\u4e2d"), ("2", "a\ufffdb")]
    assert left_out == {"bytes of notes.csv that are not UTF-8 (a U+FFFD stands for each)": 3}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", ": empty"),
        (b"ID\n1\n", ": no column TEXT"),
        (b"ID,TEXT\n1,a\n2\n", ": row 2: 1 fields, but the header names 2 columns"),
        (b'ID,TEXT\n1,a\n2,"secret\n', ": row 2: unexpected end of data"),
        (b'ID,TEXT\n1,"a"b\n', ": row 1: ',' expected after '\"'"),
    ],
)
def test_damage_is_told_by_row(tmp_path, data, says):
    path = written(tmp_path, data)
    with pytest.raises(UserError) as told:
        read(path, "ID", "TEXT")
    assert str(told.value) == f"{path}{says}"


def test_a_file_cut_short_is_told(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"ID,TEXT\n" + b'1,"secret"\n' * 9_000)[:-30])
    with pytest.raises(UserError, match=r"a\.csv\.gz: row \d+: Compressed file ended") as told:
        read(path, "ID", "TEXT")
    assert "secret" not in str(told.value)


def test_no_gzip_is_told(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"ID,TEXT\n1,secret\n")
    with pytest.raises(UserError, match=r"a\.csv\.gz: Not a gzipped file") as told:
        read(path, "ID", "TEXT")
    assert "secret" not in str(told.value)


def test_the_nearest_file_is_found(tmp_path):
    deep = tmp_path / "physionet.org/files/mimiciv/3.1/hosp"
    deep.mkdir(parents=True)
    (deep / "Patients.CSV").touch()
    assert find(tmp_path, "PATIENTS", "--from") == deep / "Patients.CSV"
    (tmp_path / "patients.csv.gz").touch()
    (tmp_path / "patients.csv").touch()
    assert find(tmp_path, "PATIENTS", "--from") == tmp_path / "patients.csv.gz"


def test_two_releases_side_by_side_are_told(tmp_path):
    for release in ("2.2", "3.1"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "patients.csv").touch()
    with pytest.raises(UserError, match=r"two patients, .*2\.2.* and .*3\.1"):
        find(tmp_path, "patients", "--from")


def test_no_file_is_told(tmp_path):
    with pytest.raises(UserError) as told:
        find(tmp_path, "NOTEEVENTS", "--mimic-iii")
    wanted = "no NOTEEVENTS.csv.gz or NOTEEVENTS.csv here (--mimic-iii names the folder)"
    assert str(told.value) == f"{tmp_path}: {wanted}"
