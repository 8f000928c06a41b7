"""One file: got in as many pieces as it takes, checked, and only then given its name."""

from __future__ import annotations

import email.utils
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from clhcode.download.sums import sha256
from clhcode.download.trouble import FULL, DownloadError, shown
from clhcode.download.web import Web, is_page, refusal

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

BLOCK = 1 << 18
BUSY = (408, 429, 500, 502, 503, 504)
"""Statuses that another attempt may mend."""
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

Tell = Callable[[str, int, int | None], None]
"""Told the name of a file, how many of its bytes are here, and how many there are, if known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a server is asked again.

    Attributes:
        tries: Attempts in a row that bring nothing new.
        pause: Seconds before the second; each later pause is twice as long, up to `longest`.
        longest: Seconds that one waits at most, also where the server asks for more.
    """

    tries: int = 6
    pause: float = 1.0
    longest: float = 600.0

    def wait(self, failures: int, asked: float | None) -> float:
        """Seconds to wait after so many failures in a row; what the server asks for counts."""
        own = min(self.pause * 2 ** (failures - 1), 60.0)
        return min(asked if asked is not None else own, self.longest)


PATIENCE = Patience()


@dataclass(slots=True)
class Download:
    """A file on its way.

    Attributes:
        url: Where it is.
        target: Where it goes; `.part` beside it is what has come.
        sum: Its SHA-256, where it is known.
        page: Whether it is itself a web page.
        check: Raises `DownloadError` where the whole file is not of its kind.
    """

    url: str
    target: Path
    sum: str | None = None
    page: bool = False
    check: Callable[[Path], None] | None = None

    @property
    def part(self) -> Path:
        """What has come of it."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def mark(self) -> Path:
        """The server's name of the version that the part is of."""
        return self.target.with_name(f"{self.target.name}.part.etag")


def get(
    web: Web,
    file: Download,
    *,
    tell: Tell = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
    patience: Patience = PATIENCE,
    stop: Event | None = None,
) -> None:
    """Gets a file, going on where this or an earlier run broke off.

    An attempt counts as a failure unless more of the file is here than ever before.

    Args:
        web: The servers.
        file: Which, and where it goes.
        tell: Told how much of it is here.
        say: Told of each pause, and why.
        patience: How often the server is asked again.
        stop: Set by others where this is to end.

    Raises:
        DownloadError: It did not come, or not as published; what came is kept unless it is wrong.
    """
    stop, failures, furthest = stop or Event(), 0, _length(file.part)
    with _disk(file):
        file.target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                _attempt(web, file, tell, stop)
                break
            except _AgainError as again:
                trouble, asked = again.trouble, again.after
            here = _length(file.part)
            failures = 1 if here > furthest else failures + 1
            furthest = max(furthest, here)
            if trouble.kind == "nowhere" or failures >= patience.tries:
                raise trouble
            pause = patience.wait(failures, asked)
            if pause >= 1:
                say(f"{file.target.name}: {trouble}; asked again in {pause:.0f} s")
            if stop.wait(pause):
                raise _stopped(file)
        _finish(file)


class _AgainError(Exception):
    """An attempt that failed in a way that another may mend."""

    def __init__(self, trouble: DownloadError, after: float | None = None) -> None:
        super().__init__()
        self.trouble, self.after = trouble, after


def _attempt(web: Web, file: Download, tell: Tell, stop: Event) -> None:
    """Asks for what is missing; returns once the part is whole."""
    have = _length(file.part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and (mark := _mark(file)):
        headers["If-Range"] = mark
    try:
        answer = web.ask(file.url, headers)
    except DownloadError as trouble:
        raise _AgainError(trouble) from None
    try:
        _take(answer, file, have, tell, stop)
    finally:
        # Not released: what is left of it would be read by the next who asks.
        answer.close()


def _take(answer: BaseHTTPResponse, file: Download, have: int, tell: Tell, stop: Event) -> None:
    if answer.status == 416 and have and _range(answer)[1] == have:
        return
    have, size = _accepted(answer, file, have)
    # Unbuffered: what has come is on the way to the disk, whatever ends this process.
    with file.part.open("ab", buffering=0) as out:
        while block := _block(answer, _broken(file, have, size)):
            if stop.is_set():
                raise _stopped(file)
            if have == 0 and not file.page and is_page(None, block):
                raise _no_file(file)
            _all(out, block)
            have += len(block)
            tell(file.target.name, have, size)
    if size is not None and have < size:
        raise _AgainError(_broken(file, have, size))


def _accepted(answer: BaseHTTPResponse, file: Download, have: int) -> tuple[int, int | None]:
    """Where the content goes on in the part, and how long the whole is, where that is known."""
    if answer.status in BUSY:
        raise _AgainError(refusal(answer, file.url), _after(answer.headers.get("Retry-After")))
    if answer.status == 416 and have:
        begin_anew(file)
        raise _AgainError(refusal(answer, file.url), 0.0)
    if answer.status not in (200, 206):
        raise refusal(answer, file.url)
    if not file.page and is_page(answer.headers.get("Content-Type"), b""):
        raise _no_file(file)
    length, etag = _number(answer, "Content-Length"), _name_of(answer)
    if answer.status == 200:
        begin_anew(file)
        if etag:
            file.mark.write_text(etag, "utf-8")
        return 0, length
    begin, size = _range(answer)
    mark = _mark(file)
    if begin not in (None, have) or (mark and etag and etag != mark):
        # Of another place or another version than was asked for.
        begin_anew(file)
        raise _AgainError(_broken(file, have, size), 0.0)
    return have, size if size is not None or length is None else have + length


def _block(answer: BaseHTTPResponse, broken: DownloadError) -> bytes:
    """The next bytes as they come; none at the end."""
    import urllib3

    try:
        return answer.read1(BLOCK)
    except (urllib3.exceptions.HTTPError, OSError):
        raise _AgainError(broken) from None


def _all(out: RawIOBase, block: bytes) -> None:
    """Writes a block to its end: an unbuffered file may take less at once."""
    left = memoryview(block)
    while left:
        left = left[out.write(left) or 0 :]


def _finish(file: Download) -> None:
    """Checks the part, and gives it its name once it is on the disk."""
    if file.sum and sha256(file.part) != file.sum:
        begin_anew(file)
        raise DownloadError("damaged", "its SHA-256 is not the published one", url=shown(file.url))
    if file.check:
        try:
            file.check(file.part)
        except DownloadError:
            # What is of another kind will not become right by going on.
            begin_anew(file)
            raise
    # First the mark: killed in between, a whole part without one is found whole again.
    file.mark.unlink(missing_ok=True)
    settle(file.part, file.target)


def settle(part: Path, target: Path) -> None:
    """Gives a finished file its name; after a loss of power it is there whole or not at all."""
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _disk(file: Download) -> Iterator[None]:
    """Tells a full disk from other errors of the system."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DownloadError("full", error.strerror or "", url=str(file.target)) from None


def begin_anew(file: Download) -> int:
    """Throws away what has come of a file; 0, which is what is left."""
    file.part.unlink(missing_ok=True)
    file.mark.unlink(missing_ok=True)
    return 0


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mark(file: Download) -> str:
    try:
        return file.mark.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _name_of(answer: BaseHTTPResponse) -> str:
    """The ETag, where it names the very bytes; weak ones do not."""
    etag = answer.headers.get("ETag") or ""
    return etag if etag.startswith('"') and etag.isprintable() else ""


def _range(answer: BaseHTTPResponse) -> tuple[int | None, int | None]:
    """Where the content begins, and how long the whole is, where the server says so."""
    match = _RANGE.match(answer.headers.get("Content-Range") or "")
    if match is None:
        return None, None
    begin = int(match[1]) if match[1] else None
    return begin, None if match[2] == "*" else int(match[2])


def _number(answer: BaseHTTPResponse, header: str) -> int | None:
    said = answer.headers.get(header, "")
    return int(said) if said.isdecimal() else None


def _after(said: str | None) -> float | None:
    """Seconds that Retry-After asks for: a number, or a date."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    return None


def _broken(file: Download, have: int, size: int | None) -> DownloadError:
    of = f" of {size}" if size is not None else ""
    return DownloadError("broken", f"broken off at {have}{of} bytes", url=shown(file.url))


def _stopped(file: Download) -> DownloadError:
    return DownloadError("stopped", "stopped", url=shown(file.url))


def _no_file(file: Download) -> DownloadError:
    return DownloadError(
        "page", "a web page (a login or an index) in place of the file", url=shown(file.url)
    )
