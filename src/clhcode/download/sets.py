"""A data set from its source, a mirror, a folder or a zip into its raw folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from clhcode.download import sums as sums_
from clhcode.download.file import Download, Patience, Tell, begin_anew, get
from clhcode.download.local import (
    check_room,
    check_zip,
    copied,
    listed,
    members,
    opened,
    same,
)
from clhcode.download.pick import Found, find, placed
from clhcode.download.record import Record, alone, read_record, write_record
from clhcode.download.side import side_by_side
from clhcode.download.sources import Source
from clhcode.download.sums import read_sums, sha256
from clhcode.download.trouble import DownloadError, below, shown
from clhcode.download.web import Web
from clhcode.errors import UserError

ARCHIVE = ".archive.zip"
_SMALL = (".json", ".txt", ".html", ".md", ".pdf")
"""Files too small to ask for their size first: a set may have hundreds of them."""
MARGIN = 1 << 20
"""Bytes that must be left, for the record and the file system's own."""


@dataclass(slots=True)
class Order:
    """What is to be got.

    Attributes:
        source: The data set.
        release: One of its releases.
        folder: Where it goes.
        root: The address of its top, of a zip, or a path of either.
        everything: Whether all of the set is wanted, or what coding needs.
        say: Told what a person should know.
        tell: Told of each file how much of it is here.
        expect: Told how many bytes are to come, where that is known.
        patience: With the server.
    """

    source: Source
    release: str
    folder: Path
    root: str | Path
    everything: bool = False
    say: Callable[[str], None] = lambda _: None
    tell: Tell = lambda *_: None
    expect: Callable[[int], None] = lambda _: None
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is there in the end.

    Attributes:
        paths: The wanted files.
        fresh: How many of them came just now.
        size: Bytes of all of them.
    """

    paths: tuple[str, ...]
    fresh: int
    size: int


def is_whole(order: Order) -> bool:
    """Whether nothing needs to be asked: all is there as it was found right.

    Raises:
        UserError: The folder holds another release.
    """
    return _record(order).whole(order.folder, all_=order.everything)


def fetch_set(order: Order, web: Web | None) -> Outcome:
    """Brings the wanted files into the folder.

    Args:
        order: What is wanted.
        web: The servers; not needed where `root` is a path.

    Raises:
        DownloadError: A file did not come.
        UserError: The set lacks a file, the disk lacks room, the folder holds another release.
    """
    with alone(order.folder):
        record = _record(order)
        if record.whole(order.folder, all_=order.everything) and _is_default(order):
            return _outcome(order, record, 0)
        if isinstance(order.root, Path):
            fresh = _from_path(order, record, order.root)
        elif web is None:
            raise ValueError("an address needs a web")
        elif is_zip(order):
            fresh = _from_zip_address(order, record, web, order.root)
        else:
            fresh = _from_tree(order, record, web, order.root)
        return _outcome(order, record, fresh)


def is_zip(order: Order) -> bool:
    """Whether the set is to come out of a zip."""
    if isinstance(order.root, Path):
        return order.root.is_file()
    default = order.root == order.source.at(order.release)[0]
    return order.source.zipped if default else urlsplit(order.root).path.lower().endswith(".zip")


def _is_default(order: Order) -> bool:
    """A folder that the user names is always looked at: that is what verifies."""
    return not isinstance(order.root, Path)


def _record(order: Order) -> Record:
    record = read_record(order.folder)
    if record.files and record.release != order.release:
        raise UserError(
            f"{order.folder}: holds {order.source.title} {record.release};"
            f" move it away to fetch {order.release}"
        )
    root = order.root if isinstance(order.root, Path) else shown(order.root)
    record.release, record.source = order.release, str(root)
    return record


def _outcome(order: Order, record: Record, fresh: int) -> Outcome:
    size = sum(record.files[path].size for path in record.wanted)
    return Outcome(tuple(record.wanted), fresh, size)


def _from_tree(order: Order, record: Record, web: Web, root: str) -> int:
    """What SHA256SUMS.txt lists, several files at once."""
    known = _sums(order, record, web, root)
    found = find(known, order.source, whole=order.everything)
    _complete(order, found.lacking, f"listed in {below(root, sums_.NAME)}")
    todo = _todo(order, record, {path: known[path] for path in found.paths})
    record.wanted, record.all = list(found.paths), order.everything
    stop, lock = Event(), threading.Lock()
    _ask_room(order, web, root, todo)

    def one(path: str) -> None:
        file = Download(
            below(root, path),
            order.folder / path,
            sum=known[path],
            page=path.lower().endswith((".html", ".htm")),
        )
        tell = partial(_named, order.tell, path)
        try:
            get(web, file, tell=tell, say=order.say, patience=order.patience, stop=stop)
        except DownloadError as trouble:
            if trouble.kind == "damaged":
                # The list may be what is wrong: the next run asks for it anew.
                with lock:
                    record.files.pop(sums_.NAME, None)
                    write_record(order.folder, record)
            raise
        with lock:
            record.add(order.folder, path, known[path])
            write_record(order.folder, record)

    side_by_side([partial(one, path) for path in todo], stop)
    write_record(order.folder, record)
    return len(todo)


def _named(tell: Tell, path: str, _name: str, have: int, size: int | None) -> None:
    tell(path, have, size)


def _sums(order: Order, record: Record, web: Web, root: str) -> dict[str, str]:
    """The published sums: those that came with the release, or else asked for."""
    target = order.folder / sums_.NAME
    address = below(root, sums_.NAME)
    if not record.has(order.folder, sums_.NAME):
        # Small, and of no known sum: never gone on with.
        file = Download(address, target)
        file.part.unlink(missing_ok=True)
        get(web, file, say=order.say, patience=order.patience)
    try:
        known = read_sums(target.read_bytes(), address)
    except DownloadError:
        target.unlink(missing_ok=True)
        raise
    record.add(order.folder, sums_.NAME, sha256(target))
    write_record(order.folder, record)
    return known


def _todo(order: Order, record: Record, known: dict[str, str]) -> list[str]:
    """Files that are not there as published; what the user brought is read once."""
    todo = []
    for path, sum_ in known.items():
        if record.has(order.folder, path, sum_):
            continue
        target = order.folder / path
        if target.is_file():
            if sha256(target) == sum_:
                begin_anew(Download("", target))
                record.add(order.folder, path, sum_)
                continue
            order.say(f"{target}: not the published file, fetched anew")
        todo.append(path)
    return todo


def _ask_room(order: Order, web: Web, root: str, todo: Collection[str]) -> None:
    """Asks for the sizes, and whether the disk has room for what is still to come."""
    sizes: dict[str, int] = {}

    def ask(path: str) -> None:
        if (size := _size(web, below(root, path))) is not None:
            sizes[path] = size

    large = [path for path in todo if not path.lower().endswith(_SMALL)]
    side_by_side([partial(ask, path) for path in large], Event())
    have = 0
    for path, size in sizes.items():
        part = Download("", order.folder / path).part
        have += min(part.stat().st_size if part.exists() else 0, size)
    if sizes:
        check_room(order.folder, sum(sizes.values()) - have + MARGIN)
    if len(sizes) == len(todo):
        order.expect(sum(sizes.values()))


def _size(web: Web, address: str) -> int | None:
    """How long a file is, where the server says so without sending it."""
    try:
        answer = web.ask(address, method="HEAD")
    except DownloadError:
        return None
    # Nothing follows; the connection serves the next who asks.
    answer.release_conn()
    said = answer.headers.get("Content-Length", "")
    return int(said) if answer.status == 200 and said.isdecimal() else None


def _from_zip_address(order: Order, record: Record, web: Web, address: str) -> int:
    archive = order.folder / ARCHIVE
    if not archive.exists():
        file = Download(address, archive, check=check_zip)
        if (size := _size(web, address)) is not None:
            have = file.part.stat().st_size if file.part.exists() else 0
            check_room(order.folder, max(size - have, 0) + MARGIN)
            order.expect(size)
        tell = partial(_named, order.tell, f"{order.source.name}.zip")
        get(web, file, tell=tell, say=order.say, patience=order.patience)
    fresh = _unpack(order, record, archive, shown(address))
    archive.unlink()
    return fresh


def _unpack(order: Order, record: Record, path: Path, where: str) -> int:
    with opened(path) as archive:
        inside = members(archive)
        found = find(inside, order.source, whole=order.everything)
        if found.lacking and path.name == ARCHIVE:
            # It is another zip than was meant, and must not serve the next run.
            path.unlink()
        _complete(order, found.lacking, f"in {where}")
        places, listing = placed(found, order.source), inside.get(f"{found.top}{sums_.NAME}")
        known = read_sums(archive.read(listing), where) if listing else {}
        check_room(order.folder, sum(inside[p].file_size for p in places) + MARGIN)
        for member, place in places.items():
            sum_, told = known.get(member.removeprefix(found.top)), f"{where}: {member}"
            with archive.open(inside[member]) as stream:
                record.add(order.folder, place, copied(stream, order.folder / place, sum_, told))
    return _keep(order, record, places)


def _keep(order: Order, record: Record, places: dict[str, str]) -> int:
    record.wanted, record.all = sorted(places.values()), order.everything
    # What the record calls whole is to be so after a loss of power, too.
    os.sync()
    write_record(order.folder, record)
    return len(places)


def _from_path(order: Order, record: Record, path: Path) -> int:
    if path.is_file():
        return _unpack(order, record, path, str(path))
    if not path.is_dir():
        raise UserError(f"{path}: not there (--from takes an address, a folder or a zip)")
    there = listed(path)
    found = find(there, order.source, whole=order.everything)
    known = _sums_at(path / found.top)
    if known:
        _all_there(order, found, known, path)
    _complete(order, found.lacking, f"in {path}")
    places = placed(found, order.source)
    todo = {p: q for p, q in places.items() if not same(path / p, order.folder / q)}
    check_room(order.folder, sum((path / p).stat().st_size for p in todo) + MARGIN)
    unknown = 0
    for at, place in places.items():
        sum_ = known.get(at.removeprefix(found.top))
        unknown += sum_ is None and place != sums_.NAME
        if at in todo:
            with (path / at).open("rb") as stream:
                sum_ = copied(stream, order.folder / place, sum_, str(path / at))
        elif (here := sha256(path / at)) != (sum_ or here):
            raise DownloadError(
                "damaged", "its SHA-256 is not the published one", url=str(path / at)
            )
        else:
            sum_ = here
        record.add(order.folder, place, sum_)
    if order.source.credentialed and unknown:
        order.say(f"{unknown:,} of {len(places):,} files taken as they are: no sum of theirs known")
    _keep(order, record, places)
    return len(todo)


def _sums_at(folder: Path) -> dict[str, str]:
    path = folder / sums_.NAME
    return read_sums(path.read_bytes(), str(path)) if path.is_file() else {}


def _all_there(order: Order, found: Found, known: dict[str, str], path: Path) -> None:
    """Refuses a copy that lacks files which its own SHA256SUMS.txt lists."""
    here = {p.removeprefix(found.top) for p in found.paths}
    wanted = find(known, order.source, whole=order.everything).paths
    _complete(
        order,
        [p for p in wanted if not {p, p.removesuffix(".gz")} & here],
        f"in {path / found.top}",
    )


def _complete(order: Order, lacking: Collection[str], where: str) -> None:
    if lacking:
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        first = min(lacking).removeprefix("**/")
        page = order.source.at(order.release)[1]
        raise UserError(f"{order.source.name}: no {first}{more} {where}; the set is at {page}")
