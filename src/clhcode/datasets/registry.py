"""Which data sets there are, and what each says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from clhcode.errors import UserError
from clhcode.records import Setting
from clhcode.table.convert import Row

Rows = Callable[[Path, Mapping[str, Path], Counter[str]], Iterator[Row]]
"""Reads the published layout: its folder, the folders of the data sets below it by name, and
a count of what is left out, by reason."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set.

    Attributes:
        title: Its name as its authors write it, with the version.
        licence: What allows its use, and whose agreement it needs.
        cite: What to cite.
        policy: What its gold codes count: what a coder reports, or every mention.
        setting: Of all its encounters, where its rows do not say.
        reader: `module:function` of its `Rows`.
        table: The data set whose prepared table holds its rows.
        files: The data set whose published files it is read from.
        split: What `bench` scores unless asked for another.
        needs: Data sets that it lies over.
        credentialed: Whether its text may not leave the machines of those who signed.
    """

    name: str
    title: str
    licence: str
    cite: str
    policy: str
    setting: Setting | None
    reader: str
    table: str
    files: str
    split: str = "test"
    needs: tuple[str, ...] = ()
    credentialed: bool = False

    def rows(self) -> Rows:
        """The reader, imported when it is needed."""
        module, function = self.reader.split(":")
        found = getattr(import_module(f"clhcode.datasets.{module}"), function)
        return cast("Rows", found)


_MDACE = {
    "licence": "annotations MIT (3M, 2022); text: PhysioNet credentialed health data, MIMIC-III",
    "cite": "Cheng et al. 2023, MDACE: MIMIC Documents Annotated with Code Evidence (ACL)",
    "reader": "mdace:rows",
    "table": "mdace",
    "files": "mdace",
}

DATASETS: dict[str, Dataset] = {
    each.name: each
    for each in (
        Dataset(
            name="demo",
            title="clh demonstration encounters",
            licence="MIT",
            cite="this project; synthetic, proves no quality",
            policy="guidelines",
            setting=None,
            reader="demo:rows",
            table="demo",
            files="demo",
        ),
        Dataset(
            name="codiesp",
            title="CodiEsp v4, English",
            licence="CC BY 4.0",
            cite="Miranda-Escalada et al. 2020, CodiEsp (CLEF eHealth); Zenodo 3837305",
            policy="mentions",
            setting=None,
            reader="codiesp:english",
            table="codiesp",
            files="codiesp",
        ),
        Dataset(
            name="codiesp-es",
            title="CodiEsp v4, Spanish",
            licence="CC BY 4.0",
            cite="Miranda-Escalada et al. 2020, CodiEsp (CLEF eHealth); Zenodo 3837305",
            policy="mentions",
            setting=None,
            reader="codiesp:spanish",
            table="codiesp-es",
            files="codiesp",
        ),
        Dataset(
            name="aci-bench",
            title="ACI-Bench",
            licence="CC BY 4.0",
            cite="Yim et al. 2023, ACI-Bench; codes: Yuan et al. 2025 (arXiv 2510.07629)",
            policy="guidelines",
            setting="outpatient",
            reader="aci_bench:rows",
            table="aci-bench",
            files="aci-bench",
        ),
        Dataset(
            name="mdace",
            title="MDACE, inpatient",
            policy="guidelines",
            setting="inpatient",
            needs=("mimic-iii",),
            credentialed=True,
            **_MDACE,
        ),
        Dataset(
            name="mdace-profee",
            title="MDACE, profee",
            policy="guidelines",
            setting=None,
            needs=("mimic-iii",),
            credentialed=True,
            **_MDACE,
        ),
    )
}


def dataset(name: str) -> Dataset:
    """The data set of a name.

    Raises:
        UserError: There is none.
    """
    try:
        return DATASETS[name]
    except KeyError:
        known = ", ".join(DATASETS)
        raise UserError(f"no data set `{name}`: known are {known}") from None


def own(path: Path) -> Dataset:
    """A user's own table with gold codes, under the policy of coders."""
    return Dataset(
        name=path.stem,
        title=path.name,
        licence="the user's",
        cite="the user's own table",
        policy="guidelines",
        setting=None,
        reader="",
        table=path.stem,
        files=path.stem,
    )


def raw(name: str) -> Path:
    """Where the published files of a data set lie unless told otherwise."""
    return Path("data") / name / "raw"


def prepared(name: str) -> Path:
    """Where `prepare` writes its table and `bench` looks for it unless told otherwise."""
    return Path("data") / name / "prepared" / f"{name}.parquet"


def lacking(folder: Path, what: str) -> UserError:
    """The error of a folder that lacks a file of the published layout."""
    return UserError(f"{folder}: no {what} here (--from names the folder of the published files)")
