"""Any server that speaks the OpenAI API: vLLM's, llama.cpp's, a hosted one.

Requests are sent by a few threads; of an encounter's first requests one goes ahead alone, so
that the others find the notes in the server's prefix cache.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

import orjson

from clhcode.errors import EngineGoneError, UserError
from clhcode.remote import ADVICE, RETRIED, Server
from clhcode.runtime.model import Output, Prompt, Rate, Rated, Request, Usage, Write, Written
from clhcode.runtime.template import messages, spoken
from clhcode.tasks import Fault

_WARM = 4_096
"""Groups of prompts whose beginning is taken to be in the server's cache."""
_LETTERS_A_TOKEN = 2.5
"""An estimate from below, where no tokenizer is at hand."""
_UNKNOWN = (400, 422, 500)
"""What servers answer to a form of schema that they do not know."""


@dataclass(frozen=True, slots=True)
class Speech:
    """How a server is spoken to; each a `--server NAME=VALUE`.

    Attributes:
        model: Which of its models; the first it lists otherwise.
        side_by_side: Requests under way at a time.
        seconds: How long an answer may take.
        attempts: How often a request is sent at most.
        pause: Seconds before the second attempt; each later pause is twice as long.
        context: Tokens of prompt and answer, where the server does not say.
        plain: The model has no chat template: plain completion.
        key_header: The header that carries the key; `Authorization: Bearer` otherwise.
        api_version: Sent as the parameter `api-version`.
        tokens_field: What the bound of an answer is called.
        reasoning_effort: For models that think by themselves.
    """

    model: str = ""
    side_by_side: int = 8
    seconds: float = 300.0
    attempts: int = 6
    pause: float = 0.5
    context: int = 0
    plain: bool = False
    key_header: str = ""
    api_version: str = ""
    tokens_field: str = "max_tokens"
    reasoning_effort: str = ""


def speech_of(given: Iterable[tuple[str, object]]) -> Speech:
    """The manners of a server by name and value.

    Raises:
        UserError: There is no such name, or this is no value of it.
    """
    speech = Speech()
    known = {f.name: type(getattr(speech, f.name)) for f in fields(Speech)}
    for name, value in given:
        if name not in known:
            raise UserError(f"--server {name}: there are {', '.join(known)}")
        text, kind = str(value), known[name]
        try:
            right: Any = text.lower() in ("1", "true", "yes") if kind is bool else kind(text)
        except ValueError:
            raise UserError(f"--server {name}={text}: not a number") from None
        speech = replace(speech, **{name: right})
    return speech


class ServedModel:
    """A model behind a URL such as `http://127.0.0.1:8000/v1`."""

    def __init__(self, url: str, speech: Speech | None = None, key: str | None = None) -> None:
        """Asks the server which model it has.

        Args:
            url: Its address, which ends in `/v1` with most.
            speech: How it is spoken to.
            key: Its key, where this program started it; from the environment otherwise.

        Raises:
            EngineGoneError: There is no server, it wants another key, or it has no model.
        """
        self._speech = speech or Speech()
        version = self._speech.api_version
        self._server = Server(
            url,
            seconds=self._speech.seconds,
            attempts=self._speech.attempts,
            pause=self._speech.pause,
            side_by_side=self._speech.side_by_side,
            key_header=self._speech.key_header,
            key=key,
            query="?" + urlencode({"api-version": version}) if version else "",
        )
        self._url = self._server.url
        self.chat = not self._speech.plain
        self.usage, self.width = Usage(), max(16, 2 * self._speech.side_by_side)
        self.name, own = self._served_model()
        self.context: int | None = self._speech.context or own
        self._threads = ThreadPoolExecutor(self._speech.side_by_side)
        self._done: queue.SimpleQueue[tuple[int, Output | EngineGoneError]] = queue.SimpleQueue()
        self._gone: EngineGoneError | None = None
        self._lock = threading.Lock()
        # By group: what waits for its first prompt, or None once the server has read that.
        self._warm: OrderedDict[int, deque[tuple[int, Request]] | None] = OrderedDict()
        self._form: str | None = None

    @property
    def rating(self) -> str:
        """Servers rate whole texts, if at all."""
        return "phrase"

    def count(self, text: str) -> int:
        return int(len(text) / _LETTERS_A_TOKEN)

    def submit(self, ticket: int, request: Request) -> None:
        self.usage.requests += 1
        group = _group(request)
        with self._lock:
            waiting = self._warm.get(group)
            if waiting is not None:
                waiting.append((ticket, request))
                return
            if group not in self._warm:
                self._warm[group] = deque()
                if len(self._warm) > _WARM:
                    self._forget()
        self._threads.submit(self._answer, ticket, request)

    def ready(self) -> Iterable[tuple[int, Output]]:
        if self._gone is not None:
            raise self._gone
        found = [self._done.get()]
        while not self._done.empty():
            found.append(self._done.get())
        gone = next((each for _, each in found if isinstance(each, EngineGoneError)), None)
        if gone is not None:
            # What is still being answered is waited for, so that it need not be asked again.
            self._threads.shutdown(wait=True, cancel_futures=True)
            while not self._done.empty():
                found.append(self._done.get())
            self._gone = gone
        outputs = [(n, each) for n, each in found if not isinstance(each, EngineGoneError)]
        if gone is not None and not outputs:
            raise gone
        return outputs

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._server.close()

    def _forget(self) -> None:
        """Drops the oldest group that nothing waits for."""
        for key, waiting in self._warm.items():
            if waiting is None:
                del self._warm[key]
                return

    def _answer(self, ticket: int, request: Request) -> None:
        try:
            output: Output | EngineGoneError = (
                self._rated(request) if isinstance(request, Rate) else self._written(request)
            )
        except EngineGoneError as error:
            output = error
        except Exception as error:
            # A thread's exception would be lost, and its request waited for in vain.
            output = EngineGoneError(f"{self._url}: {type(error).__name__}")
        self._done.put((ticket, output))
        group = _group(request)
        with self._lock:
            waiting = self._warm.get(group)
            self._warm[group] = None
        for later in waiting or ():
            # After the end nothing is taken any more.
            with suppress(RuntimeError):
                self._threads.submit(self._answer, *later)

    def _written(self, request: Write) -> Output:
        sampling = request.sampling
        plain = request.prompt.plain or not self.chat
        body: dict[str, Any] = {"model": self.name, "seed": sampling.seed}
        body["temperature"] = sampling.temperature
        if sampling.top_p < 1.0:
            body["top_p"] = sampling.top_p
        # No part of OpenAI's own API, so sent only where asked for.
        body |= {k: v for k in ("top_k", "min_p") if (v := getattr(sampling, k))}
        body["max_tokens" if plain else self._speech.tokens_field] = request.most
        if self._speech.reasoning_effort and not plain:
            body["reasoning_effort"] = self._speech.reasoning_effort
        if plain:
            body["prompt"] = spoken(request.prompt, None)
        else:
            body["messages"] = _turns(request.prompt)
        status, data = self._formed(request, body, "/completions" if plain else "/chat/completions")
        if status in ADVICE:
            raise EngineGoneError(f"{self._url}: answers {status}: {ADVICE[status]}")
        if status != 200:
            return Fault("refused", f"the server answers {status}")
        try:
            whole = orjson.loads(data)
            choice = whole["choices"][0]
            text = choice["text"] if plain else choice["message"]["content"] or ""
            finish = choice.get("finish_reason") or "stop"
        except (ValueError, KeyError, IndexError, TypeError):
            return Fault("ill-formed", "the server's answer is not of the OpenAI API")
        self._count(whole.get("usage") or {})
        return Written(text, finish)

    def _count(self, usage: Mapping[str, Any]) -> None:
        sent = usage.get("prompt_tokens") or 0
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        with self._lock:
            self.usage.sent += sent
            self.usage.evaluated += sent - cached
            self.usage.generated += usage.get("completion_tokens") or 0

    def _rated(self, request: Rate) -> Output:
        """By completion that echoes its prompt with the likelihood of each token."""
        logs = []
        for prompt, ending in zip(request.prompts, request.endings, strict=True):
            text = spoken(prompt, None)
            body = {
                "model": self.name,
                "prompt": text + ending,
                "echo": True,
                "logprobs": 1,
                "max_tokens": 1,
                "temperature": 0,
            }
            status, data = self._post("/completions", body)
            try:
                if status != 200:
                    raise ValueError
                whole = orjson.loads(data)
                found = whole["choices"][0]["logprobs"]
                places, each = found["text_offset"], found["token_logprobs"]
                size = len(text) + len(ending)
                own = [log for at, log in zip(places, each, strict=True) if len(text) <= at < size]
                logs.append(float(sum(own)))
            except (ValueError, KeyError, IndexError, TypeError):
                raise EngineGoneError(
                    f"{self._url}: it gives no likelihoods of a prompt: --choose generate"
                ) from None
            self._count(whole.get("usage") or {})
        return Rated(tuple(logs))

    def _formed(self, request: Write, body: Mapping[str, Any], path: str) -> tuple[int, bytes]:
        """Sends a request with its schema, in the form that the server knows.

        llama.cpp's Python server knows a schema by another name, and answers 500 to the usual.
        """
        if request.schema is None:
            return self._post(path, body)
        if self._form is not None:
            form = _format(request.schema, self._form)
            return self._post(path, {**body, "response_format": form})
        first, second = ("json_schema", "json_object")
        usual = {**body, "response_format": _format(request.schema, first)}
        status, data = self._post(path, usual, tuple(s for s in RETRIED if s not in _UNKNOWN))
        if status in _UNKNOWN:
            form = _format(request.schema, second)
            status, data = self._post(path, {**body, "response_format": form})
            first = second
        if status == 200:
            self._form = first
        return status, data

    def _served_model(self) -> tuple[str, int | None]:
        """Name and context of the model that is asked."""
        models = self._server.models()
        name = self._speech.model or next(iter(models))
        if name not in models:
            known = ", ".join(list(models)[:5])
            raise EngineGoneError(f"{self._url}: serves no model `{name}`, but {known}")
        longest = models[name].get("max_model_len")
        return name, longest if isinstance(longest, int) else None

    def _post(
        self, path: str, body: Mapping[str, Any], retried: tuple[int, ...] = RETRIED
    ) -> tuple[int, bytes]:
        return self._server.send("POST", path, body, retried=retried)


def _group(request: Request) -> int:
    return (request.prompts[0] if isinstance(request, Rate) else request.prompt).group


def _turns(prompt: Prompt) -> list[dict[str, str]]:
    """Chat messages; where the answer has begun with a thought, what follows is asked for anew."""
    turns = messages(prompt)
    if prompt.answer:
        turns.append({"role": "assistant", "content": prompt.answer.strip()})
        turns.append({"role": "user", "content": "Now the JSON object."})
    return turns


def _format(schema: Mapping[str, Any], form: str) -> dict[str, Any]:
    if form == "json_object":
        return {"type": "json_object", "schema": schema}
    named = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}
