"""Which column holds the text, and what to say when none does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from clhcode.errors import UserError
from clhcode.table.plain import WrongError
from clhcode.table.schema import FLAT

_LIKELY = (
    *("text", "note", "notes", "note_text", "notetext", "clinical_note", "document", "report"),
    *("transcription", "content", "body", "description"),
)
_SHOWN = 12


def flat_columns(text_column: str) -> tuple[str, ...]:
    """What a table of single notes may hold, where `text_column` holds the text."""
    return tuple(text_column if name == "text" else name for name in FLAT)


def renamed(values: dict[str, Any] | WrongError, text_column: str) -> dict[str, Any] | WrongError:
    """A flat note with its text under `text`."""
    if isinstance(values, WrongError) or text_column == "text" or text_column not in values:
        return values
    others = {name: value for name, value in values.items() if name != text_column}
    return {**others, "text": values[text_column]}


def no_text(name: str, columns: Sequence[str], text_column: str) -> UserError:
    """The error for a table without a text column: what it has, and what to type."""
    shown = [f"`{column}`" if _is_name(column) else "..." for column in columns[:_SHOWN]]
    if len(columns) > _SHOWN:
        shown.append(f"{len(columns) - _SHOWN} more")
    guess = likely(columns)
    if guess:
        advice = f"rename it, or `--text-column {guess}`"
    elif "..." in shown:
        advice = "is the header row missing?"
    else:
        advice = "name the one with the notes: `--text-column NAME`"
    return UserError(
        f"{name}: a table needs a column `{text_column}`; "
        f"this one has {', '.join(shown) or 'none'} ({advice})"
    )


def likely(columns: Sequence[str]) -> str | None:
    """The column that looks most like the text of a note."""
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    for name in _LIKELY:
        if name in by_name:
            return by_name[name]
    return next((c for c in columns if _is_name(c) and re.search(r"(?i)(text|note)s?$", c)), None)


def _is_name(column: str) -> bool:
    # Without a header row the first note stands where names should, and is not to be shown.
    return re.fullmatch(r"[\w.:/#-]+( [\w.:/#-]+){0,2}", column) is not None and len(column) <= 40
