"""Figures that others have published, with the protocol they were taken under."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "encounter, full space"


@dataclass(frozen=True, slots=True)
class Published:
    """A figure.

    Attributes:
        protocol: Unit, label space and split as published.
        same: Whether that is the default protocol here, so that figures can stand side by side.
    """

    dataset: str
    system: str
    source: str
    protocol: str
    figures: str
    same: bool = False


PUBLISHED = (
    Published(
        "mdace",
        "CLH-base (R1-Distill-Llama-70B)",
        "Motzfeldt et al. 2025",
        "note, full space, test (115 notes)",
        "micro-F1 0.32, macro-F1 0.14, exact match 0.02",
    ),
    Published(
        "mdace",
        "CLH fork (gpt-5 / gpt-oss-120b)",
        "public replication",
        "encounter, full space, 299 encounters of all splits",
        "micro-F1 0.480 / 0.430",
    ),
    Published(
        "mdace",
        "CLH-large (235B) / PLM-ICD / MedDCR",
        "Motzfeldt et al. 2025",
        "label space of about 1,000 codes",
        "micro-F1 0.43 / 0.48 / 0.51",
    ),
    Published(
        "codiesp-es",
        "best of the shared task",
        "CLEF eHealth 2020",
        "Spanish, test, CIE-10-ES 2018",
        "micro-F1 0.687, MAP 0.52 to 0.59",
    ),
    Published(
        "codiesp",
        "GPT-4 tree search / PLM-ICD",
        "Boyle et al. 2023",
        "English, test",
        "micro-F1 0.157 / 0.219, macro-F1 0.225 / 0.216",
    ),
    Published(
        "aci-bench",
        "MedCodER (GPT-4)",
        "Baksi et al. 2024",
        "codes of its own on the same notes",
        "micro-F1 0.60",
    ),
)


def of(dataset: str) -> list[Published]:
    """The figures for a data set."""
    return [each for each in PUBLISHED if each.dataset == dataset]
