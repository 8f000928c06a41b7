"""An example in the words of a run: the prompt that inference sends, and what should follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from clhcode.errors import UserError
from clhcode.runtime.fit import fit
from clhcode.runtime.model import Prompt
from clhcode.runtime.speak import CHOICE, LONGEST_QUOTE, prompt, schema
from clhcode.runtime.speak import written as as_json
from clhcode.runtime.text import NO_OPTION, RATED
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Finding, Task
from clhcode.train.examples import Answered, Example

Way = Literal["write", "number", "phrase"]
"""How an answer is given: as JSON, as the one number that is rated, or as the phrase that is rated
after an option's text."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a model reads, and what it is to write.

    Attributes:
        ends: Whether the answer ends there; a rated phrase may go on.
    """

    prompt: Prompt
    completion: str
    ends: bool


def written(task: Task, answer: Answered) -> str:
    """An answer as a model writes it under the schema of its question."""
    if isinstance(answer, Extracted):
        most: int = schema(task)["properties"]["conditions"]["maxItems"]
        kept = [f for f in answer.findings if 0 < len(f.quote) <= LONGEST_QUOTE][:most]
        return as_json({"conditions": [_finding(each) for each in kept]})
    if isinstance(task, Choose) and task.several:
        return as_json({"choices": list(answer.numbers)})
    return as_json({"choice": answer.numbers[0] if answer.numbers else 0})


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "quote": finding.quote,
        "lead_term": (finding.lead_term or "")[:60],
        "modifiers": [modifier[:40] for modifier in finding.modifiers if modifier][:4],
        "assertion": finding.assertion,
    }


def line(example: Example, template: str, way: Way) -> Line:
    """An example in words.

    Raises:
        UserError: The question is one that is not rated.
    """
    task, answer = example.task, example.answer
    if way == "write":
        return Line(prompt(task, template), written(task, answer), ends=True)
    if not isinstance(task, Choose) or not isinstance(answer, Chosen) or not is_rated(task):
        raise UserError("--choose score goes with locate and verify, whose options are rated")
    first = answer.numbers[0] if answer.numbers else 0
    if way == "number":
        asked = replace(prompt(replace(task, several=False), template), answer=CHOICE)
        return Line(asked, f"{first}}}", ends=True)
    text = task.options[first - 1].text if first else NO_OPTION
    return Line(Prompt(RATED.format(text=text), plain=True), f" {task.phrase}", ends=False)


def is_rated(task: Task) -> bool:
    """Whether a scoring engine rates the options of a question."""
    return isinstance(task, Choose) and task.step in ("entry", "subdivision", "seventh")


def rated(task: Choose, template: str, way: Way) -> list[tuple[Prompt, str]]:
    """What a scoring engine rates for a question: one pair an option, none of them last."""
    numbers = range(1, len(task.options) + 1)
    every = [Example("", task, Chosen((n,) if n else ())) for n in (*numbers, 0)]
    lines = [line(each, template, way) for each in every]
    return [(each.prompt, each.completion) for each in lines]


def fitted(
    example: Example, template: str, context: int, count: Callable[[str], int]
) -> list[Example]:
    """The example as a run asks it where its notes do not fit: by windows, or of an excerpt.

    Args:
        example: A question that models write the answer to.
        template: Its prompt's template.
        context: Tokens of prompt and answer together.
        count: Tokens of a text.

    Returns:
        Nothing where not even a piece of the notes fits.
    """
    how = fit(example.task, template, context, count)
    if how is None:
        return []
    task, answer = example.task, example.answer
    if not isinstance(task, Extract) or not isinstance(answer, Extracted):
        return [replace(example, task=how.tasks[0])]
    if how.tasks == (task,):
        return [example]
    found = []
    for number, (begin, window) in enumerate(zip(how.begins, how.tasks, strict=True), 1):
        if isinstance(window, Extract):
            text = window.notes[0].text
            kept = [f for f in answer.findings if _inside(f, begin, begin + len(text))]
            moved = tuple(replace(f, places=_moved(f, begin)) for f in kept)
            found.append(Example(f"{example.name}/{number}", window, Extracted(moved)))
    return found


def _inside(finding: Finding, begin: int, end: int) -> bool:
    return all(begin <= left and right <= end for left, right in finding.places)


def _moved(finding: Finding, begin: int) -> tuple[tuple[int, int], ...]:
    return tuple((left - begin, right - begin) for left, right in finding.places)
