"""Servers of the OpenAI API: which are another machine, where a key may stand, how they are asked.

Attempts after 429, 5xx and broken connections are urllib3's, with its backoff and Retry-After.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import orjson

from clhcode.errors import EngineGoneError

KEYS = ("CLH_API_KEY", "OPENAI_API_KEY")
"""Where a key may stand; it is taken from nowhere else."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RETRIED = (429, 500, 502, 503, 504)
_ADVICE = {
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
    """One address such as `http://127.0.0.1:8000/v1`."""

    def __init__(
        self, url: str, *, seconds: float = 300.0, attempts: int = 6, pause: float = 0.5
    ) -> None:
        """Takes the key from the environment.

        Args:
            url: With or without a slash at its end.
            seconds: How long an answer may take.
            attempts: How often a question is sent at most.
            pause: Seconds before the second attempt; each later pause is twice as long.
        """
        import urllib3

        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._retry = urllib3.Retry(
            total=attempts - 1,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            backoff_factor=pause,
            raise_on_status=False,
        )
        self._http = urllib3.PoolManager(timeout=seconds)

    def first_model(self) -> str:
        """The model that the server lists first.

        Raises:
            EngineGoneError: There is no server, it wants another key, or it has no model.
        """
        # A server that is not there at the start will not come while one waits.
        listed = self._asked("GET", "/models", None, patient=False)
        try:
            return str(listed["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise EngineGoneError(f"{self.url}: serves no model") from None

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The server's answer, as JSON.

        Raises:
            EngineGoneError: There is no answer, or none of the form asked for.
        """
        return self._asked("POST", path, orjson.dumps(body), patient=True)

    def _asked(self, method: str, path: str, body: bytes | None, *, patient: bool) -> Any:
        import urllib3

        retry = self._retry if patient else self._retry.new(total=0)
        try:
            answer = self._http.request(
                method, f"{self.url}{path}", body=body, headers=self._headers, retries=retry
            )
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            attempts = 1 + int(retry.total or 0)
            times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            raise EngineGoneError(
                f"{self.url}: no answer after {times} ({type(cause).__name__})"
            ) from None
        if answer.status != 200:
            advice = _ADVICE.get(answer.status, f"{path} cannot be asked for this")
            raise EngineGoneError(f"{self.url}: answers {answer.status}: {advice}")
        try:
            return orjson.loads(answer.data)
        except ValueError:
            raise EngineGoneError(f"{self.url}: {path} does not answer with JSON") from None
