"""Diseases that outlast the word `history` (`data/lasting.txt`)."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

_BORDER = re.compile(r"[,;:(]|\b(?:and|of|or|with)\b", re.IGNORECASE)


def lasts(sentence: str, begin: int, end: int) -> bool:
    """Whether the condition at `sentence[begin:end]` is one the patient keeps.

    History codes are for what no longer exists (Official Guidelines I.C.21.c.4), yet notes say
    `history of diabetes`, and coders report the diabetes.
    """
    lasting, over = _diseases()
    # With the words that lead up to it, as in `chronic renal [failure]`.
    condition = _BORDER.split(sentence[:begin])[-1] + sentence[begin:end]
    return lasting.search(condition) is not None and over.search(condition) is None


@lru_cache(maxsize=1)
def _diseases() -> tuple[re.Pattern[str], re.Pattern[str]]:
    text = files("clhcode.text").joinpath("data", "lasting.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    over = [line[1:] for line in lines if line.startswith("-")]
    return _words([line for line in lines if not line.startswith("-")]), _words(over)


def _words(entries: list[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(entry).replace(r"\*", r"\w*") for entry in entries)
    return re.compile(rf"(?i)\b(?:{either})\b")
