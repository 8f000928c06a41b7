"""A model is known by what it holds, not by its name alone."""

import pytest

from clhcode.runtime.identity import identity

LONG = 9_000_000


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(LONG))
    return tmp_path / "model"


def test_what_a_hub_knows_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert identity("ORG/NAME") == "ORG/NAME"


def test_a_copy_under_the_same_name_is_the_same(folder, tmp_path):
    other = tmp_path / "else" / "model"
    other.mkdir(parents=True)
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    assert identity(folder) == identity(str(other)) != str(folder)
    assert identity(folder).startswith("model@")


@pytest.mark.parametrize("at", [0, LONG // 2, LONG - 20_000])
def test_weights_trained_on_are_others(folder, at):
    weights = folder / "model.safetensors"
    whole, alone = identity(folder), identity(weights)
    # A step of training changes nearly every weight; 100 kB of them are enough to be seen.
    with weights.open("r+b") as file:
        file.seek(at)
        file.write(b"\x01" * min(100_000, LONG - at))
    assert identity(folder) != whole
    assert identity(weights) != alone


def test_a_file_more_or_longer_is_another_model(folder):
    before = identity(folder)
    (folder / "config.json").write_text("{ }")
    longer = identity(folder)
    (folder / "tokenizer.json").write_text("")
    assert len({before, longer, identity(folder)}) == 3


def test_an_empty_file_has_a_name(tmp_path):
    (tmp_path / "x.gguf").touch()
    assert identity(tmp_path / "x.gguf").startswith("x.gguf@")
