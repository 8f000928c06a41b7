"""Servers of the OpenAI API: which are another machine, where a key may stand, how they are asked.

Attempts after 429, 5xx and broken connections are urllib3's, with its backoff and Retry-After.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from clhcode.errors import EngineGoneError

KEYS = ("CLH_API_KEY", "OPENAI_API_KEY")
"""Where a key may stand; it is taken from nowhere else."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
RETRIED = (429, 500, 502, 503, 504)
ADVICE = {
    401: f"it wants a key (set {KEYS[0]})",
    403: "the key is not allowed to do this",
    404: "no such address (the URL ends in /v1 with most servers)",
}


def is_url(given: str) -> bool:
    """Whether a model is named by the address of its server."""
    return given.startswith(("http://", "https://"))


def is_remote(url: str) -> bool:
    """Whether text sent there leaves this machine."""
    return urlsplit(url).hostname not in LOOPBACK


class Server:
    """One address such as `http://127.0.0.1:8000/v1`; threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float = 300.0,
        attempts: int = 6,
        pause: float = 0.5,
        side_by_side: int = 1,
        key_header: str = "",
        query: str = "",
        key: str | None = None,
    ) -> None:
        """Takes the key from the environment, unless it is given.

        Args:
            url: With or without a slash at its end.
            seconds: How long an answer may take.
            attempts: How often a question is sent at most.
            pause: Seconds before the second attempt; each later pause is twice as long.
            side_by_side: Connections kept open.
            key_header: The header that carries the key; `Authorization: Bearer` otherwise.
            query: What every address ends in.
            key: Of a server that was started by this program.
        """
        import urllib3

        self.url, self._query, self._attempts = url.rstrip("/"), query, attempts
        self._headers = {"Content-Type": "application/json"}
        key = key or next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if key:
            header = (key_header, key) if key_header else ("Authorization", f"Bearer {key}")
            self._headers |= [header]
        self._retry = urllib3.Retry(
            total=attempts - 1,
            status_forcelist=RETRIED,
            allowed_methods=None,
            backoff_factor=pause,
            raise_on_status=False,
        )
        self._http = urllib3.PoolManager(maxsize=side_by_side, timeout=seconds)

    def models(self) -> dict[str, dict[str, Any]]:
        """The models that the server lists, by name.

        Raises:
            EngineGoneError: There is no server, it wants another key, or it has no model.
        """
        # A server that is not there at the start will not come while one waits.
        status, data = self.send("GET", "/models", None, patient=False)
        if status != 200:
            raise EngineGoneError(f"{self.url}: answers {status}: {_advice(status, '/models')}")
        try:
            found = {str(each["id"]): each for each in orjson.loads(data)["data"]}
        except (ValueError, KeyError, TypeError):
            found = {}
        if not found:
            raise EngineGoneError(f"{self.url}: serves no model")
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The server's answer, as JSON.

        Raises:
            EngineGoneError: There is no answer, or none of the form asked for.
        """
        status, data = self.send("POST", path, body)
        if status != 200:
            raise EngineGoneError(f"{self.url}: answers {status}: {_advice(status, path)}")
        try:
            return orjson.loads(data)
        except ValueError:
            raise EngineGoneError(f"{self.url}: {path} does not answer with JSON") from None

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        patient: bool = True,
        retried: tuple[int, ...] = RETRIED,
    ) -> tuple[int, bytes]:
        """Status and content of the server's answer, whatever they are.

        Args:
            method: Of HTTP.
            path: After the server's address.
            body: What is sent, as JSON.
            patient: Whether to try again.
            retried: Statuses after which it tries again.

        Raises:
            EngineGoneError: There is no answer.
        """
        import urllib3

        retry = self._retry.new(status_forcelist=retried) if patient else self._retry.new(total=0)
        data = None if body is None else orjson.dumps(body)
        url = f"{self.url}{path}{self._query}"
        try:
            answer = self._http.request(
                method, url, body=data, headers=self._headers, retries=retry
            )
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            attempts = self._attempts if patient else 1
            times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            raise EngineGoneError(
                f"{self.url}: no answer after {times} ({type(cause).__name__})"
            ) from None
        return answer.status, answer.data

    def close(self) -> None:
        """Ends the connections."""
        self._http.clear()


def _advice(status: int, path: str) -> str:
    return ADVICE.get(status, f"{path} cannot be asked for this")
