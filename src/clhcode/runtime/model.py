"""What a text engine asks of a language model: to write under a schema, or to rate endings.

A `Model` runs requests; it knows nothing of agents or codes. `text.TextEngine` turns the agents'
questions into requests and what comes back into answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from clhcode.runtime.sampling import Sampling
from clhcode.tasks import Fault


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads.

    Attributes:
        system: The system text; models whose template has none get it before `user`.
        answer: How the answer begins; the model goes on from there.
        plain: `user` is the whole text as it stands, without system text and template.
        group: Equal in prompts that begin with the same notes; no part of what is read.
    """

    user: str
    system: str = ""
    answer: str = ""
    plain: bool = False
    group: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Write:
    """Go on from a prompt.

    Attributes:
        schema: What the answer is decoded under; free text without one.
        most: Tokens at most.
        stop: Where free text ends.
    """

    prompt: Prompt
    schema: Mapping[str, Any] | None
    sampling: Sampling
    most: int
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """Log-likelihood of `endings[i]` after `prompts[i]`."""

    prompts: tuple[Prompt, ...]
    endings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and why it ended in the words of the OpenAI API."""

    text: str
    finish: str


@dataclass(frozen=True, slots=True)
class Rated:
    """One natural logarithm an ending."""

    logs: tuple[float, ...]


Request: TypeAlias = Write | Rate
Output: TypeAlias = Written | Rated | Fault


@dataclass(slots=True)
class Usage:
    """What a run cost, in tokens and seconds.

    Attributes:
        sent: Tokens of all prompts.
        evaluated: Those the model had to read; the others stood in its prefix cache.
        generated: Tokens written.
        requests: Asked of the model; `remembered` ones came from the cache of answers.
        excerpts: Questions whose notes did not fit, and were shown in part.
        windows: Questions that were asked piece by piece.
        faults: By kind.
    """

    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    requests: int = 0
    remembered: int = 0
    excerpts: int = 0
    windows: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)


class Model(Protocol):
    """A language model that runs requests side by side.

    Attributes:
        name: What it is, for the provenance of a run and the cache of answers.
        context: Tokens of prompt and answer together, where that is known.
        chat: Whether it has a chat template.
        rating: What it rates best: an option's `number`, or the `phrase` after its text.
        usage: Counted by the model but for `remembered`, `excerpts` and `windows`.
        width: Encounters that are best in flight at a time.
    """

    name: str
    context: int | None
    chat: bool
    usage: Usage
    width: int

    @property
    def rating(self) -> str: ...

    def count(self, text: str) -> int:
        """Tokens of a text, or an estimate from above."""

    def submit(self, ticket: int, request: Request) -> None: ...

    def ready(self) -> Iterable[tuple[int, Output]]:
        """Blocks until at least one output is in."""

    def close(self) -> None:
        """Frees what it holds; nothing of it goes on running."""
