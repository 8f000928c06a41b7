"""Conversations: an agent is a generator of questions, an engine answers them.

A `Talk` yields a list of tasks and is sent the list of answers, in order; its return
value is its result. Nothing here knows what agents or engines do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from clhcode.tasks import Answer, Fault, Task

T = TypeVar("T")
Reply: TypeAlias = Answer | Fault
Talk: TypeAlias = Generator[list[Task], list[Reply], T]


class Engine(Protocol):
    """Whatever answers questions. `ready` blocks until at least one answer is in."""

    def submit(self, ticket: int, task: Task) -> None: ...

    def ready(self) -> Iterable[tuple[int, Reply]]: ...


def together(talks: Iterable[Talk[T]]) -> Talk[list[T]]:
    """Holds several talks as one: their questions of a round are asked side by side."""
    open_talks = dict(enumerate(talks))
    if len(open_talks) == 1:
        return [(yield from open_talks[0])]
    results: dict[int, T] = {}
    replies: dict[int, list[Reply] | None] = dict.fromkeys(open_talks)
    while open_talks:
        asked: dict[int, list[Task]] = {}
        for key, talk in list(open_talks.items()):
            try:
                reply = replies[key]
                asked[key] = next(talk) if reply is None else talk.send(reply)
            except StopIteration as end:
                results[key] = end.value
                del open_talks[key]
        if not asked:
            break
        answers = iter((yield [task for tasks in asked.values() for task in tasks]))
        replies = {key: [next(answers) for _ in tasks] for key, tasks in asked.items()}
    return [results[key] for key in sorted(results)]


def play(talk: Talk[T], answer: Callable[[Task], Reply]) -> T:
    """Runs one talk to its end with a function as the engine."""
    try:
        tasks = next(talk)
        while True:
            tasks = talk.send([answer(task) for task in tasks])
    except StopIteration as end:
        result: T = end.value
        return result


def helped(talk: Talk[T], known: Callable[[Task], Reply | None]) -> Talk[T]:
    """The same talk, but for the questions that `known` answers; the others are passed on."""
    try:
        tasks = next(talk)
        while True:
            replies = [known(task) for task in tasks]
            open_ = [task for task, reply in zip(tasks, replies, strict=True) if reply is None]
            others = iter((yield open_) if open_ else ())
            tasks = talk.send([next(others) if reply is None else reply for reply in replies])
    except StopIteration as end:
        result: T = end.value
        return result


def overheard(talk: Talk[T], hear: Callable[[Task, Reply], None]) -> Talk[T]:
    """The same talk, but `hear` is told of each question with what came back."""
    try:
        tasks = next(talk)
        while True:
            replies = yield tasks
            for task, reply in zip(tasks, replies, strict=True):
                hear(task, reply)
            tasks = talk.send(replies)
    except StopIteration as end:
        result: T = end.value
        return result


@dataclass(slots=True)
class _Seat:
    """A talk in flight: the tickets it waits for and the answers so far."""

    tickets: Sequence[int]
    replies: dict[int, Reply]
    done: bool = False
    result: object = None


def drive(talks: Iterable[Talk[T]], engine: Engine, width: int = 64) -> Iterator[T]:
    """Keeps `width` talks in flight on one engine and yields their results in order.

    Args:
        talks: Consumed lazily, so a stream of rows stays a stream.
        engine: Gets every question as soon as it is asked.
        width: Talks begun and not yet yielded, which bounds what is held in memory.
    """
    source = iter(talks)
    queue: deque[tuple[Talk[T], _Seat]] = deque()
    waiting: dict[int, tuple[Talk[T], _Seat]] = {}
    ticket = 0

    def advance(talk: Talk[T], seat: _Seat) -> None:
        nonlocal ticket
        try:
            if seat.replies:
                tasks = talk.send([seat.replies[t] for t in seat.tickets])
            else:
                tasks = next(talk)
            while not tasks:
                tasks = talk.send([])
        except StopIteration as end:
            seat.done, seat.result = True, end.value
            return
        seat.tickets = range(ticket, ticket + len(tasks))
        seat.replies = {}
        ticket += len(tasks)
        for number, task in zip(seat.tickets, tasks, strict=True):
            waiting[number] = (talk, seat)
            engine.submit(number, task)

    while True:
        while len(queue) < width and (talk := next(source, None)) is not None:
            queue.append((talk, seat := _Seat((), {})))
            advance(talk, seat)
        if not queue:
            return
        while not queue[0][1].done:
            for number, reply in engine.ready():
                talk, seat = waiting.pop(number)
                seat.replies[number] = reply
                if len(seat.replies) == len(seat.tickets):
                    advance(talk, seat)
        while queue and queue[0][1].done:
            result: T = queue.popleft()[1].result  # type: ignore[assignment]
            yield result
