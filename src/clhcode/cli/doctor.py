"""`clh doctor`: the page a colleague asks for when something does not work."""

from __future__ import annotations

import click

from clhcode.cli.options import Examples, released

NAMES = {
    "index": "Alphabetic Index",
    "external": "external-cause index",
    "neoplasm": "neoplasm table",
    "drug": "drug table",
}
"""The books that coding goes by, as people call them."""


@click.command(cls=Examples, examples=("clh doctor", "clh doctor --release 2021"))
@released
def doctor(*, release: str | None) -> None:
    """Say what is installed, what is there, and what is missing."""
    import platform
    from importlib.metadata import version
    from importlib.util import find_spec

    from clhcode import __version__
    from clhcode.errors import UserError
    from clhcode.icd import sources
    from clhcode.icd.guidelines import open_guidelines
    from clhcode.icd.store import open_store
    from clhcode.places import cache_home
    from clhcode.runtime.pick import choose_engine
    from clhcode.runtime.probe import probe
    from clhcode.search.find import open_finder

    def say(name: str, value: str) -> None:
        click.echo(f"{name:<12} {value}")

    say("clh", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    base = ("click", "rich", "pyarrow", "orjson", "marisa-trie", "simple-icd-10-cm", "pypdf")
    say("installed", ", ".join(f"{name} {version(name)}" for name in base))
    choice = choose_engine(None)
    say("engine", f"{choice.name} ({choice.reason})")
    found = probe()
    here = {
        "llama.cpp": found.llamacpp,
        "vLLM": found.vllm,
        "training (TRL)": find_spec("trl") is not None,
        "a CUDA device": found.cuda,
    }
    say("models", " · ".join(f"{'' if there else 'no '}{name}" for name, there in here.items()))
    say("data", str(sources.home()))
    for file in [*sources.fetched(), sources.packaged()]:
        say("", f"{file.kind} FY{file.release}  {file.path}")
    chosen = sources.choose(release=release)
    say("in use", chosen.describe())
    say("cache", str(cache_home()))
    try:
        store, key = open_store(chosen)
        open_finder(store, key)
    except UserError as error:
        say("store", f"cannot be built: {error}")
        return
    meta = store.meta()
    say("store", f"{meta['codes']} codes, {meta['billable']} billable, {meta['terms']} index terms")
    if meta["unknown_codes"] != "0":
        say("", f"{meta['unknown_codes']} index codes are not in the tabular and were dropped")
    try:
        guidelines = open_guidelines(chosen.guidelines)
    except UserError as error:
        say("guidelines", f"cannot be read: {error}")
    else:
        say("guidelines", f"{guidelines.source}, {len(guidelines.sections)} sections")
    missing = False
    for kind, name in NAMES.items():
        book = chosen.of(kind)
        if book is None or book.release != chosen.tabular.release:
            say("missing", f"{name} of FY{chosen.tabular.release}")
            missing = True
    if missing:
        say("", f"`clh fetch icd10cm --release {chosen.tabular.release}`, or `--from` a folder")
