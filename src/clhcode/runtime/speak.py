"""Questions as words for a language model, and its words as answers.

What all text engines share: the messages, the JSON schema the answer is decoded under, and the
reading of what came back. The notes stand first and alike in every question of an encounter, so
that a server's prefix cache holds them across all four agents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from clhcode.records import ASSERTIONS, Assertion
from clhcode.talk import Reply
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Fault, Finding, Option, Task

LONGEST_QUOTE = 300
"""Characters of a quote; a condition is not said in more."""
MOST_FINDINGS = 100
"""Conditions of one note in one answer."""

CUT, ILL_FORMED = "cut", "ill-formed"

_PROMPTS = Path(__file__).parents[1] / "prompts"


@runtime_checkable
class Speaking(Protocol):
    """An engine that asks a language model, and can say which."""

    model: str


def messages(task: Task) -> list[dict[str, str]]:
    """The chat messages of a question."""
    return [
        {"role": "system", "content": _prompt("system")},
        {"role": "user", "content": f"{_notes(task)}\n{_question(task)}"},
    ]


def schema(task: Task) -> dict[str, Any]:
    """The JSON schema of the answer; every array and string in it is bounded."""
    if isinstance(task, Extract):
        finding = _object(
            quote={"type": "string", "minLength": 1, "maxLength": LONGEST_QUOTE},
            assertion={"type": "string", "enum": list(ASSERTIONS)},
        )
        return _object(conditions={"type": "array", "items": finding, "maxItems": MOST_FINDINGS})
    numbers = list(range(1, len(task.options) + 1))
    if task.several:
        items = {"type": "integer", "enum": numbers}
        return _object(choices={"type": "array", "items": items, "maxItems": len(numbers)})
    return _object(choice={"type": "integer", "enum": [0, *numbers]})


def read(task: Task, text: str, finish: str | None) -> Reply:
    """The answer in what a model wrote.

    Args:
        task: What was asked.
        text: What came back.
        finish: Why it ended, in the words of the OpenAI API; `length` is no answer.

    Returns:
        The answer, or a fault that costs the question: `cut` or `ill-formed`. The text of a
        fault is kept as `raw` and told to nobody.
    """
    if finish == "length":
        return Fault(CUT, "the answer was cut at the limit of tokens", text)
    try:
        values = json.loads(text, strict=True)
        if isinstance(task, Extract):
            return Extracted(tuple(_finding(each) for each in values["conditions"]))
        return Chosen(_numbers(task, values))
    except (ValueError, KeyError, TypeError) as error:
        return Fault(ILL_FORMED, f"the answer is not of the form asked for ({_kind(error)})", text)


def _kind(error: Exception) -> str:
    return "no JSON" if isinstance(error, json.JSONDecodeError) else type(error).__name__


def _finding(values: Mapping[str, Any]) -> Finding:
    quote, assertion = values["quote"], values["assertion"]
    if not isinstance(quote, str) or assertion not in ASSERTIONS:
        raise ValueError
    return Finding(quote, cast("Assertion", assertion))


def _numbers(task: Choose, values: Mapping[str, Any]) -> tuple[int, ...]:
    given = values["choices"] if task.several else [values["choice"]]
    numbers = tuple(dict.fromkeys(n for n in given if n != 0 or task.several))
    if any(type(n) is not int or not 1 <= n <= len(task.options) for n in numbers):
        raise ValueError
    return numbers


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _notes(task: Task) -> str:
    parts = []
    for number, note in enumerate(task.notes, 1):
        kind = f" ({note.category})" if note.category else ""
        parts.append(f"Note {number}{kind}:\n<<<\n{note.text.strip()}\n>>>\n")
    return "\n".join(parts)


def _question(task: Task) -> str:
    if isinstance(task, Extract):
        return _prompt("extract").format(note=task.note + 1)
    form = '{"choices": [1, 2]}' if task.several else '{"choice": 1}, or {"choice": 0} for none'
    options = "\n".join(_line(n, option) for n, option in enumerate(task.options, 1))
    return _prompt(task.step).format(
        phrase=task.phrase, options=options, form=form, setting=task.setting
    )


def _line(number: int, option: Option) -> str:
    line = f"{number}. {option.code} {option.text}"
    if option.stands:
        line += f" (stands in: {', '.join(sorted(option.stands))})"
    return "\n".join((line, *(f"   {note}" for note in option.notes)))


@cache
def fingerprint() -> str:
    """A short hash of all prompts, for the provenance of a run."""
    digest = hashlib.sha256()
    for path in sorted(_PROMPTS.glob("*.txt")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:10]


@cache
def _prompt(name: str) -> str:
    return (_PROMPTS / f"{name}.txt").read_text("utf-8").strip()
