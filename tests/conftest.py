"""Shared by all tests: one cache of built stores, and the real data where it is there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.engines.fixtures import (  # noqa: F401 - fixtures of every suite
    base_gguf,
    gemma_folder,
    gemma_gguf,
    gemma_vllm,
    gguf,
    hf_folder,
    llama_server,
    vllm_model,
    vllm_server,
)


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/engines/" in str(item.path) or "tests/training/" in str(item.path):
            item.add_marker(pytest.mark.engines)
        if item.get_closest_marker("engines"):
            # What the engines' own libraries warn of is theirs.
            item.add_marker(pytest.mark.filterwarnings("default"))


SHARED = Path(__file__).parents[2] / "shared" / "data"

# Set before anything of clhcode runs, and inherited by every process the tests start: the
# user's own data must not decide what the tests see. The cache is kept between runs, since
# its keys are the contents of what it was built from.
_HOME = Path(tempfile.gettempdir()) / f"clh-tests-{os.getuid()}"
os.environ["XDG_CACHE_HOME"] = str(_HOME / "cache")
os.environ["XDG_DATA_HOME"] = str(_HOME / "no-data")


def shared(*parts: str) -> Path:
    """A file of the real data beside the checkout; the test is skipped where it is not."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)} in ../shared/data")
    return path


@pytest.fixture(scope="session")
def packaged():
    """The sources that come with the installation: the packaged tabular, no index."""
    from clhcode.icd.sources import choose
    from clhcode.icd.sources import packaged as file

    return choose([file()])


@pytest.fixture(scope="session")
def indexed():
    """The packaged tabular with the rebuilt index and the tables of 2025."""
    from clhcode.icd.sources import choose, identify
    from clhcode.icd.sources import packaged as file

    books = (identify(path) for path in sorted(shared("icd10cm", "FY2025").glob("*.xml.gz")))
    return choose([file(), *(book for book in books if book)])


@pytest.fixture(scope="session")
def store(packaged):
    from clhcode.icd.store import open_store

    return open_store(packaged)[0]


@pytest.fixture(scope="session")
def finder(packaged):
    return _finder(packaged)


@pytest.fixture(scope="session")
def indexed_finder(indexed):
    return _finder(indexed)


def _finder(sources):
    from clhcode.icd.store import open_store
    from clhcode.search.find import open_finder

    return open_finder(*open_store(sources))


@pytest.fixture(scope="session")
def index_env(tmp_path_factory):
    """Environment of a user who has fetched the rebuilt index."""
    folder = shared("icd10cm", "FY2025")
    env = {"XDG_DATA_HOME": str(tmp_path_factory.mktemp("data"))}
    command = [sys.executable, "-m", "clhcode", "fetch", "icd10cm", "--from", str(folder)]
    subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True)
    return env
