"""How far a download is, on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clhcode.download.file import Tell
from clhcode.download.sets import Order


@contextmanager
def bar(order: Order) -> Iterator[None]:
    """Shows what comes of an order: bytes, rate and time left, and the file that moved last."""
    with telling() as (tell, expect):
        order.tell, order.expect, say = tell, expect, order.say

        def aside(line: str) -> None:
            from tqdm import tqdm

            # Without it the line would stand in the middle of the bar.
            with tqdm.external_write_mode(file=sys.stderr):
                say(line)

        order.say = aside if sys.stderr.isatty() else say
        yield


@contextmanager
def telling() -> Iterator[tuple[Tell, Any]]:
    """Who is told of each file's bytes, and of how many there are to come in all."""
    if not sys.stderr.isatty():
        yield (lambda *_: None), (lambda _: None)
        return
    from tqdm import tqdm

    have: dict[str, int] = {}
    sizes: dict[str, int | None] = {}
    lock, known = threading.Lock(), [False]
    with tqdm(unit="B", unit_scale=True, leave=False, file=sys.stderr) as shown:

        def tell(name: str, done: int, size: int | None) -> None:
            with lock:
                if name not in have:
                    # What an earlier run has brought says nothing of this one's rate.
                    shown.initial += done
                have[name], sizes[name] = done, size
                shown.set_description(name.rpartition("/")[2], refresh=False)
                if not known[0]:
                    total = [each for each in sizes.values() if each is not None]
                    shown.total = sum(total) if len(total) == len(sizes) else None
                shown.update(sum(have.values()) - shown.n)

        def expect(size: int) -> None:
            with lock:
                known[0], shown.total = True, size
                shown.refresh()

        yield tell, expect
