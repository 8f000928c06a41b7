"""Several engines as one: each agent's questions go to the engine that was chosen for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clhcode.talk import Engine, Reply
from clhcode.tasks import Agent, Task


class ByAgent:
    """An engine made of others.

    Attributes:
        engines: Each of them once.
        width: Encounters that are best in flight at a time.
    """

    def __init__(self, engines: Mapping[Agent, Engine]) -> None:
        self._engines = engines
        self.engines = list({id(engine): engine for engine in engines.values()}.values())
        self._open = [0] * len(self.engines)
        self._next = 0
        self.width = min(getattr(engine, "width", 64) for engine in self.engines)

    def submit(self, ticket: int, task: Task) -> None:
        engine = self._engines[task.agent]
        self._open[self.engines.index(engine)] += 1
        engine.submit(ticket, task)

    def ready(self) -> Iterable[tuple[int, Reply]]:
        """What the next engine in turn has ready, of those that were asked something."""
        count = len(self.engines)
        turn = next(
            n % count for n in range(self._next, self._next + count) if self._open[n % count]
        )
        self._next = turn + 1
        ready = list(self.engines[turn].ready())
        self._open[turn] -= len(ready)
        return ready

    def close(self) -> None:
        """Closes those that hold something."""
        for engine in self.engines:
            if (close := getattr(engine, "close", None)) is not None:
                close()
