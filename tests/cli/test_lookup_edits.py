"""`lookup`, `edits`, `fetch` and `doctor` from outside."""

import gzip
import json

import pytest

from clhcode.icd.sources import packaged
from tests.cli.run import clh, complaint, text
from tests.conftest import shared


def test_lookup_json_has_the_documented_keys():
    document = json.loads(text("lookup", "e1122", "--json"))
    assert set(document) == {"query", "code", "matches", "entry"}
    assert document["code"] == "E11.22"
    assert set(document["entry"]) == {
        "code",
        "title",
        "billable",
        "parents",
        "children",
        "notes",
        "seventh_characters",
    }
    term = json.loads(text("lookup", "chest", "pain", "--json"))
    assert term["code"] is None
    assert term["entry"]["code"] == "R07.9"
    assert {"code", "title", "billable", "path", "source"} <= set(term["matches"][0])


def test_an_unknown_code_is_exit_1_and_a_null_entry():
    done = clh("lookup", "E11.999", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["entry"] is None
    assert "E11.999" in complaint("lookup", "E11.999", code=1)
    assert "nothing found" in complaint("lookup", "xyzzyplugh", code=1)


def test_lookup_says_what_it_stood_on_and_prints_the_entry():
    done = clh("lookup", "S52.502")
    assert done.stderr.decode().startswith("ICD-10-CM FY20")
    page = done.stdout.decode()
    assert "S52.502  Unspecified fracture of the lower end of left radius" in page
    assert "traumatic amputation of forearm (S58.-)" in page
    assert "7th A" in page


def test_lookup_prints_a_section_of_the_guidelines_and_whose_words_it_is():
    done = clh("lookup", "iv.h")
    assert done.stderr.decode() == "guidelines: our own summary\n"
    head, *rest = done.stdout.decode().splitlines()
    assert head == "§ IV.H Uncertain diagnosis"
    assert "are not coded" in " ".join(rest)
    document = json.loads(text("lookup", "section", "III", "--json"))
    assert set(document) == {"section", "source", "text"}
    assert (document["section"], document["source"]) == ("III", "our own summary")
    assert document["text"].count("§ III") == 4


def test_a_section_that_is_not_there_is_exit_1_and_says_what_is_near():
    line = complaint("lookup", "I.C.9.a.3", code=1)
    assert "no such section in our own summary; there is I.C.9.a (`clh fetch icd10cm`" in line
    done = clh("lookup", "I.C.9.a.3", "--json")
    assert (done.returncode, json.loads(done.stdout)["text"]) == (1, None)


def test_edits():
    done = clh("edits", "e109", "E11.9")
    assert done.returncode == 1
    assert "EX101 excludes1" in done.stdout.decode()
    assert clh("edits", "E11.9", "I10").returncode == 0
    document = json.loads(clh("edits", "N40.0", "--sex", "female", "--json").stdout)
    assert [f["edit"] for f in document["findings"]] == ["PT101"]
    assert "EX101 excludes1" in text("edits", "--explain", "EX101")
    assert "EX999" in complaint("edits", "--explain", "EX999")
    assert "give the codes" in complaint("edits")


def test_fetch_takes_official_files_and_passes_over_the_rest(tmp_path):
    folder = shared("icd10cm", "FY2025")
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    done = clh("fetch", "icd10cm", "--from", folder, env=env)
    assert done.returncode == 0, done.stderr
    assert "index FY2025" in done.stdout.decode()
    for kind in ("neoplasm", "drug", "external"):
        assert f"{kind} FY2025" in done.stdout.decode()
    assert "index FY2025" in clh("lookup", "I10", env=env).stderr.decode()
    doctor = text("doctor", env=env)
    assert "index FY2025" in doctor
    assert "rules (no model given)" in doctor


def test_fetch_picks_a_release_and_reads_gzip(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    small = b"<ICD10CM.tabular><version>1999</version></ICD10CM.tabular>"
    (files / "old.xml").write_bytes(small)
    (files / "new.xml.gz").write_bytes(gzip.compress(packaged().path.read_bytes()))
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    done = clh("fetch", "icd10cm", "--from", files, "--release", packaged().release, env=env)
    assert done.returncode == 0
    assert "tabular FY1999" in done.stderr.decode()
    installed = list((tmp_path / "data").rglob("*.xml"))
    assert [path.read_bytes() for path in installed] == [packaged().path.read_bytes()]


@pytest.mark.parametrize("content", [None, b"", b"<html>login</html>"])
def test_fetch_says_what_is_wrong_with_a_folder(tmp_path, content):
    folder = tmp_path / "files"
    if content is not None:
        folder.mkdir()
        (folder / "a.xml").write_bytes(content)
    assert str(folder) in complaint("fetch", "icd10cm", "--from", folder)


def test_fetch_refuses_a_damaged_archive(tmp_path):
    whole = gzip.compress(packaged().path.read_bytes())
    (tmp_path / "cut.xml.gz").write_bytes(whole[: len(whole) // 2])
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    line = complaint("fetch", "icd10cm", "--from", tmp_path, env=env)
    assert "cut.xml.gz" in line
    assert not list((tmp_path / "data").rglob("*.xml*"))


def test_doctor_without_an_index_says_what_to_type():
    assert "clh fetch icd10cm --release" in text("doctor")
