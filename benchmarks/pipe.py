"""Memory of a pipe of four stages with a model, beside one stage's; and what kill -9 leaves.

    python benchmarks/pipe.py --model M [--engine E] [--notes 12]

Memory is the proportional share (`Pss` of /proc/PID/smaps_rollup) of all processes together, so
that weights which several of them map are counted once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from clhcode.tasks import AGENTS

NOTE = "Assessment:\n1. asthma\n2. Essential hypertension\n3. gout, no fever\n"


def ours(mark):
    """Processes of a run: those with its mark in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def share(pids):
    """Proportional share of processes in MB."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def run(stages, model, engine, notes, env, mark):
    """The most memory that a pipe of stages took, in MB."""
    more = ["--model", model, *(["--engine", engine] if engine else []), "--no-cache"]
    command = [sys.executable, "-m", "clhcode"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "n.jsonl"
        rows = ({"note_id": f"n{n}", "text": f"{NOTE}Visit {n}."} for n in range(notes))
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        most, done = 0.0, threading.Event()

        def watch():
            nonlocal most
            while not done.wait(0.2):
                most = max(most, share(ours(mark)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        # One stage alone must see a pipe, too, to run as it does among others.
        last = subprocess.Popen(
            [*command, stages[0], str(source), *more, "--format", "arrow"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
        )  # fmt: skip
        pipe = [last]
        for stage in stages[1:]:
            last = subprocess.Popen(
                [*command, stage, "-", *more, "--format", "arrow"],
                stdin=last.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
            )  # fmt: skip
            pipe.append(last)
        for each in pipe[:-1]:
            each.stdout.close()
        size = len(last.stdout.read())
        codes = [each.wait() for each in pipe]
        done.set()
        watcher.join()
        assert size, codes
    return most


def killed(model, engine, env, mark):
    """Processes left some seconds after kill -9 of the only stage of a pipe."""
    more = ["--model", model, *(["--engine", engine] if engine else [])]
    child = subprocess.Popen(
        [sys.executable, "-m", "clhcode", "analyse", "-", *more, "--format", "arrow"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
    )  # fmt: skip
    child.stdin.write(b'{"note_id": "n", "text": "asthma"}\n')
    child.stdin.flush()
    time.sleep(5 if engine != "vllm" else 60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    until = time.monotonic() + 40
    while (left := ours(mark)) and time.monotonic() < until:
        time.sleep(0.5)
    return len(left)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--engine")
    parser.add_argument("--notes", type=int, default=12)
    args = parser.parse_args()
    mark = f"CLH_MARK={os.getpid()}"
    env = {**os.environ, "CLH_MARK": str(os.getpid())}
    model, engine = args.model, args.engine
    one = run(AGENTS[:1], model, engine, args.notes, env, mark.encode())
    four = run(AGENTS, model, engine, args.notes, env, mark.encode())
    print(f"one stage {one:,.0f} MB, four {four:,.0f} MB, ratio {four / one:.2f}")
    print(f"{killed(model, engine, env, mark.encode())} processes left after kill -9")


if __name__ == "__main__":
    main()
