"""The general equivalence mapping from ICD-10-CM to ICD-9-CM (CMS, `i10gem`, last of 2018).

Layout: a code of ICD-10-CM, one of ICD-9-CM, both without dots, and five digits, parted by blanks
(`A1801     01500     10121`), or the same as CSV with a header. The digits:

    1  approximate  1: the two are not equivalent
    2  no map       1: there is no such code; `NoDx` stands in its place
    3  combination  1: several codes together say what the one says
    4  scenario     of a combination: which way to say it
    5  choice list  of a scenario: each list gives one code, and its entries are alternatives

Entries without a combination are alternatives; a code may have both kinds.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clhcode.errors import UserError
from clhcode.icd.codes import dotted, dotted_9
from clhcode.icd.sources import open_plain

Choice = tuple[str, ...]
"""Alternatives: any of these codes will do."""
Cluster = tuple[Choice, ...]
"""One code of each choice, together."""
Readings = tuple[Cluster, ...]
"""Ways to say a code, any of which will do; none where it cannot be said."""

_LINE = re.compile(r'"?(\w+)"?[,\s]+"?(\w+)"?[,\s]+"?([01]{3}\d\d)"?')
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Gem:
    """The mapping.

    Attributes:
        name: Of the file, with a short hash of its content.
        readings: ICD-10-CM -> ICD-9-CM, with dots.
        equivalent: Codes of ICD-10-CM that have an equivalent of their own.
        targets: All codes of ICD-9-CM that it leads to.
    """

    name: str
    readings: Mapping[str, Readings]
    equivalent: frozenset[str]
    targets: frozenset[str]


def open_gem(place: Path) -> Gem:
    """The mapping in a file, or the newest below a folder, zips in it too.

    Raises:
        UserError: There is none.
    """
    paths = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    found = [(name, text) for path in paths for name, text in _texts(path) if _backward(text)]
    if not found:
        raise UserError(
            f"{place}: no GEM from ICD-10-CM to ICD-9-CM (`2018_I10gem.txt`) here"
            " (--gem names the file or its folder)"
        )
    years = [(*_YEAR.findall(name)[-1:], name) for name, _ in found]
    name, text = found[max(range(len(found)), key=years.__getitem__)]
    return read_gem(text.splitlines(), f"{name} ({hashlib.sha256(text.encode()).hexdigest()[:8]})")


def read_gem(lines: Iterable[str], name: str) -> Gem:
    """Reads the lines of a file; what is no entry, such as a header, is passed over."""
    single: dict[str, list[str]] = {}
    combined: dict[str, dict[str, dict[str, list[str]]]] = {}
    equivalent: set[str] = set()
    targets: set[str] = set()
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        source, target = dotted(match[1]), dotted_9(match[2])
        approximate, no_map, combination, scenario, choice = tuple(match[3])
        ways = combined.setdefault(source, {})
        alone = single.setdefault(source, [])
        if no_map == "1":
            continue
        if approximate == "0":
            equivalent.add(source)
        targets.add(target)
        if combination == "1":
            ways.setdefault(scenario, {}).setdefault(choice, []).append(target)
        else:
            alone.append(target)
    readings = {source: _readings(single[source], combined[source]) for source in single}
    return Gem(name, readings, frozenset(equivalent), frozenset(targets))


def _readings(single: list[str], combined: dict[str, dict[str, list[str]]]) -> Readings:
    alone: Readings = ((tuple(single),),) if single else ()
    return alone + tuple(
        tuple(tuple(codes) for _, codes in sorted(lists.items()))
        for _, lists in sorted(combined.items())
    )


def _backward(text: str) -> bool:
    """Whether the first entry goes from ICD-10-CM to ICD-9-CM: `A000`, the first code of all."""
    match = next(filter(None, map(_LINE.match, text[:2_000].splitlines())), None)
    return match is not None and match[1][:1].isalpha() and match[2][:1].isdigit()


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The name and text of a file that may be a mapping, or of such members of a zip."""
    if "gem" not in path.name.lower() and path.suffix.lower() != ".zip":
        return
    try:
        if path.suffix.lower() != ".zip":
            with open_plain(path) as stream:
                yield path.name, stream.read().decode("utf-8", "replace")
            return
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if "gem" in member.lower() and member.lower().endswith((".txt", ".csv")):
                    yield Path(member).name, archive.read(member).decode("utf-8", "replace")
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: broken off or damaged ({error})") from None
