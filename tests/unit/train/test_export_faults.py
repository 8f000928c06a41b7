"""What is told before any weight is read."""

import json
import sys

import pytest
from click.testing import CliRunner

from clhcode.cli.train_export import QUANTS, export
from clhcode.errors import UserError
from clhcode.train import export as work


def said(*arguments):
    done = CliRunner().invoke(export, list(map(str, arguments)))
    assert isinstance(done.exception, UserError), done.output
    return str(done.exception)


def test_quants_of_the_command_are_those_of_the_export():
    assert QUANTS == work.QUANTS


def test_a_folder_must_be_there_and_hold_a_model(tmp_path):
    assert said(tmp_path / "none") == f"{tmp_path / 'none'}: no such folder"
    assert said(tmp_path) == (f"{tmp_path}: holds neither a config.json nor an adapter_config.json")
    assert said(tmp_path, "--merged") == (
        f"{tmp_path}: holds no adapter_config.json, so there is nothing to merge"
    )
    (tmp_path / "config.json").write_text("{")
    assert said(tmp_path) == f"{tmp_path / 'config.json'}: no JSON"


def test_a_converter_must_be_there(tmp_path):
    assert said(tmp_path, "--converter", tmp_path / "c.py") == (
        f"--converter {tmp_path / 'c.py'}: no such file"
    )


@pytest.mark.parametrize(
    ("module", "settings", "more"),
    [
        ("gguf", {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1}, ()),
        ("llama_cpp", {}, ("--quant", "q4_k_m")),
    ],
)
def test_what_is_missing_is_named(tmp_path, monkeypatch, module, settings, more):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert "is not installed: pip install 'clhcode[" in said(tmp_path, *more)
    assert not list(tmp_path.glob("*.gguf*"))
