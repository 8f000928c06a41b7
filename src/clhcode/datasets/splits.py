"""The splits of Edin et al. 2023, among them those of Mullenbach et al. 2018.

Layout (`files/data/*` of the published repository), Arrow Feather: `_id` (the number of the stay,
HADM_ID or hadm_id), `split` (`train`, `val`, `test`).

    mimiciii_full_splits.feather    Mullenbach: all stays with a discharge summary and codes
    mimiciii_50_splits.feather      Mullenbach: those with one of the 50 most frequent codes
    mimiciii_clean_splits.feather   Edin: codes that occur ten times or more
    mimiciv_icd9_split.feather      Edin
    mimiciv_icd10_split.feather     Edin

Mullenbach's `dev` is called `val` there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.datasets.overlap import OVERLAPS, flag
from clhcode.datasets.registry import DATASETS
from clhcode.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

FILES = {
    "mimic-iii": "mimiciii_full_splits.feather",
    "mimic-iii-50": "mimiciii_50_splits.feather",
    "mimic-iii-clean": "mimiciii_clean_splits.feather",
    "mimic-iv": "mimiciv_icd10_split.feather",
    "mimic-iv-icd9": "mimiciv_icd9_split.feather",
}
"""Data set -> file of its splits. `mimic-iv-50` has those of `mimic-iv`."""


def others(folder: Path, name: str) -> dict[str, pa.Table]:
    """The splits of the other data sets of its corpus, where their files are here, by name."""
    corpus = DATASETS[name].corpus
    return {
        other: read_splits(folder, file)
        for other, file in FILES.items()
        if other != name and DATASETS[other].corpus == corpus and any(folder.rglob(file))
    }


def flags_of(folder: Path | None, name: str) -> Callable[[int | None], tuple[str, ...]]:
    """From the number of a stay to the flags that tell which splits it is in.

    Args:
        folder: Where the files lie; where there is none, the corpus is all that can be told.
        name: The data set whose rows are flagged.
    """
    known = others(folder, name) if folder else {}
    if not known:
        unplaced = (flag(OVERLAPS, DATASETS[name].corpus),)
        return lambda stay: unplaced if stay is not None else ()
    found: dict[int, tuple[str, ...]] = {}
    for other, table in known.items():
        told: dict[str, str] = {}
        for stay, split in zip(table["stay"].to_pylist(), table["split"].to_pylist(), strict=True):
            # One string a split, not one a stay.
            placed = told.setdefault(split, flag(OVERLAPS, other, split))
            found[stay] = (*found.get(stay, ()), placed)
    return lambda stay: found.get(stay, ()) if stay is not None else ()


def read_splits(folder: Path, name: str) -> pa.Table:
    """The columns `stay` and `split` of a file, which may lie in a folder of the folder.

    Raises:
        UserError: It is not there, or is something else.
    """
    import pyarrow as pa
    from pyarrow import feather

    found = sorted(folder.rglob(name), key=lambda path: (len(path.parts), path))
    if not found:
        raise UserError(f"{folder}: no {name} here (--splits names the folder)")
    try:
        table = feather.read_table(found[0], columns=["_id", "split"])
        stays, splits = table["_id"].cast(pa.int64()), table["split"].cast(pa.string())
    except (pa.ArrowException, KeyError, OSError):
        raise UserError(f"{found[0]}: not a Feather file with columns _id and split") from None
    return pa.table({"stay": stays, "split": splits})
