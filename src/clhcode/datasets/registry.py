"""Which data sets there are, and what each says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from clhcode.errors import UserError
from clhcode.records import Setting
from clhcode.table.convert import Row


@dataclass(frozen=True, slots=True)
class Raw:
    """What a data set is read from.

    Attributes:
        folder: Its published files.
        others: The folders of the data sets that it lies over, by name.
        left_out: A count of what is left out, by reason, which the reader fills.
        work: An empty folder for what does not fit in memory; it goes with the run.
    """

    folder: Path
    others: Mapping[str, Path] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    work: Path = Path()


Rows = Callable[[Raw], Iterator[Row]]
"""Reads a published layout."""


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
        also: What else is looked at where it is at hand, to tell of overlaps.
        corpus: Whose numbers of stays, notes and patients it has; its own where empty.
        stay: A pattern that finds the number of the stay in the name of an encounter.
        credentialed: Whether its text may not leave the machines of those who signed.
        year: The fiscal year of its ICD-10-CM codes, where its authors say one.
        rules: What was decided on the way to the table, for its card.
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
    also: tuple[str, ...] = ()
    corpus: str = ""
    stay: str = ""
    credentialed: bool = False
    year: int | None = None
    rules: tuple[str, ...] = ()

    def rows(self) -> Rows:
        """The reader, imported when it is needed."""
        module, function = self.reader.split(":")
        found = getattr(import_module(f"clhcode.datasets.{module}"), function)
        return cast("Rows", found)


_MDACE: dict[str, Any] = {
    "licence": "annotations MIT (3M, 2022); text: PhysioNet credentialed health data, MIMIC-III",
    "cite": "Cheng et al. 2023, MDACE: MIMIC Documents Annotated with Code Evidence (ACL)",
    "reader": "mdace:rows",
    "table": "mdace",
    "files": "mdace",
    "needs": ("mimic-iii",),
    "also": ("splits",),
    "corpus": "mimic-iii",
    "stay": r"[a-z]+-(\d+)",
    "credentialed": True,
}
_NAMED = r"\d+_(\d+)_"
"""The stay in SUBJECT_HADM_ROWID."""
_PHYSIONET: dict[str, Any] = {
    "licence": "PhysioNet Credentialed Health Data License 1.5.0",
    "policy": "mentions",
    "setting": "inpatient",
    "credentialed": True,
}
_STAYS = (
    "An encounter is a stay with at least one code and one discharge summary; addenda are notes"
    " of their own, in the order they were written.",
    "Codes have their dots; one that repeats in a stay counts once; diagnoses come first.",
    "Patients older than 89 are 90.",
)
_MIMIC_III: dict[str, Any] = {
    **_PHYSIONET,
    "policy": "guidelines",
    "files": "mimic-iii",
    "needs": ("splits",),
    "corpus": "mimic-iii",
    "stay": r"(\d+)",
}
_MIMIC_III_CITE = "Johnson et al. 2016, MIMIC-III (Sci Data); splits: "
_MULLENBACH = "Mullenbach et al. 2018, CAML (NAACL)"
_EDIN = "Edin et al. 2023 (SIGIR)"
_MIMIC_IV: dict[str, Any] = {
    **_PHYSIONET,
    "policy": "guidelines",
    "cite": f"Johnson et al. 2023, MIMIC-IV (Sci Data) and MIMIC-IV-Note; splits: {_EDIN}",
    "files": "mimic-iv",
    "needs": ("mimic-iv-note", "splits"),
    "corpus": "mimic-iv",
    "stay": r"(\d+)",
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
            corpus="codiesp",
            year=2018,
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
            corpus="codiesp",
            year=2018,
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
            **_MDACE,
        ),
        Dataset(
            name="mdace-profee",
            title="MDACE, profee",
            policy="guidelines",
            setting=None,
            **_MDACE,
        ),
        Dataset(
            name="mimic-iii",
            title="MIMIC-III 1.4, full",
            cite=_MIMIC_III_CITE + _MULLENBACH,
            reader="mimic_iii:full",
            table="mimic-iii",
            rules=(*_STAYS, "Stays that are in no split have none."),
            **_MIMIC_III,
        ),
        Dataset(
            name="mimic-iii-50",
            title="MIMIC-III 1.4, 50 codes",
            cite=_MIMIC_III_CITE + _MULLENBACH,
            reader="mimic_iii:fifty",
            table="mimic-iii-50",
            rules=(
                *_STAYS,
                "The 50 codes are those that Mullenbach et al. published, not counted anew; stays"
                " of no split or with none of them are left out.",
            ),
            **_MIMIC_III,
        ),
        Dataset(
            name="mimic-iii-clean",
            title="MIMIC-III 1.4, clean",
            cite=_MIMIC_III_CITE + _EDIN,
            reader="mimic_iii:clean",
            table="mimic-iii-clean",
            rules=(
                *_STAYS,
                "Codes that fewer than ten stays have are left out, counted before the split; so"
                " are stays of no split or without any other code.",
            ),
            **_MIMIC_III,
        ),
        Dataset(
            name="mimic-iv",
            title="MIMIC-IV, ICD-10",
            reader="mimic_iv:icd10",
            table="mimic-iv",
            rules=(
                *_STAYS,
                "All codes of ICD-10 are kept. Edin et al. leave out those that fewer than ten"
                " stays have, and with them stays that have no other: these are in no split here.",
            ),
            **_MIMIC_IV,
        ),
        Dataset(
            name="mimic-iv-icd9",
            title="MIMIC-IV, ICD-9",
            reader="mimic_iv:icd9",
            table="mimic-iv-icd9",
            rules=(
                *_STAYS,
                "All codes of ICD-9 are kept. Edin et al. leave out those that fewer than ten"
                " stays have, and with them stays that have no other: these are in no split here.",
            ),
            **_MIMIC_IV,
        ),
        Dataset(
            name="mimic-iv-50",
            title="MIMIC-IV, ICD-10, 50 codes",
            reader="mimic_iv:fifty",
            table="mimic-iv-50",
            rules=(
                *_STAYS,
                "The 50 codes, of diagnoses and procedures, that most stays of train have; stays of"
                " no split or with none of them are left out.",
            ),
            **_MIMIC_IV,
        ),
        Dataset(
            name="meddec",
            title="MedDEC 1.0.0",
            cite="Elgaar et al. 2024, MedDec (Findings of ACL)",
            reader="meddec:rows",
            table="meddec",
            files="meddec",
            needs=("mimic-iii",),
            also=("splits",),
            corpus="mimic-iii",
            stay=_NAMED,
            rules=("An encounter is a note; a code is a category of decisions.",),
            **_PHYSIONET,
        ),
        Dataset(
            name="snomed-entity",
            title="SNOMED CT Entity Linking Challenge 1.0.0",
            cite="Hardman et al. 2023, SNOMED CT Entity Linking Challenge (PhysioNet)",
            reader="snomed_entity:rows",
            table="snomed-entity",
            files="snomed-entity",
            split="train",
            also=("mimic-iv-note", "splits"),
            corpus="mimic-iv",
            rules=("An encounter is a note; a code is a concept's number. All are of train.",),
            **_PHYSIONET,
        ),
        Dataset(
            name="phenotypes",
            title="Phenotype Annotations 1.20.03",
            cite="Moseley et al. 2020, Phenotype Annotations for Patient Notes in MIMIC-III",
            reader="phenotypes:rows",
            table="phenotypes",
            files="phenotypes",
            needs=("mimic-iii",),
            also=("splits",),
            corpus="mimic-iii",
            stay=_NAMED,
            rules=(
                "An encounter is a note; a code is a phenotype of the whole note, no evidence.",
                "A phenotype holds where more than half of the note's operators see it. Readings"
                " that are UNSURE, or NONE beside a phenotype, do not count; a note without one"
                " that counts has no gold.",
            ),
            **_PHYSIONET,
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


def fetched() -> list[str]:
    """The data sets whose published files, and those that they lie over, are where `raw` says."""
    return [
        each.name
        for each in DATASETS.values()
        if each.name == each.table and all(raw(n).is_dir() for n in (each.files, *each.needs))
    ]


def lacking(folder: Path, what: str) -> UserError:
    """The error of a folder that lacks a file of the published layout."""
    return UserError(f"{folder}: no {what} here (--from names the folder of the published files)")
