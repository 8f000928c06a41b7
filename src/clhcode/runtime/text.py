"""The engine that asks a language model: questions to requests, outputs to answers.

Each question is a small conversation with the model, so that thought before an answer, windows of
a long note and rated options are a few lines each, whatever runs the model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import TypeAlias

from clhcode.runtime.cache import Answers, key_of
from clhcode.runtime.fit import Fit, fit, joined
from clhcode.runtime.model import Model, Output, Prompt, Rate, Rated, Request, Write, Written
from clhcode.runtime.sampling import PLAIN, Manner, Manners
from clhcode.runtime.speak import CHOICE, most_tokens, prompt, read, schema
from clhcode.talk import Reply
from clhcode.tasks import Choose, Chosen, Extract, Extracted, Fault, Said, Task

Discussion: TypeAlias = Generator[list[Request], list[Output], Reply]

THINK = "\nThink it over first, in a few sentences, without the JSON object."
RATED = "ICD-10-CM diagnosis: {text}\nIndexed under:"
"""What an option's likelihood is measured after, for models without a chat template."""
NO_OPTION = "none of these"
RANK_WEIGHT = {"phrase": 0.5, "number": 0.5}
"""What a rank of lexical order costs, in nats, by the way of rating."""


class TextEngine:
    """Answers the agents' questions by a language model.

    Attributes:
        name: The model's.
        width: Encounters that are best in flight at a time.
    """

    def __init__(
        self,
        model: Model,
        manners: Manners = PLAIN,
        answers: Answers | None = None,
        *,
        keep_raw: bool = False,
    ) -> None:
        self.name, self.width, self.usage = model.name, model.width, model.usage
        self._model, self._manners, self._answers = model, manners, answers
        self._keep_raw = keep_raw
        self._asked: dict[int, _Asked] = {}
        self._done: list[tuple[int, Reply]] = []
        self._number = 0
        self._under_way: dict[int, str] = {}
        """Keys of the requests that the model has, by their number."""
        self._places: dict[str, list[tuple[int, int]]] = {}
        """Who waits for a key: tickets, and places among their requests."""

    def submit(self, ticket: int, task: Task) -> None:
        manner = self._manners[task.agent]
        asked = _Asked(_discuss(task, manner, self._model, self._keep_raw), task)
        self._asked[ticket] = asked
        self._go_on(ticket, asked)

    def ready(self) -> Iterable[tuple[int, Reply]]:
        began = time.perf_counter()
        while not self._done:
            for number, output in self._model.ready():
                key = self._under_way.pop(number)
                if self._answers is not None and not isinstance(output, Fault):
                    self._answers.put(key, output)
                for ticket, place in self._places.pop(key):
                    self._take(ticket, place, output)
        self.usage.seconds += time.perf_counter() - began
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Frees the model and what it holds."""
        self._model.close()
        if self._answers is not None:
            self._answers.close()

    def _take(self, ticket: int, place: int, output: Output) -> None:
        asked = self._asked[ticket]
        asked.outputs[place] = output
        if None not in asked.outputs:
            self._go_on(ticket, asked)

    def _go_on(self, ticket: int, asked: _Asked) -> None:
        """Sends a question's next requests, until one must be waited for."""
        while True:
            try:
                outputs = [output for output in asked.outputs if output is not None]
                requests = asked.talk.send(outputs if asked.begun else None)  # type: ignore[arg-type]
            except StopIteration as end:
                self._end(ticket, end.value)
                return
            asked.begun = True
            asked.outputs = [self._remembered(key_of(self.name, each)) for each in requests]
            for place, request in enumerate(requests):
                if asked.outputs[place] is None:
                    self._send(ticket, place, request)
            if None in asked.outputs:
                return

    def _send(self, ticket: int, place: int, request: Request) -> None:
        key = key_of(self.name, request)
        if key in self._places:
            self._places[key].append((ticket, place))
            return
        self._number += 1
        self._places[key] = [(ticket, place)]
        self._under_way[self._number] = key
        self._model.submit(self._number, request)

    def _remembered(self, key: str) -> Output | None:
        output = self._answers.get(key) if self._answers is not None else None
        self.usage.remembered += output is not None
        return output

    def _end(self, ticket: int, reply: Reply) -> None:
        del self._asked[ticket]
        if isinstance(reply, Fault):
            self.usage.faults[reply.kind] = self.usage.faults.get(reply.kind, 0) + 1
        self._done.append((ticket, reply))


class _Asked:
    """A question under way."""

    __slots__ = ("begun", "outputs", "talk", "task")

    def __init__(self, talk: Discussion, task: Task) -> None:
        self.talk, self.task, self.begun = talk, task, False
        self.outputs: list[Output | None] = []


def _discuss(task: Task, manner: Manner, model: Model, keep_raw: bool) -> Discussion:
    if manner.choose == "score" and isinstance(task, Choose):
        if task.step in ("entry", "subdivision", "seventh"):
            return (yield from _rate(task, manner, model))
        if not model.chat:
            # A base model has no judgement of a set: all stays, and the edits settle it.
            return Chosen(tuple(range(1, len(task.options) + 1)))
    how = fit(task, manner.prompt, model.context, model.count, manner.reasoning)
    if how is None:
        return Fault("too-long", f"it does not fit the context of {model.context} tokens")
    model.usage.excerpts += how.excerpt
    model.usage.windows += len(how.tasks) > 1
    return (yield from _write(task, how, manner, keep_raw))


def _write(task: Task, how: Fit, manner: Manner, keep_raw: bool) -> Discussion:
    prompts = [prompt(each, manner.prompt) for each in how.tasks]
    thoughts: list[str] = []
    if manner.reasoning:
        thinking = [replace(p, user=p.user + THINK) for p in prompts]
        outputs = yield [Write(p, None, manner.sampling, manner.reasoning) for p in thinking]
        for output in outputs:
            if isinstance(output, Fault):
                return output
            thoughts.append(output.text.strip() if isinstance(output, Written) else "")
        prompts = [
            replace(p, answer=f"{thought}\n") for p, thought in zip(thinking, thoughts, strict=True)
        ]
    outputs = yield [
        Write(p, schema(each), manner.sampling, manner.sampling.max_tokens or most_tokens(each))
        for p, each in zip(prompts, how.tasks, strict=True)
    ]
    parts: list[tuple[int, Extract, Extracted]] = []
    for begin, each, output in zip(how.begins, how.tasks, outputs, strict=True):
        if not isinstance(output, Written):
            return output if isinstance(output, Fault) else Fault("ill-formed", "not a text")
        reply = read(each, output.text, output.finish)
        if keep_raw and not isinstance(reply, Fault):
            told = Said(prompts[0].user, output.text, "\n".join(thoughts) or None)
            reply = replace(reply, said=told)
        if len(how.tasks) == 1 and each is task:
            return reply
        if isinstance(reply, Fault | Chosen):
            return reply
        if isinstance(each, Extract):
            parts.append((begin, each, reply))
    said = parts[0][2].said if parts else None
    return replace(joined(task, parts), said=said) if isinstance(task, Extract) else Chosen(())


def _rate(task: Choose, manner: Manner, model: Model) -> Discussion:
    """Chooses the option that makes the phrase, or its number, likeliest."""
    numbers = range(1, len(task.options) + 1)
    way = model.rating
    if way == "number":
        how = fit(task, manner.prompt, model.context, model.count)
        if how is None:
            return Fault("too-long", f"it does not fit the context of {model.context} tokens")
        model.usage.excerpts += how.excerpt
        asked = _one_of(how.tasks[0])
        request = Rate(
            (replace(prompt(asked, manner.prompt), answer=CHOICE),) * (len(numbers) + 1),
            tuple(f"{n}}}" for n in (*numbers, 0)),
        )
    else:
        texts = (*(option.text for option in task.options), NO_OPTION)
        request = Rate(
            tuple(Prompt(RATED.format(text=text), plain=True) for text in texts),
            (f" {task.phrase}",) * len(texts),
        )
    (output,) = yield [request]
    if not isinstance(output, Rated):
        return output if isinstance(output, Fault) else Fault("ill-formed", "no likelihoods")
    weight = RANK_WEIGHT[way] if manner.rank_weight is None else manner.rank_weight
    return combined(task, output.logs[:-1], output.logs[-1], weight)


def _one_of(task: Task) -> Task:
    return replace(task, several=False) if isinstance(task, Choose) else task


def combined(task: Choose, logs: tuple[float, ...], none: float, weight: float) -> Chosen:
    """The choice by likelihood and lexical order.

    Args:
        task: The question; its options' scores give the lexical order.
        logs: Log-likelihood of each option.
        none: That of "none of these", which no rank speaks for or against.
        weight: What a rank of lexical order costs, in nats.
    """
    scores = [option.score for option in task.options]
    ranks = [sum(other > own for other in scores) for own in scores]
    values = [log - weight * rank for log, rank in zip(logs, ranks, strict=True)]
    top = max((*values, none))
    shares = [math.exp(value - top) for value in values]
    total = sum(shares) + math.exp(none - top)
    best = max(range(len(values)), key=lambda n: (values[n], -ranks[n], -n))
    if values[best] < none:
        return Chosen((), (), logs)
    return Chosen((best + 1,), (shares[best] / total,), logs)
