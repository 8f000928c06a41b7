"""The table of decisions, with what a machine has set by hand."""

import pytest

from clhcode.errors import UserError
from clhcode.runtime.pick import choose_engine
from clhcode.runtime.probe import Probes

NOTHING = Probes(cuda=False, llamacpp=False, vllm=False)
CPU = Probes(cuda=False, llamacpp=True, vllm=False)
CPU_VLLM = Probes(cuda=False, llamacpp=True, vllm=True)
GPU = Probes(cuda=True, llamacpp=True, vllm=True)
BARE_GPU = Probes(cuda=True, llamacpp=False, vllm=False)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Files and folders of each kind, under short names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    for name, files in {
        "hf": ["config.json"],
        "adapter": ["adapter_config.json"],
        "ggufs": ["a.gguf"],
        "both": ["config.json", "a.gguf"],
        "neither": ["readme.txt"],
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("{}")


@pytest.mark.parametrize(
    ("engine", "model", "probes", "name", "why"),
    [
        (None, None, NOTHING, "rules", "no model given"),
        ("rules", None, GPU, "rules", "as asked"),
        (None, "http://127.0.0.1:1/v1", NOTHING, "openai", "a URL"),
        (None, "https://example.com/v1", GPU, "openai", "a URL"),
        (None, "m.gguf", CPU, "llamacpp", "a GGUF file"),
        (None, "m.gguf", GPU, "llamacpp", "a GGUF file"),
        (None, "ORG/NAME/file.gguf", CPU, "llamacpp", "a GGUF file"),
        (None, "hf", GPU, "vllm", "a folder, on a CUDA device"),
        (None, "adapter", GPU, "vllm", "a folder, on a CUDA device"),
        (None, "ggufs", CPU, "llamacpp", "the folder holds a GGUF"),
        (None, "ggufs", GPU, "llamacpp", "the folder holds a GGUF"),
        (None, "both", CPU, "llamacpp", "the folder holds a GGUF"),
        (None, "both", GPU, "vllm", "a folder, on a CUDA device"),
        (None, "ORG/NAME", GPU, "vllm", "a name on the hub, on a CUDA device"),
        ("vllm", "hf", CPU_VLLM, "vllm", "as asked"),
        ("llamacpp", "ORG/NAME", CPU, "llamacpp", "as asked"),
        ("openai", "http://127.0.0.1:1/v1", NOTHING, "openai", "as asked"),
    ],
)
def test_the_model_decides_and_the_engine_overrides(models, engine, model, probes, name, why):
    choice = choose_engine(engine, model, probes)
    assert choice.name == name
    assert why in choice.reason
    assert choice.model == model


@pytest.mark.parametrize(
    ("engine", "model", "probes", "says"),
    [
        (None, "m.gguf", NOTHING, r"pip install 'clhcode\[llamacpp\]'"),
        (None, "hf", BARE_GPU, r"pip install 'clhcode\[vllm\]'"),
        ("vllm", "hf", CPU, r"pip install 'clhcode\[vllm\]'"),
        (None, "hf", CPU_VLLM, "there is none: give a GGUF"),
        (None, "ORG/NAME", CPU, "there is none: give a GGUF"),
        (None, "neither", CPU, "neither a GGUF nor a config.json"),
        (None, "not-there", GPU, "no such file or folder"),
        (None, "./not/there", GPU, "no such file or folder"),
        ("vllm", "m.gguf", GPU, "a GGUF file is for llama.cpp"),
        ("llamacpp", "http://127.0.0.1/v1", GPU, "a URL is for the engine openai"),
        ("openai", "hf", GPU, "the URL of a server"),
        ("llamacpp", None, GPU, "needs --model: a GGUF file"),
        ("rules", "m.gguf", GPU, "runs no model"),
        ("gpt", None, GPU, "no engine `gpt`"),
    ],
)
def test_what_cannot_be_is_one_line_with_what_to_type(models, engine, model, probes, says):
    with pytest.raises(UserError, match=says) as told:
        choose_engine(engine, model, probes)
    assert "\n" not in str(told.value)
