"""Any server that speaks the OpenAI API: vLLM's, llama.cpp's, a hosted one.

Questions are sent by a few threads; of an encounter's first questions one goes ahead alone, so
that the others find the notes in the server's prefix cache. Attempts after 429, 5xx and broken
connections are urllib3's, with its backoff and Retry-After.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
import urllib3

from clhcode.errors import EngineGoneError
from clhcode.records import Note
from clhcode.remote import KEYS
from clhcode.runtime.speak import messages, read, schema
from clhcode.talk import Reply
from clhcode.tasks import Fault, Task

_WARM = 4_096
"""Encounters whose notes are taken to be in the server's cache."""
_RETRIED = (429, 500, 502, 503, 504)
_UNKNOWN = (400, 422, 500)
"""What servers answer to a form of schema that they do not know."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How a server is spoken to.

    Attributes:
        side_by_side: Questions under way at a time.
        seconds: How long an answer may take.
        attempts: How often a question is sent at most.
        pause: Seconds before the second attempt; each later pause is twice as long.
    """

    side_by_side: int = 8
    seconds: float = 300.0
    attempts: int = 6
    pause: float = 0.5
    temperature: float = 0.0
    seed: int = 1
    most_tokens: int = 4_096


class OpenAIEngine:
    """An engine behind a URL such as `http://127.0.0.1:8000/v1`."""

    def __init__(self, url: str, speech: Speech | None = None) -> None:
        """Asks the server which model it has.

        Raises:
            EngineGoneError: There is no server, it wants another key, or it has no model.
        """
        self._url, self._speech = url.rstrip("/"), speech or Speech()
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._retry = urllib3.Retry(
            total=self._speech.attempts - 1,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            backoff_factor=self._speech.pause,
            raise_on_status=False,
        )
        self._http = urllib3.PoolManager(
            maxsize=self._speech.side_by_side, timeout=self._speech.seconds
        )
        self.model = self._first_model()
        self._threads = ThreadPoolExecutor(self._speech.side_by_side)
        self._done: queue.SimpleQueue[tuple[int, Reply | EngineGoneError]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Notes by identity, kept so that the identity stays theirs; what waits for them.
        self._warm: OrderedDict[int, tuple[tuple[Note, ...], deque[tuple[int, Task]] | None]]
        self._warm = OrderedDict()
        self._form: str | None = None

    def submit(self, ticket: int, task: Task) -> None:
        with self._lock:
            _, waiting = self._warm.get(id(task.notes), (None, None))
            if waiting is not None:
                waiting.append((ticket, task))
                return
            if id(task.notes) not in self._warm:
                self._warm[id(task.notes)] = (task.notes, deque())
                if len(self._warm) > _WARM:
                    self._forget()
        self._threads.submit(self._answer, ticket, task)

    def ready(self) -> Iterable[tuple[int, Reply]]:
        found = [self._done.get()]
        while not self._done.empty():
            found.append(self._done.get())
        for ticket, reply in found:
            if isinstance(reply, EngineGoneError):
                self._threads.shutdown(wait=False, cancel_futures=True)
                raise reply
            yield ticket, reply

    def _forget(self) -> None:
        """Drops the oldest notes that nothing waits for."""
        for key, (_, waiting) in self._warm.items():
            if waiting is None:
                del self._warm[key]
                return

    def _answer(self, ticket: int, task: Task) -> None:
        try:
            reply: Reply | EngineGoneError = self._asked(task)
        except EngineGoneError as error:
            reply = error
        except Exception as error:
            # A thread's exception would be lost, and its question waited for in vain.
            reply = EngineGoneError(f"{self._url}: {type(error).__name__}")
        self._done.put((ticket, reply))
        with self._lock:
            notes, waiting = self._warm.get(id(task.notes), (task.notes, None))
            self._warm[id(task.notes)] = (notes, None)
        for later in waiting or ():
            self._threads.submit(self._answer, *later)

    def _asked(self, task: Task) -> Reply:
        body = {
            "model": self.model,
            "messages": messages(task),
            "temperature": self._speech.temperature,
            "seed": self._speech.seed,
            "max_tokens": self._speech.most_tokens,
        }
        status, data = self._formed(task, body)
        if status in (401, 403, 404):
            raise EngineGoneError(f"{self._url}: answers {status}: {_ADVICE[status]}")
        if status != 200:
            return Fault("refused", f"the server answers {status}")
        try:
            choice = orjson.loads(data)["choices"][0]
            text, finish = choice["message"]["content"] or "", choice.get("finish_reason")
        except (ValueError, KeyError, IndexError, TypeError):
            return Fault("ill-formed", "the server's answer is not of the OpenAI API")
        return read(task, text, finish)

    def _formed(self, task: Task, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Sends a question with its schema, in the form that the server knows.

        llama.cpp's Python server knows a schema by another name, and answers 500 to the usual.
        """
        if self._form is not None:
            return self._post({**body, "response_format": self._format(task, self._form)})
        first, second = ("json_schema", "json_object")
        usual = {**body, "response_format": self._format(task, first)}
        status, data = self._post(usual, tuple(s for s in _RETRIED if s not in _UNKNOWN))
        if status in _UNKNOWN:
            status, data = self._post({**body, "response_format": self._format(task, second)})
            first = second
        if status == 200:
            self._form = first
        return status, data

    def _format(self, task: Task, form: str) -> dict[str, Any]:
        if form == "json_object":
            return {"type": "json_object", "schema": schema(task)}
        named = {"name": "answer", "strict": True, "schema": schema(task)}
        return {"type": "json_schema", "json_schema": named}

    def _first_model(self) -> str:
        # A server that is not there at the start will not come while one waits.
        status, data = self._send("GET", "/models", None, self._retry.new(total=0))
        if status != 200:
            advice = _ADVICE.get(status, "no list of models")
            raise EngineGoneError(f"{self._url}: answers {status}: {advice}")
        try:
            return str(orjson.loads(data)["data"][0]["id"])
        except (ValueError, KeyError, IndexError, TypeError):
            raise EngineGoneError(f"{self._url}: serves no model") from None

    def _post(
        self, body: Mapping[str, Any], retried: tuple[int, ...] = _RETRIED
    ) -> tuple[int, bytes]:
        retry = self._retry.new(status_forcelist=retried)
        return self._send("POST", "/chat/completions", orjson.dumps(body), retry)

    def _send(
        self, method: str, path: str, body: bytes | None, retry: urllib3.Retry
    ) -> tuple[int, bytes]:
        try:
            answer = self._http.request(
                method, f"{self._url}{path}", body=body, headers=self._headers, retries=retry
            )
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            times = f"{self._speech.attempts} attempts" if retry.total else "1 attempt"
            raise EngineGoneError(
                f"{self._url}: no answer after {times} ({type(cause).__name__})"
            ) from None
        return answer.status, answer.data


_ADVICE = {
    401: f"it wants a key (set {KEYS[0]})",
    403: "the key is not allowed to do this",
    404: "no such address (the URL ends in /v1 with most servers)",
}
