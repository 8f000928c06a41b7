"""One vLLM server for all stages of a pipe, there as long as one of them is.

Each stage holds a shared kernel lock on a file; a keeper process waits to have it alone, and ends
the server then. A lock goes with its process, also after kill -9, so nobody has to tidy up.

Run as a program this module is the keeper: `python -m clhcode.runtime.share FOLDER COMMAND...`.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from clhcode.errors import UserError
from clhcode.places import cache_home

PATIENCE = 900.0
"""Seconds that a server may take to load its model."""
GRACE = 10.0
"""Seconds that it has to end."""
_KEY_VARIABLE = "CLH_SHARED_KEY"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Shared:
    """A server that this process shares.

    Attributes:
        url: Where it is.
        token: What it wants as a key.
        lock: Open as long as this process uses it.
    """

    url: str
    token: str
    lock: IO[bytes]

    def close(self) -> None:
        """Says that this process needs it no more."""
        self.lock.close()


def shared_server(model: str, name: str, arguments: Sequence[str], say: Any) -> Shared:
    """The server of a model: the one that runs, or a new one.

    Args:
        model: A folder or hub name.
        name: What the server calls it.
        arguments: More of vLLM's own.
        say: Called with a line where one has to wait.

    Raises:
        UserError: It does not start.
    """
    what = orjson.dumps([model, name, list(arguments), sys.executable])
    folder = cache_home() / "share" / hashlib.sha256(what).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    users = (folder / "users").open("ab")
    # Waits while the keeper ends a server that nobody used any more.
    fcntl.flock(users, fcntl.LOCK_SH)
    with (folder / "start").open("ab") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        known = _known(folder)
        if known is None:
            say(f"starting vLLM's server of {model} for this pipe")
            known = _start(folder, model, name, arguments)
    return Shared(known["url"], known["token"], users)


def _known(folder: Path) -> dict[str, Any] | None:
    """The server that was started last, where it still answers."""
    with suppress(OSError, ValueError, KeyError):
        known: dict[str, Any] = orjson.loads((folder / "server.json").read_bytes())
        if _answers(known):
            return known
    return None


def _answers(known: Mapping[str, Any]) -> bool:
    import urllib3

    try:
        answer = urllib3.request(
            "GET",
            f"{known['url']}/models",
            headers={"Authorization": f"Bearer {known['token']}"},
            timeout=5.0,
            retries=False,
        )
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


def _start(folder: Path, model: str, name: str, arguments: Sequence[str]) -> dict[str, Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"url": f"http://127.0.0.1:{port}/v1", "token": secrets.token_urlsafe(24)}
    command = server_command(model, name, port, arguments)
    log = (folder / "log").open("wb")
    keeper = subprocess.Popen(
        [sys.executable, "-m", "clhcode.runtime.share", str(folder), *command],
        env={**os.environ, _KEY_VARIABLE: known["token"]},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    log.close()
    until = time.monotonic() + PATIENCE
    while not _answers(known):
        if keeper.poll() is not None:
            raise UserError(f"vLLM's server of {model} does not start: see {folder / 'log'}")
        if time.monotonic() > until:
            keeper.terminate()
            raise UserError(f"vLLM's server of {model} does not answer: see {folder / 'log'}")
        time.sleep(0.2)
    target = folder / "server.json"
    part = target.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(orjson.dumps(known))
    part.replace(target)
    return known


def server_command(model: str, name: str, port: int, arguments: Sequence[str]) -> list[str]:
    """The command line of vLLM's own server on loopback; its key stands in the environment."""
    return [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", model, "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port), "--enable-prompt-tokens-details"),
        *("--structured-outputs-config", '{"backend":"guidance","disable_any_whitespace":true}'),
        *arguments,
    ]


def keep(folder: Path, command: Sequence[str]) -> int:
    """Runs a server until nobody holds the lock on `users`; what the keeper does."""
    server = subprocess.Popen(
        command,
        env={
            **os.environ,
            "VLLM_API_KEY": os.environ.pop(_KEY_VARIABLE),
            "VLLM_NO_USAGE_STATS": "1",
        },
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - runs before any thread there is
    )
    with (folder / "users").open("ab") as users:
        while server.poll() is None:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.2)
                continue
            break
        (folder / "server.json").unlink(missing_ok=True)
        _end(server)
    return server.returncode


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends a server and its workers, which are of this session as nobody else is.

    A worker that is told to end while it loads a model waits for a server that is gone: who is
    left after a while is killed, and this process with it.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.terminate()
    until = time.monotonic() + GRACE
    with suppress(subprocess.TimeoutExpired):
        server.wait(GRACE)
    os.killpg(0, signal.SIGTERM)
    while _others():
        if time.monotonic() > until:
            os.killpg(0, signal.SIGKILL)
        time.sleep(0.1)
    server.wait()


def _others() -> list[int]:
    """The other processes of this process's group; empty where the system does not tell."""
    group, found = os.getpgrp(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # Behind the name, which may hold anything: state, parent, group.
            state, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(own) == group and int(folder.name) != os.getpid() and state != "Z":
                found.append(int(folder.name))
    return found


def _die_with_parent() -> None:
    """The kernel ends the server when its keeper is killed (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2:]))
