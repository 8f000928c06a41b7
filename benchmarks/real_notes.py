"""Codes real notes with the rules and prints speed, coverage and plain micro figures.

    python benchmarks/real_notes.py [--data ../shared/data] [--show-missed N]

CodiEsp train and dev (English text, policy `mentions`) and ACI-Bench (policy `guidelines`,
outpatient). The classification is the packaged tabular with the index of `--data`. Gold and
predicted codes are compared as sets, as they stand (CodiEsp's gold is of 2018: no mapping of
code years is applied). Research use only.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

INDEX = "icd10cm/FY2025"
PEAKS: list[float] = []
"""MB that each run of `clh code` took at most."""


def codiesp(folder: Path, split: str) -> tuple[list[dict[str, str]], dict[str, set[str]]]:
    """Notes and gold codes of a CodiEsp split."""
    gold: dict[str, set[str]] = defaultdict(set)
    with (folder / split / f"{split}D.tsv").open() as lines:
        for name, code in csv.reader(lines, delimiter="\t"):
            gold[name].add(code.upper())
    texts = sorted((folder / split / "text_files_en").glob("*.txt"))
    return [{"note_id": p.stem, "text": p.read_text("utf-8")} for p in texts], gold


def aci(
    folder: Path, splits: tuple[str, ...] = ("train", "valid")
) -> tuple[list[dict[str, str]], dict[str, set[str]]]:
    """Notes and expert codes of ACI-Bench."""
    gold: dict[str, set[str]] = defaultdict(set)
    with (folder / "icd10cm_gold.csv").open() as lines:
        for row in csv.DictReader(lines):
            gold[row["encounter_id"]].add(row["code"])
    notes = []
    for split in splits:
        with (folder / f"{split}.csv").open(newline="") as lines:
            for row in csv.DictReader(lines):
                notes.append({"note_id": row["encounter_id"], "text": row["note"]})
    return notes, gold


def predict(notes: list[dict[str, str]], policy: str) -> tuple[dict[str, set[str]], float, int]:
    """Codes the notes in a process of its own: predictions, seconds, errors."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "notes.jsonl", Path(folder) / "codes.jsonl"
        source.write_text("".join(json.dumps(note) + "\n" for note in notes))
        clh = str(Path(sys.executable).with_name("clh"))
        command = [clh, "code", str(source), "-o", str(target), "--policy", policy]
        began = time.perf_counter()
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status):
            sys.exit("the run failed")
        PEAKS.append(usage.ru_maxrss / 1024)
        rows = [json.loads(line) for line in target.read_text().splitlines()]
    found = {row["encounter_id"]: {c["code"] for c in row["codes"]} for row in rows}
    return found, took, sum(len(row["errors"]) for row in rows)


def micro(pairs: list[tuple[set[str], set[str]]]) -> str:
    """Precision, recall and F1 over (predicted, gold) sets."""
    hits = sum(len(p & g) for p, g in pairs)
    said, there = sum(len(p) for p, _ in pairs), sum(len(g) for _, g in pairs)
    precision, recall = hits / max(1, said), hits / max(1, there)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return f"P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}"


def report(
    name: str, notes: list[dict[str, str]], gold: dict[str, set[str]], policy: str, missed: int
) -> None:
    """Prints one data set's figures."""
    found, took, errors = predict(notes, policy)
    assert len(found) == len(notes), "a note is missing"
    pairs = [(found[k], gold[k]) for k in sorted(gold) if k in found]
    three = [({c[:3] for c in p}, {c[:3] for c in g}) for p, g in pairs]
    codes = sum(map(len, found.values())) / len(found)
    empty = sum(not c for c in found.values()) / len(found)
    print(f"{name} · {len(notes)} notes, {len(pairs)} with gold · policy {policy} · rules")
    print(f"  full codes        micro {micro(pairs)}")
    print(f"  three characters  micro {micro(three)}")
    print(f"  {len(notes) / took:.0f} notes/s, start included · {codes:.1f} codes a note", end="")
    print(f" · {empty:.1%} without a code · {errors} errors")
    if missed:
        lost = Counter(c for p, g in pairs for c in g - p).most_common(missed)
        extra = Counter(c for p, g in pairs for c in p - g).most_common(missed)
        print("  missed", " ".join(f"{c}:{n}" for c, n in lost))
        print("  extra ", " ".join(f"{c}:{n}" for c, n in extra))


def main() -> None:
    """Prints every data set's figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", choices=("codiesp-train", "codiesp-dev", "aci"), action="append")
    parser.add_argument("--show-missed", type=int, default=0)
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="clh-bench-")
    os.environ["XDG_DATA_HOME"] = home
    clh = str(Path(sys.executable).with_name("clh"))
    fetch = [clh, "fetch", "icd10cm", "--from", str(options.data / INDEX)]
    subprocess.run(fetch, check=True, capture_output=True)
    subprocess.run([clh, "lookup", "I10"], check=True, stdout=subprocess.DEVNULL)
    only = options.only or ("codiesp-train", "codiesp-dev", "aci")
    for split in ("train", "dev"):
        if f"codiesp-{split}" in only:
            notes, gold = codiesp(options.data / "codiesp", split)
            report(f"CodiEsp {split}", notes, gold, "mentions", options.show_missed)
    if "aci" in only:
        for splits in (("train",), ("valid",), ("train", "valid")):
            notes, gold = aci(options.data / "aci-bench", splits)
            # Only what was made in sight of the codes may be looked at note by note.
            missed = options.show_missed if splits == ("train",) else 0
            report(f"ACI-Bench {'+'.join(splits)}", notes, gold, "guidelines", missed)
    print(f"peak memory of a run {max(PEAKS):.0f} MB")


if __name__ == "__main__":
    main()
