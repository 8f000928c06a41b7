import pytest

from tests.unit.train import demo


@pytest.fixture(scope="session")
def demo_table(tmp_path_factory):
    """The demonstration encounters with splits."""
    return demo.table(tmp_path_factory.mktemp("train") / "demo.jsonl")
