"""Jobs side by side that end together: the first that fails, or Ctrl-C, stops the others."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, Thread

WIDTH = 4
"""Files under way at the same time: public servers do not like more."""

SECONDS = 2.0
"""That those under way are given to end in, once one has failed."""

Job = Callable[[], None]


def side_by_side(jobs: Iterable[Job], stop: Event, width: int = WIDTH) -> None:
    """Runs jobs, some at the same time.

    Args:
        jobs: Each looks at `stop` now and then.
        stop: Set where the others are to end.
        width: How many run at the same time.

    Raises:
        Exception: What the first job that failed has raised.
    """
    waiting, errors, lock = deque(jobs), [], threading.Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                if not waiting:
                    return
                job = waiting.popleft()
            try:
                job()
            except BaseException as error:
                errors.append(error)
                stop.set()

    # Daemons: one that waits for a silent server does not keep the process.
    threads = [Thread(target=work, daemon=True) for _ in range(min(width, len(waiting)))]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not stop.is_set():
            for thread in threads:
                thread.join(0.05)
        deadline = time.monotonic() + SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    finally:
        stop.set()
    if errors:
        raise errors[0]
