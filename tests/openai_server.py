"""A server of the OpenAI API for tests: real HTTP, answers of the form asked for, and faults.

It chooses the first that the schema allows, so that runs end and are the same twice.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


class Server:
    """What was asked, and how to answer.

    Attributes:
        bodies: The questions in the order they came.
        together: How many were under way at the most.
        before: May answer a question otherwise; gets its number and body.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.together = 0
        self.before: Callable[[int, dict[str, Any]], Reply | None] = lambda *_: None
        self.url = ""
        self.gone = False
        self._now = 0
        self._lock = threading.Lock()

    def answer(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            number = len(self.bodies)
            self._now += 1
            self.together = max(self.together, self._now)
        try:
            return self.before(number, body) or answered(said(body))
        finally:
            with self._lock:
                self._now -= 1


def said(body: dict[str, Any]) -> str:
    """Free text where no form is asked for, else the simplest of that form."""
    if "response_format" not in body:
        return "Let me think."
    return json.dumps(least(schema_of(body), quoted(body)))


def answered(text: str, finish: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text}
    choice = {"message": message, "text": text, "finish_reason": finish}
    return 200, {}, json.dumps({"choices": [choice]}).encode()


def schema_of(body: dict[str, Any]) -> dict[str, Any]:
    form = body["response_format"]
    return form["json_schema"]["schema"] if form["type"] == "json_schema" else form["schema"]


def least(schema: dict[str, Any], words: str) -> Any:
    """The simplest value a schema allows but 'none'; of arrays one item, of strings `words`."""
    if "enum" in schema:
        return next(value for value in schema["enum"] if value != 0)
    if schema["type"] == "object":
        return {name: least(each, words) for name, each in schema["properties"].items()}
    return [least(schema["items"], words)] if schema["type"] == "array" else words


def quoted(body: dict[str, Any]) -> str:
    """A word of the note that is asked about: a disease where there is one it knows."""
    text = body["prompt"] if "prompt" in body else body["messages"][1]["content"]
    asked = re.search(r"Question: which conditions does note (\d+) state", text)
    if not asked:
        return ""
    note = re.search(rf"Note {asked[1]}[^\n]*:\n<<<\n(.*?)\n>>>", text, re.DOTALL)
    words = note[1] if note else ""
    found = re.search(r"(?i)\basthma\b|\bgout\b", words) or re.search(r"\w+", words)
    return found[0] if found else "nothing"


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port, gone at the end."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send((200, {}, json.dumps({"data": [{"id": "stand-in"}]}).encode()))

        def do_POST(self) -> None:
            if server.gone:
                self.close_connection = True
                return
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(server.answer(body, dict(self.headers)))

        def _send(self, reply: Reply) -> None:
            status, headers, data = reply
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.gone = True
        http.shutdown()
        http.server_close()
        thread.join()
