"""Start-up and single-note speed, each beside its peer, whole processes in turn.

    python benchmarks/startup.py

Prints medians of several runs and the ratio pair by pair. Nothing is asserted: machines
differ, ratios travel.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7
NOTE = (
    "CHIEF COMPLAINT\nWrist pain after a fall.\n\nASSESSMENT AND PLAN\n"
    "1. Closed fracture of the lower end of the left radius.\n"
    "2. Type 2 diabetes mellitus with chronic kidney disease stage 3b, on insulin.\n"
    "3. Hypertension, controlled. No chest pain, denies dyspnea.\n"
    "The patient was seen with her daughter and asked to return if fever develops.\n"
)
OPEN = """
import resource, time
from clhcode.icd.sources import choose
from clhcode.icd.store import open_store
from clhcode.search.find import open_finder
sources = choose()
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
store, key = open_store(sources)
finder = open_finder(store, key)
store.node("E11.22"), finder.longest(("hypertension",))
took = time.perf_counter() - began
print(took * 1000, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MB of one whole process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def compare(name: str, ours: list[str], peer_name: str, peer: list[str]) -> None:
    """Runs both in turn and prints medians and the ratio pair by pair."""
    timed(ours), timed(peer)
    pairs = [(timed(ours), timed(peer)) for _ in range(RUNS)]
    us, them = (statistics.median(p[i][0] for p in pairs) for i in (0, 1))
    ratio = statistics.median(a[0] / b[0] for a, b in pairs)
    memory = statistics.median(a[1] for a, _ in pairs), statistics.median(b[1] for _, b in pairs)
    print(f"{name:<34} {us:7.3f} s {memory[0]:6.0f} MB")
    print(f"  beside {peer_name:<25} {them:7.3f} s {memory[1]:6.0f} MB   ratio {ratio:.2f}")


def main() -> None:
    """Prints every figure."""
    python, clh = sys.executable, str(Path(sys.executable).with_name("clh"))
    # What is measured is a run, not the building of the store.
    subprocess.run([clh, "lookup", "I10"], check=True, capture_output=True)
    compare("clh --help", [clh, "--help"], "import click", [python, "-c", "import click"])
    peer = "import simple_icd_10_cm"
    simple = [python, "-c", peer]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as note:
        note.write((NOTE * 12)[:4000])
        note.flush()
        compare("clh code, 4,000 characters", [clh, "code", note.name], peer, simple)
    compare("clh lookup I10", [clh, "lookup", "I10"], peer, simple)
    compare("clh edits E11.9 I10", [clh, "edits", "E11.9", "I10"], peer, simple)
    opened = [
        tuple(map(float, subprocess.check_output([python, "-c", OPEN], text=True).split()))
        for _ in range(RUNS)
    ]
    took, held = (statistics.median(o[i] for o in opened) for i in (0, 1))
    print(f"{'store and dictionary opened':<34} {took:7.2f} ms {held:5.1f} MB more")


if __name__ == "__main__":
    main()
