"""A model for tests: a function in the place of weights, so that each request can be looked at."""

from clhcode.runtime.model import Usage


class Canned:
    """Runs requests by a function, the last one first, to show that order does not matter."""

    def __init__(self, answer, *, chat=True, context=None, name="canned"):
        self.answer, self.chat, self.context, self.name = answer, chat, context, name
        self.usage, self.width = Usage(), 4
        self.asked, self._waiting = [], []
        self.closed = False

    @property
    def rating(self):
        return "number" if self.chat else "phrase"

    def count(self, text):
        return len(text.split())

    def submit(self, ticket, request):
        self.asked.append(request)
        self._waiting.append((ticket, request))

    def ready(self):
        ticket, request = self._waiting.pop()
        return [(ticket, self.answer(request))]

    def close(self):
        self.closed = True


def ask(engine, tasks):
    """The replies to tasks, in their order."""
    for ticket, task in enumerate(tasks):
        engine.submit(ticket, task)
    found = {}
    while len(found) < len(tasks):
        ready = list(engine.ready())
        assert ready
        found.update(ready)
    return [found[ticket] for ticket in range(len(tasks))]
