"""The engine that answers from a list: for tests, demonstrations and replays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clhcode.talk import Reply
from clhcode.tasks import Fault, Task


class ScriptedEngine:
    """Gives the answers of a list, one a question, and keeps the questions it was asked.

    Attributes:
        asked: Every task so far, in order.
    """

    def __init__(self, answers: Iterable[Reply]) -> None:
        self._answers: Iterator[Reply] = iter(answers)
        self._answered: list[tuple[int, Reply]] = []
        self.asked: list[Task] = []

    def submit(self, ticket: int, task: Task) -> None:
        self.asked.append(task)
        out = Fault("script-ended", f"the script has no answer number {len(self.asked)}")
        self._answered.append((ticket, next(self._answers, out)))

    def ready(self) -> Iterable[tuple[int, Reply]]:
        answered, self._answered = self._answered, []
        return answered
