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

from pathlib import Path
from typing import TYPE_CHECKING

from clhcode.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


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
