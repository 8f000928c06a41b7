"""A user's credentials: where they are found, and whom they may be sent to.

They stand in no address, no argument, no log and no message, and are sent only to PhysioNet or to a
server that the user named, over TLS or on this machine.
"""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clhcode.download.sources import PHYSIONET
from clhcode.errors import UserError

USER, PASSWORD = "PHYSIONET_USER", "PHYSIONET_PASS"
HOW = f"set {USER} and {PASSWORD}, or a line for {PHYSIONET} in ~/.netrc"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials.

    Attributes:
        found: Where they were found, for people.
    """

    user: str = field(repr=False)
    password: str = field(repr=False)
    found: str

    def header(self) -> str:
        """What the server is sent, by RFC 7617."""
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


def origin(url: str) -> Origin:
    """Where an address leads.

    Raises:
        UserError: It is no address of the web.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    else:
        if parts.scheme not in ("http", "https"):
            host = None
    if not host:
        raise UserError("--from: an address such as https://host/folder/ is meant")
    return parts.scheme, host.lower(), port or (443 if parts.scheme == "https" else 80)


def may_be_told(url: str) -> bool:
    """Whether a server that the user named may be sent credentials."""
    scheme, host, _ = origin(url)
    return scheme == "https" or host in LOOPBACK


def find_login(host: str, ask: Callable[[], Login | None] | None = None) -> Login | None:
    """The user's credentials: of the environment, else of netrc, else asked for.

    Args:
        host: Of the server, for netrc.
        ask: Asks the user; `None` where nobody is there to answer.

    Raises:
        UserError: Half of them is there, or netrc cannot be read.
    """
    user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
    if user and password:
        return _checked(Login(user, password, f"{USER} and {PASSWORD}"))
    if user or password:
        there, missing = (USER, PASSWORD) if user else (PASSWORD, USER)
        raise UserError(f"{there} is set and {missing} is not")
    if (login := _of_netrc(host)) is not None:
        return _checked(login)
    login = ask() if ask else None
    return login and _checked(login)


def _checked(login: Login) -> Login:
    if ":" in login.user:
        raise UserError(f"the user name of {login.found} must not hold a colon")
    return login


def _of_netrc(host: str) -> Login | None:
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not path.is_file():
        return None
    try:
        hosts = netrc.netrc(str(path)).hosts
    except netrc.NetrcParseError as error:
        # Its message quotes the file.
        raise UserError(f"{path}: line {error.lineno} cannot be read") from None
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path}: cannot be read") from None
    # Not `default`: what it holds is meant for some other server.
    entry = hosts.get(host) or hosts.get(PHYSIONET)
    if not entry or not entry[0] or not entry[2]:
        return None
    return Login(entry[0], entry[2], str(path))
