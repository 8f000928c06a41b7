"""The documents name no option that a command does not have."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
OTHERS = {
    *("--extra", "--dry-run", "--nproc_per_node", "--tensor-parallel-size", "--categories"),
    *("--sft-lr", "--sft-steps"),
}
"""Options of other programs."""


@pytest.mark.parametrize("page", ["training", "gpu", "from-the-reference"])
def test_options_are_those_of_the_commands(page):
    told = (DOCS / "commands.md").read_text("utf-8")
    known = set(re.findall(r"--[a-z][\w-]+", told)) | OTHERS
    named = set(re.findall(r"--[a-z][\w-]+", (DOCS / f"{page}.md").read_text("utf-8")))
    assert named
    assert named - known == set()
