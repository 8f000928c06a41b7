"""Where published files come from: every address `clh` knows, and which files coding needs.

Addresses change. What each one's `page` names is where a person finds the files then, and every
failure says it; `--from` takes the place of any address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clhcode.errors import UserError

PHYSIONET = "physionet.org"
"""The only host, beside one that the user names, that is sent a user's credentials."""

_FILES = f"https://{PHYSIONET}/files"
_CONTENT = f"https://{PHYSIONET}/content"
_CODELOAD = "https://codeload.github.com"
_DUA = "PhysioNet Credentialed Health Data License 1.5.0"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set is published.

    Attributes:
        name: As `clh prepare` calls the data set.
        title: As its authors call it.
        licence: What allows its use.
        root: The folder with its SHA256SUMS.txt, or the address of its zip; `{release}` stands
            for one of `releases`.
        page: What a person reads: the agreement to sign, or a list of the files.
        files: Patterns of the files that coding needs, from the top of the set; see
            `clhcode.download.pick`.
        also: Patterns of files that are taken along where they are there.
        releases: The newest last.
        zipped: Whether `root` is a zip, in any folder of which the set may lie.
        credentialed: Whether an account that signed the agreement is needed.
        size: Bytes of the needed files, roughly.
    """

    name: str
    title: str
    licence: str
    root: str
    page: str
    files: tuple[str, ...]
    also: tuple[str, ...] = ("LICENSE*", "README*")
    releases: tuple[str, ...] = ()
    zipped: bool = False
    credentialed: bool = False
    size: int = 0

    def at(self, release: str) -> tuple[str, str]:
        """Root and page of a release."""
        return self.root.format(release=release), self.page.format(release=release)

    def release(self, wanted: str | None) -> str:
        """The release that is meant; the newest unless one is wanted.

        Raises:
            UserError: There is no such release.
        """
        if wanted is None:
            return self.releases[-1] if self.releases else ""
        if wanted not in self.releases:
            known = " or ".join(self.releases) or "one, without a name"
            raise UserError(f"--release {wanted}: {self.name} has {known}")
        return wanted


def _physionet(where: str, **more: Any) -> Source:
    return Source(
        licence=_DUA,
        root=f"{_FILES}/{where}/{{release}}/",
        page=f"{_CONTENT}/{where}/{{release}}/",
        credentialed=True,
        **more,
    )


def _github(repository: str, **more: Any) -> Source:
    return Source(
        root=f"{_CODELOAD}/{repository}/zip/HEAD",
        page=f"https://github.com/{repository}",
        zipped=True,
        **more,
    )


def _csv(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.csv.gz" for name in names)


_CMS = "https://www.cms.gov"

SOURCES: dict[str, Source] = {
    each.name: each
    for each in (
        _physionet(
            "mimiciii",
            name="mimic-iii",
            title="MIMIC-III",
            releases=("1.4",),
            files=_csv(
                *("NOTEEVENTS", "DIAGNOSES_ICD", "PROCEDURES_ICD", "D_ICD_DIAGNOSES"),
                *("D_ICD_PROCEDURES", "PATIENTS", "ADMISSIONS"),
            ),
            size=1_160_000_000,
        ),
        _physionet(
            "mimiciv",
            name="mimic-iv",
            title="MIMIC-IV",
            releases=("2.2", "3.0", "3.1"),
            files=_csv(
                *("hosp/diagnoses_icd", "hosp/procedures_icd"),
                *("hosp/patients", "hosp/admissions"),
            ),
            size=65_000_000,
        ),
        _physionet(
            "mimic-iv-note",
            name="mimic-iv-note",
            title="MIMIC-IV-Note",
            releases=("2.2",),
            files=_csv("note/discharge"),
            size=1_140_000_000,
        ),
        _physionet(
            "snomed-ct-entity-challenge",
            name="snomed-entity",
            title="SNOMED CT Entity Linking Challenge",
            releases=("1.0.0",),
            files=("mimic-iv_notes_training_set.csv", "train_annotations.csv"),
            size=6_000_000,
        ),
        _physionet(
            "meddec",
            name="meddec",
            title="MedDEC",
            releases=("1.0.0",),
            files=("data/*.json", "**/train.txt", "**/val.txt"),
            size=12_000_000,
        ),
        _physionet(
            "phenotype-annotations-mimic",
            name="phenotypes",
            title="Phenotype Annotations",
            releases=("1.20.03",),
            files=("ACTdb102003.csv",),
            size=300_000,
        ),
        _github(
            "3mcloud/MDACE",
            name="mdace",
            title="MDACE",
            licence="MIT (3M, 2022); its text is MIMIC-III's",
            files=("data/*/*/*/*.json", "splits/*/*.csv"),
            size=4_000_000,
        ),
        _github(
            "JoakimEdin/medical-coding-reproducibility",
            name="splits",
            title="Splits of Edin et al. 2023",
            licence="Apache-2.0",
            files=tuple(
                f"**/{name}.feather"
                for name in (
                    *("mimiciii_full_splits", "mimiciii_50_splits", "mimiciii_clean_splits"),
                    *("mimiciv_icd9_split", "mimiciv_icd10_split"),
                )
            ),
            size=4_300_000,
        ),
        Source(
            name="codiesp",
            title="CodiEsp v4",
            licence="CC BY 4.0",
            root="https://zenodo.org/records/3837305/files/codiesp.zip",
            page="https://zenodo.org/records/3837305",
            files=(
                *("*/*D.tsv", "*/*P.tsv", "*/*X.tsv"),
                *("*/text_files/*.txt", "*/text_files_en/*.txt"),
            ),
            zipped=True,
            size=6_000_000,
        ),
        _github(
            "wyim/aci-bench",
            name="aci-bench",
            title="ACI-Bench",
            licence="CC BY 4.0",
            files=("train.csv", "valid.csv", "train_metadata.csv", "valid_metadata.csv"),
            also=("*_test?.csv", "*_test?_metadata.csv", "icd10cm_gold.csv"),
            size=2_000_000,
        ),
        Source(
            name="icd9cm",
            title="ICD-9-CM titles, version 32",
            licence="US government work",
            root=f"{_CMS}/medicare/coding/icd9providerdiagnosticcodes/downloads"
            "/icd-9-cm-v32-master-descriptions.zip",
            page=f"{_CMS}/medicare/coding-billing/icd-10-codes"
            "/icd-9-cm-diagnosis-procedure-codes-abbreviated-and-full-code-titles",
            files=("*_DESC_LONG_DX.txt", "*_DESC_LONG_SG.txt"),
            also=("*_DESC_SHORT_*.txt",),
            zipped=True,
            size=1_100_000,
        ),
        Source(
            name="gem",
            title="General equivalence mappings, ICD-9-CM and ICD-10-CM",
            licence="US government work",
            root=f"{_CMS}/medicare/coding/icd10/downloads"
            "/2018-icd-10-cm-general-equivalence-mappings.zip",
            page=f"{_CMS}/medicare/coding-billing/icd-10-codes/icd-10-cm-icd-10-pcs-gem-archive",
            files=("*_I9gem.txt", "*_I10gem.txt"),
            also=(),
            zipped=True,
            size=3_500_000,
        ),
    )
}
"""The data sets that lie in `data/NAME/raw`. The classification lies in the user's data folder."""

CLASSIFICATION = "icd10cm"
NAMES = (*SOURCES, CLASSIFICATION)

ICD_CDC = "https://ftp.cdc.gov/pub/Health_Statistics/NCHS/Publications/ICD10CM"
ICD_CMS = f"{_CMS}/files/zip"
ICD_PAPERS = f"{_CMS}/files/document"
ICD_PAGE = f"{_CMS}/medicare/coding-billing/icd-10-codes"
"""Where a person finds the files of the classification when the addresses have changed."""

ICD_FILES = {
    "tables": (
        "{cdc}/{year}/icd10cm-Table and Index-{year}.zip",
        "{cdc}/{year}/icd10cm-table-index-{year}.zip",
        "{cdc}/{year}-Update/icd10cm-table-index-April-{year}.zip",
        "{cms}/{year}-code-tables-tabular-and-index.zip",
    ),
    "order": (
        "{cdc}/{year}/icd10cm-Code Descriptions-{year}.zip",
        "{cms}/{year}-code-descriptions-tabular-order.zip",
    ),
    "guidelines": ("{papers}/fy-{year}-icd-10-cm-coding-guidelines.pdf",),
}
"""What is fetched of a fiscal year, and where it may be; they change form from year to year."""
