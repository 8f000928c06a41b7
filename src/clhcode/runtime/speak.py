"""Questions as words for a language model, and its words as answers.

What all text engines share: the prompt, the JSON schema the answer is decoded under, and the
reading of what came back. The notes stand first and alike in every question of an encounter, so
that a prefix cache holds them across all four agents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clhcode.errors import UserError
from clhcode.records import ASSERTIONS, Assertion, Note
from clhcode.runtime.model import Prompt
from clhcode.talk import Reply
from clhcode.tasks import (
    AGENTS,
    Agent,
    Choose,
    Chosen,
    Extract,
    Extracted,
    Fault,
    Finding,
    Task,
)

if TYPE_CHECKING:
    from jinja2 import Environment, Template

LONGEST_QUOTE = 200
"""Characters of a quote; a condition is not said in more."""
MOST_FINDINGS = 100
"""Conditions of one note in one answer."""
FEW_FINDINGS, LETTERS_A_FINDING = 8, 40
"""A note states these few, and one more for so many characters: what bounds a short note's list."""
FIXED_TOKENS, TOKENS_A_FINDING = 64, 48
"""What an answer may need."""

CUT, ILL_FORMED = "cut", "ill-formed"

PROMPTS = Path(__file__).parents[1] / "prompts"


def prompt(task: Task, template: str = "context") -> Prompt:
    """The prompt of a question.

    Args:
        task: What is asked.
        template: A shipped template's name, or a file of one's own.
    """
    notes = [replace(note, text=note.text.strip()) for note in task.notes]
    values: dict[str, Any] = {"notes": notes}
    if isinstance(task, Extract):
        values["note"] = task.note + 1
    else:
        values |= {
            "phrase": task.phrase,
            "options": task.options,
            "several": task.several,
            "step": task.step,
            "setting": task.setting,
            "guidance": task.guidance,
            "form": _SEVERAL if task.several else _ONE,
        }
    text, system = _rendered(task.agent, template, values), _rendered(None, "system", {})
    return Prompt(text, system, group=hash(task.notes))


_SEVERAL = '{"choices":[1,2]}, or {"choices":[]} for none'
_ONE = '{"choice":1}, or {"choice":0} for none'
CHOICE = '{"choice":'
"""How the answer to a question for one option begins."""


def schema(task: Task) -> dict[str, Any]:
    """The JSON schema of the answer; every array and string in it is bounded."""
    if isinstance(task, Extract):
        finding = _object(
            quote=_string(1, LONGEST_QUOTE),
            lead_term=_string(0, 60),
            modifiers={"type": "array", "items": _string(1, 40), "maxItems": 4},
            assertion={"type": "string", "enum": list(ASSERTIONS)},
        )
        most = FEW_FINDINGS + len(task.notes[task.note].text) // LETTERS_A_FINDING
        most = min(most, MOST_FINDINGS)
        return _object(conditions={"type": "array", "items": finding, "maxItems": most})
    numbers = list(range(1, len(task.options) + 1))
    if task.several:
        items = {"type": "integer", "enum": numbers}
        return _object(choices={"type": "array", "items": items, "maxItems": len(numbers)})
    return _object(choice={"type": "integer", "enum": [0, *numbers]})


def most_tokens(task: Task) -> int:
    """Tokens that an answer may need: a few a number, some fifty a condition."""
    if isinstance(task, Extract):
        items: int = schema(task)["properties"]["conditions"]["maxItems"]
        return FIXED_TOKENS + TOKENS_A_FINDING * items
    return 32 + (8 * len(task.options) if task.several else 0)


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


def written(values: Mapping[str, Any]) -> str:
    """An answer as every engine that decodes under a schema writes it: strict JSON, no blanks."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def fingerprint(templates: Mapping[Agent, str]) -> str:
    """A short hash of the prompts in use, for the provenance of a run.

    Raises:
        UserError: A template is not there or cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted({*PROMPTS.rglob("*.j2")}):
        digest.update(path.name.encode() + path.read_bytes())
    for agent, name in sorted(templates.items()):
        digest.update(f"{agent}={name}\0{source(agent, name)}".encode())
    return digest.hexdigest()[:10]


def shipped(agent: Agent) -> list[str]:
    """The names of an agent's templates that come with `clh`."""
    return sorted(path.stem for path in (PROMPTS / agent).glob("*.j2") if path.stem != "question")


def source(agent: Agent, name: str) -> str:
    """A template as it is written.

    Raises:
        UserError: There is none of that name, and no such file.
    """
    if name in shipped(agent):
        return (PROMPTS / agent / f"{name}.j2").read_text("utf-8")
    path = Path(name)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        known = ", ".join(shipped(agent))
        raise UserError(f"--prompt {agent}={name}: neither a file nor one of {known}") from None


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(  # noqa: S701 - prompts are text, not HTML
        loader=FileSystemLoader(PROMPTS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template(agent: Agent | None, name: str) -> Template:
    from jinja2 import TemplateError

    if agent is None:
        return _environment().get_template(f"{name}.j2")
    try:
        return _environment().from_string(source(agent, name))
    except TemplateError as error:
        raise UserError(f"--prompt {agent}={name}: {error}") from None


def _rendered(agent: Agent | None, name: str, values: Mapping[str, Any]) -> str:
    from jinja2 import TemplateError

    try:
        return _template(agent, name).render(values).strip()
    except TemplateError as error:
        raise UserError(f"--prompt {agent}={name}: {error}") from None


def check(templates: Mapping[Agent, str]) -> None:
    """Renders each template once, so that a bad one is told before a run begins.

    Raises:
        UserError: A template is not there, or names a value that it is not given.
    """
    from clhcode.tasks import Option

    notes = (Note("1", "text"),)
    steps = {"locate": "entry", "verify": "code", "assign": "set"}
    for agent in AGENTS:
        task: Task = Extract(agent, notes, 0)
        if agent != "analyse":
            step = cast("Any", steps[agent])
            task = Choose(agent, step, notes, "phrase", (), (Option("A00", "title"),), True)
        prompt(task, templates.get(agent, "context"))


def _kind(error: Exception) -> str:
    return "no JSON" if isinstance(error, json.JSONDecodeError) else type(error).__name__


def _finding(values: Mapping[str, Any]) -> Finding:
    quote, assertion = values["quote"], values["assertion"]
    lead, modifiers = values.get("lead_term"), values.get("modifiers") or []
    if not isinstance(quote, str) or assertion not in ASSERTIONS:
        raise ValueError
    if not isinstance(lead, str | None) or not all(isinstance(m, str) for m in modifiers):
        raise ValueError
    lead = (lead or "").strip() or None
    return Finding(quote, cast("Assertion", assertion), lead, tuple(modifiers))


def _numbers(task: Choose, values: Mapping[str, Any]) -> tuple[int, ...]:
    given = values["choices"] if task.several else [values["choice"]]
    numbers = tuple(dict.fromkeys(n for n in given if n != 0 or task.several))
    if any(type(n) is not int or not 1 <= n <= len(task.options) for n in numbers):
        raise ValueError
    return numbers


def _string(least: int, most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
