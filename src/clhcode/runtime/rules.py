"""The engine without a model: the built-in rules answer at once."""

from __future__ import annotations

from collections.abc import Iterable

from clhcode.rules.extract import extract
from clhcode.rules.judge import choose
from clhcode.search.find import Finder
from clhcode.talk import Reply
from clhcode.tasks import Extract, Task


class RulesEngine:
    """Answers by words and by the dictionary of the classification."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._answered: list[tuple[int, Reply]] = []

    def submit(self, ticket: int, task: Task) -> None:
        answer = extract(task, self._finder) if isinstance(task, Extract) else choose(task)
        self._answered.append((ticket, answer))

    def ready(self) -> Iterable[tuple[int, Reply]]:
        answered, self._answered = self._answered, []
        return answered
