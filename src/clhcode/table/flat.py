"""One flat note, as people write it, in the plain form of a row.

Ids may be numbers, blanks mean nothing, and gold may be a list of code words.
"""

from __future__ import annotations

import math
import re
from typing import Any

from clhcode.table.plain import WrongError


def is_flat(values: dict[str, Any]) -> bool:
    """Whether a dict is one note rather than a row of the table."""
    return "text" in values and not isinstance(values.get("notes"), list | tuple)


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """A flat note as a row of one note; anything else as it is.

    Raises:
        WrongError: There is no text, or a value is of the wrong kind.
    """
    if not is_flat(values):
        if values.get("notes") is None:
            raise WrongError("has neither `text` nor `notes`")
        return values
    text = values["text"]
    if not isinstance(text, str):
        raise WrongError("is null" if text is None else "must be a string", "text")
    note_id = _word(values, "note_id")
    return {
        "encounter_id": _word(values, "encounter_id") or note_id,
        "dataset": _word(values, "dataset"),
        "split": _word(values, "split"),
        "subject_id": _word(values, "subject_id"),
        "sex": _word(values, "sex"),
        "age": _years(values),
        "setting": _word(values, "setting"),
        "notes": [{"note_id": note_id, "category": _word(values, "category"), "text": text}],
        "gold": _mentions(values.get("gold")),
    }


def _word(values: dict[str, Any], name: str) -> str | None:
    """A value as a word: tables often hold ids as numbers, and blanks for nothing."""
    value = values.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise WrongError("must be a string", name)
    return str(value).strip() or None


def _years(values: dict[str, Any]) -> int | None:
    word = _word(values, "age")
    if word is None:
        return None
    if not re.fullmatch(r"\d{1,3}(\.0*)?", word, re.ASCII):
        raise WrongError("must be whole years from 0 to 150", "age")
    return int(word.partition(".")[0])


def _mentions(gold: Any) -> Any:
    """Gold as people write it, as mentions; `None` where the cell is blank."""
    if isinstance(gold, str):
        gold = [code for code in re.split(r"[,;\s]+", gold) if code] or None
    if not isinstance(gold, list | tuple):
        return gold
    return [
        {"code": code, "system": "icd10cm", "evidence": []} if isinstance(code, str) else code
        for code in gold
    ]
