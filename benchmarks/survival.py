"""Kills runs at random moments and counts differences; rate by workers; memory by size.

    python benchmarks/survival.py [--kills 100] [--notes 20000] [--many 100000]

The notes are the demonstration's, cut short and numbered. A run over 750 of them is killed with
SIGKILL until it has been so `--kills` times (each output is begun anew once it is finished) and
then compared with an undisturbed one. 0 of `--notes` or `--many` leaves that part out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

CLH = str(Path(sys.executable).with_name("clh"))
DEMO = Path(__file__).parents[1] / "data/demo/demo.jsonl"


def notes(path: Path, count: int) -> Path:
    """A table of `count` short notes, all different."""
    texts = [
        note["text"][:700]
        for line in DEMO.read_text("utf-8").splitlines()
        for note in json.loads(line)["notes"]
    ]
    with path.open("w") as out:
        for number in range(count):
            row = {
                "note_id": f"n{number}",
                "text": f"{texts[number % len(texts)]}\nVisit {number}.",
            }
            out.write(json.dumps(row) + "\n")
    return path


def timed(*arguments: str) -> tuple[float, float]:
    """Wall seconds and peak MB of the process itself."""
    began = time.perf_counter()
    process = subprocess.Popen([CLH, *arguments], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, arguments
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def killed(folder: Path, wanted: int) -> None:
    """Kills a run again and again and compares what it ends with."""
    source = notes(folder / "n750.jsonl", 750)
    seconds, _ = timed("code", str(source), "-o", str(folder / "whole.jsonl"))
    whole = (folder / "whole.jsonl").read_bytes()
    target = folder / "out.jsonl"
    chance, kills, runs, different = random.Random(0), 0, 0, 0
    while kills < wanted:
        with subprocess.Popen(
            [CLH, "code", str(source), "-o", str(target)], stderr=subprocess.DEVNULL
        ) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0.05, 0.8) * seconds)
            kills += process.poll() is None
            process.kill()
        if target.exists() or kills == wanted:
            timed("code", str(source), "-o", str(target))
            runs += 1
            different += target.read_bytes() != whole
            target.unlink()
    print(f"{kills} kills over 750 notes, {runs} outputs in the end, {different} differ")


def main() -> None:
    """Prints the three parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="clh-survival-"))
    killed(folder, options.kills)
    if options.notes:
        source = str(notes(folder / "notes.jsonl", options.notes))
        one, _ = timed("code", source, "-o", str(folder / "one.parquet"))
        two, _ = timed("code", source, "-o", str(folder / "two.parquet"), "--workers", "2")
        print(
            f"{options.notes:,} notes: {options.notes / one:.0f}/s by one,"
            f" {options.notes / two:.0f}/s by two workers, ratio {one / two:.2f}"
        )
    if options.many:
        _, few = timed(
            "code", str(notes(folder / "a.jsonl", 1000)), "-o", str(folder / "a.parquet")
        )
        source = str(notes(folder / "b.jsonl", options.many))
        _, most = timed("code", source, "-o", str(folder / "b.parquet"))
        print(f"peak memory: {few:.0f} MB for 1,000 notes, {most:.0f} MB for {options.many:,}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
