"""The table of addresses: complete, and of one form."""

import pytest

from clhcode.datasets.registry import DATASETS
from clhcode.download.every import fetchable
from clhcode.download.login import may_be_told, origin
from clhcode.download.sources import ICD_FILES, PHYSIONET, SOURCES
from clhcode.errors import UserError

EACH = pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)


def test_every_data_set_that_is_prepared_can_be_fetched():
    read = {d.files for d in DATASETS.values()} | {n for d in DATASETS.values() for n in d.needs}
    assert read - {"demo"} <= set(SOURCES)


@EACH
def test_addresses_are_whole_and_safe(source):
    root, page = source.at(source.release(None))
    assert may_be_told(root)
    assert root.startswith("https://")
    assert page.startswith("https://")
    assert "{" not in root + page
    assert source.credentialed == (origin(root)[1] == PHYSIONET)
    assert root.endswith("/") != source.zipped


def test_releases():
    four = SOURCES["mimic-iv"]
    assert four.release(None) == "3.1"
    assert four.at("2.2")[0] == "https://physionet.org/files/mimiciv/2.2/"
    with pytest.raises(UserError, match=r"2\.2 or 3\.0 or 3\.1"):
        four.release("2.1")
    with pytest.raises(UserError, match="--release 4"):
        SOURCES["mdace"].release("4")


def test_what_make_fetches(monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("PHYSIONET_USER", "")
    monkeypatch.setenv("PHYSIONET_PASS", "")
    said = []
    open_ = [name for name, source in SOURCES.items() if not source.credentialed]
    assert fetchable(said.append) == open_
    assert "mimic-iii, mimic-iv, " in said[0]
    monkeypatch.setenv("PHYSIONET_USER", "ada")
    monkeypatch.setenv("PHYSIONET_PASS", "one")
    assert fetchable(said.append) == list(SOURCES)
    assert len(said) == 1


def test_the_classification_has_its_files():
    assert set(ICD_FILES) == {"tables", "order", "guidelines"}
