"""One request: redirects followed, credentials only where they may go, no page taken for a file."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from clhcode import __version__
from clhcode.download.login import LOOPBACK, Login, Origin, origin
from clhcode.download.side import WIDTH
from clhcode.download.trouble import DownloadError, Kind, shown
from clhcode.errors import UserError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

AGENT = f"clh/{__version__}"
AT_PHYSIONET = f"Wget/1.25.0 (compatible; {AGENT})"
"""PhysioNet lets programs log in whose names begin with `Wget/` or `libwfdb/`, and no others."""
HOPS = 10
"""Redirects before one gives up."""
MOVED = (301, 302, 303, 307, 308)
CONNECT = 20.0
"""Seconds to reach a server in."""
SECONDS = 60.0
"""Without an answer or another byte, after which a connection is given up."""


class Web:
    """Servers, as one user sees them; threads may share it.

    Attributes:
        answered: Whether any server has answered yet.
    """

    def __init__(
        self,
        *,
        login: Login | None = None,
        told: Origin | None = None,
        agent: str | None = None,
        seconds: float = SECONDS,
        side_by_side: int = WIDTH,
    ) -> None:
        """Remembers who asks.

        Args:
            login: Credentials.
            told: Whom they are sent; nobody else ever is.
            agent: The name that the program gives itself.
            seconds: Of silence, after which a connection is given up.
            side_by_side: Connections kept open.
        """
        import urllib3

        self.agent, self.answered = agent or AGENT, False
        self._login, self._told = login, told
        self._how: dict[str, Any] = {
            "maxsize": side_by_side,
            "timeout": urllib3.Timeout(connect=min(seconds, CONNECT), read=seconds),
            "retries": False,
        }
        self._direct = urllib3.PoolManager(**self._how)
        self._proxies: dict[str, PoolManager] = {}

    def ask(
        self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> BaseHTTPResponse:
        """The answer of whoever has the file in the end; its content is still to be read.

        Raises:
            DownloadError: The server cannot be reached, or redirects in a circle.
        """
        import urllib3

        at = url
        for _ in range(HOPS):
            try:
                answer = self._pool(at).request(
                    method,
                    at,
                    headers=self._headers(at, headers or {}),
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            except urllib3.exceptions.HTTPError as error:
                said, nowhere = _why(error)
                kind: Kind = "nowhere" if nowhere and not self.answered else "unreachable"
                raise DownloadError(kind, said, url=at) from None
            self.answered = True
            moved = answer.headers.get("Location") if answer.status in MOVED else None
            if moved is None:
                return answer
            answer.close()
            try:
                at = urljoin(at, moved)
                origin(at)
            except (UserError, ValueError):
                raise DownloadError("unreachable", "redirects to no web address", url=url) from None
        raise DownloadError("unreachable", f"redirects more than {HOPS} times", url=url)

    def _headers(self, url: str, more: Mapping[str, str]) -> dict[str, str]:
        headers = {"User-Agent": self.agent, "Accept-Encoding": "identity", **more}
        if self._login and origin(url) == self._told:
            headers["Authorization"] = self._login.header()
        return headers

    def _pool(self, url: str) -> PoolManager:
        """The connections that lead there: by the proxy of the environment, where one is set."""
        import urllib3

        scheme, host, _ = origin(url)
        # What is meant for this machine, credentials too, must not reach a proxy.
        proxy = None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(scheme)
        if not proxy:
            return self._direct
        if proxy not in self._proxies:
            user, at, _ = urlsplit(proxy).netloc.rpartition("@")
            said = urllib3.make_headers(proxy_basic_auth=unquote(user)) if at else None
            self._proxies[proxy] = urllib3.ProxyManager(proxy, proxy_headers=said, **self._how)
        return self._proxies[proxy]

    def close(self) -> None:
        """Ends the connections."""
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()


def is_page(kind: str | None, head: bytes) -> bool:
    """Whether content is a web page, by its declared kind or its first bytes."""
    if (kind or "").partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        return True
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html"))


def refusal(answer: BaseHTTPResponse, url: str) -> DownloadError:
    """The trouble of a status that brings no file."""
    reason = answer.reason or ""
    said = f"{answer.status} {reason}".strip()
    return DownloadError("refused", said, url=shown(url), status=answer.status)


def _why(error: BaseException) -> tuple[str, bool]:
    """What the system says, without the library's words, and whether nobody is there at all."""
    import urllib3

    causes: list[BaseException] = []
    cause: object = error
    while isinstance(cause, BaseException) and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    # The innermost first: the library calls a refused connection a timeout, too.
    for each in reversed(causes):
        if isinstance(each, urllib3.exceptions.NameResolutionError | socket.gaierror):
            return "no such host, or no network", True
        if isinstance(each, ssl.SSLCertVerificationError):
            return "its certificate is not trusted", True
        if isinstance(each, ssl.SSLError):
            return "no TLS connection", True
        if isinstance(each, OSError) and each.errno == errno.ECONNREFUSED:
            return "refuses the connection", True
    late = any(isinstance(each, TimeoutError | urllib3.exceptions.TimeoutError) for each in causes)
    if not late:
        return "ends the connection without an answer", False
    return "does not answer in time", isinstance(error, urllib3.exceptions.ConnectTimeoutError)
