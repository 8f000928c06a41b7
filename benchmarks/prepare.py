"""Time and memory of `clh prepare` on files of MIMIC's shape and size, beside an eager read.

    python benchmarks/prepare.py [--rows 100000 --rows 200000] [--set mimic-iii] [--folder DIR]

`--rows` is the length of NOTEEVENTS (2,083,180 in MIMIC-III 1.4); everything else is as large in
proportion as it is there, MIMIC-IV and its notes included (331,794 discharge summaries at that
length). Notes have 10,000 characters where they are discharge summaries, else 1,500. The peer reads
the same files whole with Polars, joins and sorts them, and writes Parquet: the least that could be
done. It is left out above `--peer-up-to` rows, since all of it is in memory at once.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from pyarrow import feather

ROWS = 2_083_180
SUMMARIES = 59_652
DIAGNOSES, PROCEDURES, STAYS = 651_047, 240_095, 58_976
IV_NOTES, IV_DIAGNOSES, IV_PROCEDURES, IV_STAYS = 331_794, 6_364_488, 859_655, 546_028
NAMES = {
    "mimic-iii": ("NOTEEVENTS", "DIAGNOSES_ICD", "PROCEDURES_ICD"),
    "mimic-iv": ("discharge", "diagnoses_icd", "procedures_icd"),
}
PEER = """
import sys
import polars as pl
notes, diagnoses, procedures, out, stay, code, category = sys.argv[1:]
kinds = {"infer_schema": False}
texts = pl.read_csv(notes, **kinds)
if category:
    texts = texts.filter(pl.col("CATEGORY") == category)
codes = pl.concat([pl.read_csv(p, **kinds).select(stay, code) for p in (diagnoses, procedures)])
codes = codes.unique(maintain_order=True).group_by(stay, maintain_order=True).agg(code)
texts.join(codes, on=stay).sort(stay).write_parquet(out)
"""


def words(size: int) -> str:
    """Text of lines, quotes and commas."""
    chance = random.Random(1)
    some = 'patient admitted with chest pain, given aspirin; "stable" on discharge\n mg 5 b.i.d.\n'
    return " ".join(chance.choices(some.split(" "), k=size))


class Maker:
    """Writes files with notes cut out of one long text."""

    def __init__(self) -> None:
        self.base = words(400_000).replace('"', '""')
        self.chance = random.Random(2)

    def note(self, size: int) -> str:
        begin = self.chance.randrange(len(self.base) - size)
        # A cut may part a doubled quote; a blank in its place keeps the file whole.
        cut = self.base[begin : begin + size]
        return cut.replace('""', "\0").replace('"', " ").replace("\0", '""')

    def lines(self, path: Path, header: str, lines) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", compresslevel=1, newline="") as out:
            out.write(header + "\n")
            out.writelines(lines)
        return path


def mimic_iii(folder: Path, rows: int) -> None:
    """The files of MIMIC-III, summaries spread over the stays and first as in the real file."""
    maker = Maker()
    part = rows / ROWS
    stays, summaries = max(1, int(STAYS * part)), int(SUMMARIES * part)

    def notes():
        for row in range(rows):
            stay = 100_000 + maker.chance.randrange(stays) if row >= stays else 100_000 + row
            if row < summaries:
                kind = "Report" if row < stays else "Addendum"
                about, size = f'"Discharge summary","{kind}"', 10_000
            else:
                about, size = '"Nursing/other","Report"', 1_500
            text = maker.note(size)
            yield f'{row},{stay % 46_520},{stay},2150-01-01,,,{about},,,"{text}"\n'

    header = "ROW_ID SUBJECT_ID HADM_ID CHARTDATE CHARTTIME STORETIME CATEGORY DESCRIPTION CGID"
    quoted = ",".join(f'"{name}"' for name in [*header.split(), "ISERROR", "TEXT"])
    maker.lines(folder / "NOTEEVENTS.csv.gz", quoted, notes())
    for name, count, stem in (
        ("DIAGNOSES_ICD", DIAGNOSES, 4000),
        ("PROCEDURES_ICD", PROCEDURES, 3000),
    ):
        maker.lines(
            folder / f"{name}.csv.gz",
            '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"',
            (
                f"{n},1,{100_000 + n % stays},{n // stays + 1},"
                f'"{stem + maker.chance.randrange(6_000)}"\n'
                for n in range(int(count * part))
            ),
        )
    maker.lines(
        folder / "ADMISSIONS.csv.gz",
        '"ROW_ID","SUBJECT_ID","HADM_ID","ADMITTIME"',
        (f"{n},{(100_000 + n) % 46_520},{100_000 + n},2150-01-01 10:00:00\n" for n in range(stays)),
    )
    maker.lines(
        folder / "PATIENTS.csv.gz",
        '"ROW_ID","SUBJECT_ID","GENDER","DOB"',
        (f'{n},{n},"F",2080-01-01 00:00:00\n' for n in range(46_520)),
    )
    splits(folder / "splits/mimiciii_full_splits.feather", 100_000, stays)


def mimic_iv(folder: Path, rows: int) -> None:
    """The files of MIMIC-IV and its notes."""
    maker = Maker()
    part = rows / ROWS
    stays, notes = max(1, int(IV_STAYS * part)), int(IV_NOTES * part)
    maker.lines(
        folder / "note/discharge.csv.gz",
        "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text",
        (
            f"{n % 180_000}-DS-{n},{n % 180_000},{20_000_000 + (n * 7919) % stays},DS,{n},"
            f'2150-01-01 00:00:00,2150-01-02 00:00:00,"{maker.note(10_000)}"\n'
            for n in range(notes)
        ),
    )
    header = "subject_id,hadm_id,seq_num,icd_code,icd_version"
    maker.lines(
        folder / "hosp/diagnoses_icd.csv.gz",
        header,
        (
            f"1,{20_000_000 + n % stays},{n // stays + 1},"
            f"I{maker.chance.randrange(10, 9_999):<6},10\n"
            for n in range(int(IV_DIAGNOSES * part))
        ),
    )
    maker.lines(
        folder / "hosp/procedures_icd.csv.gz",
        header.replace("icd_code", "chartdate,icd_code"),
        (
            f"1,{20_000_000 + n % stays},{n // stays + 1},2150-01-01,{n % 10:07},10\n"
            for n in range(int(IV_PROCEDURES * part))
        ),
    )
    maker.lines(
        folder / "hosp/admissions.csv.gz",
        "subject_id,hadm_id,admittime",
        (f"{n % 180_000},{20_000_000 + n},2150-01-01 10:00:00\n" for n in range(stays)),
    )
    maker.lines(
        folder / "hosp/patients.csv.gz",
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
        (f"{n},M,60,2148,2014 - 2016,\n" for n in range(180_000)),
    )
    splits(folder / "splits/mimiciv_icd10_split.feather", 20_000_000, stays)


def splits(path: Path, first: int, stays: int) -> None:
    """Every stay in one of the three splits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [("train", "train", "val", "test")[n % 4] for n in range(stays)]
    feather.write_feather(
        pa.table({"_id": pa.array(range(first, first + stays), pa.int64()), "split": names}), path
    )


def measured(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MB of one whole process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(process.stderr.read().decode())
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def run(name: str, rows: int, folder: Path, *, peer: bool) -> None:
    """Makes the files, prepares them, and prints what it took."""
    raw = folder / f"{name}-{rows}"
    if not raw.exists():
        began = time.perf_counter()
        {"mimic-iii": mimic_iii, "mimic-iv": mimic_iv}[name](raw, rows)
        size = sum(path.stat().st_size for path in raw.rglob("*.gz")) >> 20
        print(f"{name}: files made in {time.perf_counter() - began:.0f} s, {size:,} MB in gzip")
    out = folder / f"{name}-{rows}.parquet"
    command = [sys.executable, "-m", "clhcode", "prepare", name, "--from", str(raw)]
    command += ["--splits", str(raw / "splits"), "-o", str(out)]
    command += ["--mimic-iv-note", str(raw)] if name == "mimic-iv" else []
    seconds, peak = measured(command)
    size = out.stat().st_size >> 20
    print(
        f"{name:<10} {rows:>9,} rows  clh prepare    {seconds:7.1f} s {peak:7,.0f} MB"
        f"  table {size:,} MB",
        flush=True,
    )
    out.unlink()
    if peer:
        notes, *codes = (str(next(raw.rglob(f"{n}.csv.gz"))) for n in NAMES[name])
        third = name == "mimic-iii"
        asked = (
            ("HADM_ID", "ICD9_CODE", "Discharge summary") if third else ("hadm_id", "icd_code", "")
        )
        seconds, peak = measured([sys.executable, "-c", PEER, notes, *codes, str(out), *asked])
        print(f"{name:<10} {rows:>9,} rows  eager Polars   {seconds:7.1f} s {peak:7,.0f} MB")
        out.unlink()


def main() -> None:
    """Prints a line a size, and one for the peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--set", dest="sets", choices=list(NAMES), action="append")
    parser.add_argument("--peer-up-to", type=int, default=600_000)
    parser.add_argument("--folder", type=Path, help="where the files are made, and kept")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="clh-prepare-"))
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.sets or NAMES:
        for rows in options.rows or (100_000, 200_000):
            run(name, rows, folder, peer=rows <= options.peer_up_to)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
