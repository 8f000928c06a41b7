"""Weights from a stand-in of the hub: the file arrives, and what goes wrong is one line."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("huggingface_hub")

NOTE = "Assessment:\n1. asthma\n"


@contextmanager
def hub(files):
    """A hub with one repository, `org/name`; another one wants a licence to be accepted."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(body=True)

        def do_HEAD(self):
            self._answer(body=False)

        def _answer(self, body):
            path = self.path.partition("?")[0]
            asked.append((self.command, path))
            if "/locked/" in path or path.endswith("/locked"):
                self._send(403, b"", body, {"X-Error-Code": "GatedRepo"})
            elif path.startswith("/api/models/org/name/tree"):
                listed = [
                    {"type": "file", "path": n, "size": len(d), "oid": "0"}
                    for n, d in files.items()
                ]
                self._send(200, json.dumps(listed).encode(), body)
            elif path.startswith("/api/models/org/name"):
                siblings = [{"rfilename": name} for name in files]
                self._send(200, json.dumps({"id": "org/name", "siblings": siblings}).encode(), body)
            elif (name := path.removeprefix("/org/name/resolve/main/")) in files:
                data = files[name]
                extra = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": "a" * 40}
                self._send(200, data, body, extra)
            else:
                self._send(404, b"", body, {"X-Error-Code": "EntryNotFound"})

        def _send(self, status, data, body, extra=None):
            self.send_response(status)
            for name, value in {**(extra or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def clh(url, model, cwd, code=0):
    env = {**os.environ, "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(cwd / "hf")}
    env["HF_HUB_DISABLE_XET"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "clhcode", "code", "-", "--format", "jsonl", "--model", model,
         "--engine", "llamacpp"],
        cwd=cwd, input=NOTE, capture_output=True, text=True, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def test_a_file_is_fetched_once_and_run(gguf, tmp_path):
    with hub({"tiny.gguf": gguf.read_bytes(), "README.md": b"hello"}) as (url, asked):
        row = json.loads(clh(url, "org/name", tmp_path).stdout)
        assert row["codes"] is not None
        clh(url, "org/name/tiny.gguf", tmp_path)
    fetched = [path for method, path in asked if method == "GET" and path.endswith(".gguf")]
    assert fetched == ["/org/name/resolve/main/tiny.gguf"]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("org/name/other.gguf", "the hub has no such file"),
        ("org/name", "holds several GGUF files, name one: a.gguf, b.gguf"),
        ("org/locked/a.gguf", "the hub answers 403 (log in"),
        ("org/locked", "the hub answers 403 (log in"),
    ],
)
def test_what_the_hub_has_not_is_one_line(tmp_path, model, says):
    with hub({"a.gguf": b"GGUF", "b.gguf": b"GGUF"}) as (url, _):
        done = clh(url, model, tmp_path, code=2)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_hub_is_one_line(tmp_path):
    done = clh("http://127.0.0.1:9", "org/name/a.gguf", tmp_path, code=2)
    assert "the hub cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
