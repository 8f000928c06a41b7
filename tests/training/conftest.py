"""Tiny models in Hugging Face's layout, and a small table with splits."""

import pytest

from tests.unit.train import demo


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory):
    """A chat model of random weights."""
    return _tiny(tmp_path_factory, chat=True)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """The same without a chat template."""
    return _tiny(tmp_path_factory, chat=False)


def _tiny(tmp_path_factory, *, chat):
    pytest.importorskip("trl")
    from engines import tiny

    return tiny.folder(tmp_path_factory.mktemp("tiny") / "model", chat=chat)


@pytest.fixture(scope="session")
def demo_table(tmp_path_factory):
    """Some demonstration encounters with splits."""
    return demo.table(tmp_path_factory.mktemp("train") / "demo.jsonl", few=12)
