"""A server that behaves as PhysioNet does, with faults on purpose.

Files below `/files/` are for users who have signed, and for programs whose names begin with `Wget/`
or `libwfdb/`: others are refused with 403, valid password or not. Folders are index pages. Ranges
are served, with If-Range. All else is a fault that a test asks for.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

AGENTS = ("Wget/", "libwfdb/")
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to PhysioNet</body></html>"
USER, PASSWORD = "ada@example.org", "p:ss wörd-7315"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    range: str | None
    if_range: str | None
    agent: str
    authorization: str | None


@dataclass(frozen=True)
class Fault:
    """What goes wrong with an answer.

    Attributes:
        status: Answered in place of the file.
        headers: Added to the answer, or in place of its own; None takes one away.
        cut: Bytes of content after which the connection ends.
        reset: Whether it ends with a reset.
        drop: No answer at all.
        pause: Seconds between blocks of `block` bytes.
        silent: Seconds before the answer.
        page: A web page with status 200.
        whole: Ranges are not served.
        shift: Bytes that a range is off.
        unsized: No Content-Length; the content ends with the connection.
    """

    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    drop: bool = False
    pause: float = 0.0
    block: int = 1024
    silent: float = 0.0
    page: bool = False
    whole: bool = False
    shift: int = 0
    unsized: bool = False


class PhysioNet:
    """What is served, who may have it, and what was asked.

    Attributes:
        files: By path on the server.
        users: Passwords by user.
        signed: Users who have signed the agreement.
        fault: May spoil the answer to a request; gets it and its number.
        etags: Whether files have an ETag.
        guarded: Whether `/files/` needs a user.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.users = {USER: PASSWORD}
        self.signed = {USER}
        self.fault: Callable[[Asked, int], Fault | None] = lambda *_: None
        self.etags, self.guarded = True, True
        self.asked: list[Asked] = []
        self.url = ""
        self.gone = threading.Event()
        self._lock = threading.Lock()

    def publish(self, root: str, files: dict[str, bytes]) -> str:
        """Serves a set with its SHA256SUMS.txt below `/files/`; its address."""
        base = f"/files/{root}/"
        lines = (f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in files.items())
        self.files[f"{base}SHA256SUMS.txt"] = "".join(lines).encode()
        self.files |= {base + name: data for name, data in files.items()}
        return self.url + base

    def note(self, asked: Asked) -> Fault:
        with self._lock:
            self.asked.append(asked)
            number = len(self.asked)
        return self.fault(asked, number) or Fault()

    def gets(self, name: str = "") -> list[Asked]:
        """The GETs of paths that end so."""
        return [a for a in self.asked if a.method == "GET" and a.path.endswith(name)]

    def status(self, asked: Asked) -> int:
        """200, or why not."""
        if self.guarded and asked.path.startswith("/files/"):
            if not asked.agent.startswith(AGENTS):
                return 403
            user = self._user(asked.authorization)
            if user is None:
                return 401
            if user not in self.signed:
                return 403
        return 200 if asked.path in self.files or self._is_folder(asked.path) else 404

    def _is_folder(self, path: str) -> bool:
        return path.endswith("/") and any(each.startswith(path) for each in self.files)

    def _user(self, header: str | None) -> str | None:
        kind, _, said = (header or "").partition(" ")
        if kind.lower() != "basic":
            return None
        user, _, password = b64decode(said).decode().partition(":")
        return user if self.users.get(user) == password else None


@contextmanager
def physionet() -> Iterator[PhysioNet]:
    """A server on a free port, gone at the end."""
    server = PhysioNet()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            told = self.headers
            asked = Asked(
                self.command,
                unquote(self.path),
                told.get("Range"),
                told.get("If-Range"),
                told.get("User-Agent", ""),
                told.get("Authorization"),
            )
            fault = server.note(asked)
            server.gone.wait(fault.silent)
            if fault.drop:
                self._end(reset=fault.reset)
                return
            status = fault.status or (200 if fault.page else server.status(asked))
            if status != 200 or fault.page or asked.path.endswith("/"):
                self._page(status, fault)
            else:
                self._file(asked, fault)

        def _page(self, status: int, fault: Fault) -> None:
            headers = {"Content-Type": "text/html; charset=utf-8"}
            if status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="PhysioNet", charset="UTF-8"'
            self._send(status, headers, PAGE, fault)

        def _file(self, asked: Asked, fault: Fault) -> None:
            data = server.files[asked.path]
            headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
            etag = f'"{hashlib.md5(data).hexdigest()}"'
            if server.etags:
                headers["ETag"] = etag
            fresh = asked.if_range in (None, etag)
            if not asked.range or fault.whole or not fresh:
                self._send(200, headers, data, fault)
                return
            begin = int(asked.range.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                headers["Content-Range"] = f"bytes */{len(data)}"
                self._send(416, headers, b"", fault)
                return
            begin += fault.shift
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self._send(206, headers, data[begin:], fault)

        def _send(self, status: int, headers: dict[str, str], data: bytes, fault: Fault) -> None:
            self.send_response(status)
            merged = {**headers, "Content-Length": str(len(data)), **fault.headers}
            if fault.unsized:
                merged |= {"Content-Length": None, "Connection": "close"}
            for name, value in merged.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            try:
                self._write(data[: fault.cut], fault)
            except OSError:
                self.close_connection = True
                return
            if fault.cut is not None or fault.unsized:
                self._end(reset=fault.reset)

        def _write(self, data: bytes, fault: Fault) -> None:
            step = fault.block if fault.pause else len(data) or 1
            for begin in range(0, len(data), step):
                self.wfile.write(data[begin : begin + step])
                self.wfile.flush()
                if fault.pause:
                    time.sleep(0 if server.gone.is_set() else fault.pause)

        def _end(self, *, reset: bool) -> None:
            self.close_connection = True
            if reset:
                # Closing at once, with what was sent thrown away, is how a reset is made.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """What a client does that is killed is no error here."""

    http = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.gone.set()
        http.shutdown()
        http.server_close()
        thread.join()
