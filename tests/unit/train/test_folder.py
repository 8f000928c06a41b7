"""What is known of a model by the folder it lies in."""

import json

import pytest

from clhcode.errors import UserError
from clhcode.train.folder import learned_from


def run(folder, model="ORG/NAME", **more):
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps({"plan": {"model": str(model)}, **more}))
    return folder


def test_what_a_run_learned_from_is_known_of_its_files_and_of_what_was_tuned_further(tmp_path):
    first = run(tmp_path / "first", learned_from=["mimic-iv/train", "mimic-iv/val"])
    assert learned_from(str(first)) == ("mimic-iv/train", "mimic-iv/val")
    file = first / "first-f16.gguf"
    file.touch()
    assert learned_from(str(file)) == ("mimic-iv/train", "mimic-iv/val")
    second = run(tmp_path / "second", model=first, learned_from=["codiesp/train"])
    assert learned_from(str(second)) == ("codiesp/train", "mimic-iv/train", "mimic-iv/val")


def test_nothing_is_known_of_other_models(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert learned_from(str(tmp_path)) == ()
    assert learned_from("ORG/NAME") == ()
    assert learned_from("http://127.0.0.1:8000/v1") == ()


def test_a_damaged_record_is_told(tmp_path):
    folder = run(tmp_path / "run")
    (folder / "train.json").write_text('{"plan": ')
    with pytest.raises(UserError, match="not known what it learned from"):
        learned_from(str(folder))
