"""Help, documents and start-up: a command without them does not pass."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from clhcode.cli.main import COMMANDS, cli
from tests.cli.run import complaint, text

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"


def command(name):
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def test_the_group_lists_every_command_in_the_order_of_the_work():
    page = text("--help")
    positions = [page.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)
    assert all(line in page for _, line in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_what_its_line_says(name):
    found = command(name)
    first = (found.help or "").strip().split("\n\n")[0].replace("\n", " ")
    assert " ".join(first.split()) == COMMANDS[name][1]
    for parameter in found.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_examples_that_are_of_the_command(name):
    page = text(name, "--help")
    examples = page[page.index("Examples:") :].splitlines()[1:]
    assert any(examples)
    assert all(f"clh {name}" in line for line in examples if line.strip())


def every():
    """Every command, and behind a group those in it."""
    for name in COMMANDS:
        yield name
        if isinstance(command(name), click.Group):
            yield from (f"{name} {each}" for each in command(name).commands)


@pytest.mark.parametrize("name", list(every()))
def test_the_documents_hold_the_help_as_it_is(name):
    documented = DOCS.read_text().split(f"## clh {name}\n")[1].split("\n## ")[0]
    page = text(*name.split(), "--help", env={"COLUMNS": "80"})
    assert documented.strip().removeprefix("```\n").removesuffix("\n```") == page.strip()


def imported(*arguments):
    """Top-level modules that a run imports."""
    program = (
        "import sys\nfrom clhcode.__main__ import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print('|'.join(sorted({m.partition('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stderr.strip().splitlines()[-1].split("|"))


HEAVY = {"pyarrow", "numpy", "rich", "orjson", "tqdm", "marisa_trie", "simple_icd_10_cm"}
HEAVY |= {"sqlite3", "pypdf"}


def test_help_imports_click_only():
    assert not imported("--help") & HEAVY


@pytest.mark.parametrize(
    "arguments", [("lookup", "hypertension"), ("lookup", "I.C.9"), ("edits", "E11.9", "I10")]
)
def test_lookup_and_edits_import_no_arrow(arguments):
    assert not imported(*arguments) & {"pyarrow", "numpy", "rich", "simple_icd_10_cm", "pypdf"}


def test_coding_one_note_imports_no_arrow(tmp_path):
    note = tmp_path / "n.txt"
    note.write_text("Hypertension.")
    loaded = imported("code", str(note), "--format", "jsonl")
    assert not loaded & {"pyarrow", "numpy", "rich", "simple_icd_10_cm", "pypdf"}


def test_a_wrong_command_is_one_line():
    assert "foo" in complaint("foo")
