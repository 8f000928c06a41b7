"""The files of PhysioNet made on the spot: the official shapes, texts whose words are known.

What must come out is said first (`Stay`), the files are written from it. Texts hold what a reader
may trip over: quotes, commas, line ends of all kinds, characters of one to four bytes.
"""

import gzip
import json
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
from pyarrow import feather

NOTEEVENTS = (
    "ROW_ID SUBJECT_ID HADM_ID CHARTDATE CHARTTIME STORETIME CATEGORY DESCRIPTION CGID ISERROR TEXT"
).split()
FILLER = 'Pt "stable", on 5 mg;\r\nno fever\n39\u00b0 \u00e9\u4e2d\U0001d4d0 \t| \\" ,\n\n'
BAD = "\udcff"
"""A byte that is not UTF-8, as `surrogateescape` writes it."""

# What the files write, and what the books print.
DIAGNOSES_9 = {
    "4019": "401.9",
    "25000": "250.00",
    "486": "486",
    "0389": "038.9",
    "V5861": "V58.61",
    "V290": "V29.0",
    "E8889": "E888.9",
    "E9342": "E934.2",
}
PROCEDURES_9 = {"3893": "38.93", "9604": "96.04", "0066": "00.66", "966": "96.6"}
DIAGNOSES_10 = {"I10": "I10", "E1122": "E11.22", "N183": "N18.3", "S72001A": "S72.001A"}
PROCEDURES_10 = {"02703ZZ": "02703ZZ", "5A1D70Z": "5A1D70Z"}


@dataclass(frozen=True)
class Style:
    """How files are written: all of it leaves the table as it is."""

    zipped: bool = True
    tree: bool = True
    upper: bool | None = None
    shuffled: bool = False
    line_end: str = "\n"


@dataclass(frozen=True)
class Stay:
    """A stay as it must stand in the table. Notes: (id, date, addendum, text), in order."""

    number: int
    subject: int
    notes: list
    diagnoses: list = field(default_factory=list)
    procedures: list = field(default_factory=list)
    sex: str | None = "female"
    born: str = "2080-06-15 00:00:00"
    came: str = "2150-06-14 10:30:00"
    age: int | None = 69
    split: str | None = "train"


def text_of(name: object, length: int = 300) -> str:
    """Filler that begins and ends with words that stand nowhere else."""
    return f"begin{name}\n{(FILLER * (length // len(FILLER) + 1))[:length]} end{name}"


def csv_file(path: Path, columns, rows, style: Style, *, quoted: bool) -> None:
    """Writes rows of str, int and None: text in quotes (MIMIC-III), or where needed (MIMIC-IV)."""
    columns, rows = list(columns), [list(row) for row in rows]
    if style.shuffled:
        order = list(range(len(columns)))
        random.Random(7).shuffle(order)
        columns = ["EXTRA" if quoted else "extra", *(columns[i] for i in order)]
        rows = [["x,\n1", *(row[i] for i in order)] for row in rows]

    def shown(value):
        if value is None:
            return ""
        if isinstance(value, int):
            return str(value)
        needs = quoted or any(char in value for char in ',"\r\n')
        return '"' + value.replace('"', '""') + '"' if needs else value

    lines = [",".join(map(shown, row)) for row in (columns, *rows)]
    data = "".join(line + style.line_end for line in lines).encode("utf-8", "surrogateescape")
    name = path.name
    if style.upper is not None:
        name = name.upper() if style.upper else name.lower()
    path = path.with_name(f"{name}.csv{'.gz' if style.zipped else ''}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 1) if style.zipped else data)


def mimic_iii(folder: Path, stays, style: Style = Style(), more=(), codes=()) -> Path:
    """MIMIC-III with these stays. `more`: further rows of NOTEEVENTS, `codes`: of DIAGNOSES_ICD."""
    inner = folder / "physionet.org/files/mimiciii/1.4" if style.tree else folder
    notes = list(more)
    for stay in stays:
        for row, date, addendum, text in reversed(stay.notes):
            about = ("Discharge summary", "Addendum" if addendum else "Report", None, None)
            notes.append([row, stay.subject, stay.number, date, None, None, *about, text])
        where = (stay.subject, stay.number, "2150-01-01", None, None)
        other = ("Nursing/other", "Report", None, None, text_of(f"nurse{stay.number}"))
        notes.append([10_000_000 + stay.number, *where, *other])
    csv_file(inner / "NOTEEVENTS", NOTEEVENTS, notes, style, quoted=True)
    for name, which in (("DIAGNOSES_ICD", "diagnoses"), ("PROCEDURES_ICD", "procedures")):
        rows = [
            [1, s.subject, s.number, place, plain]
            for s in stays
            for place, plain in reversed(list(enumerate(getattr(s, which), 1)))
        ]
        rows += codes if which == "diagnoses" else ()
        columns = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "SEQ_NUM", "ICD9_CODE")
        csv_file(inner / name, columns, rows, style, quoted=True)
    people = {s.subject: [1, s.subject, _letter(s.sex), s.born, None, 0] for s in stays}
    columns = ("ROW_ID", "SUBJECT_ID", "GENDER", "DOB", "DOD", "EXPIRE_FLAG")
    csv_file(inner / "PATIENTS", columns, people.values(), style, quoted=True)
    columns = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ADMITTIME", "DIAGNOSIS")
    came = [[1, s.subject, s.number, s.came, 'PAIN, "CHEST"'] for s in stays]
    csv_file(inner / "ADMISSIONS", columns, came, style, quoted=True)
    return folder


def mimic_iv(
    folder: Path, notes: Path, stays, version: int, style: Style = Style(), codes=()
) -> None:
    """MIMIC-IV and MIMIC-IV-Note with these stays; `born` is (anchor_age, anchor_year)."""
    hosp = folder / "hosp" if style.tree else folder
    for name, which in (("diagnoses_icd", "diagnoses"), ("procedures_icd", "procedures")):
        procedures = which == "procedures"
        rows = [
            [
                *(s.subject, s.number, place),
                *(["2150-01-01"] if procedures else []),
                f"{plain:<7}",
                version,
            ]
            for s in stays
            for place, plain in reversed(list(enumerate(getattr(s, which), 1)))
        ]
        rows += () if procedures else codes
        columns = ["subject_id", "hadm_id", "seq_num"]
        columns += ["chartdate"] * procedures + ["icd_code", "icd_version"]
        csv_file(hosp / name, columns, rows, style, quoted=False)
    people = {s.subject: [s.subject, _letter(s.sex), *s.born, "2011 - 2013", None] for s in stays}
    columns = ("subject_id", "gender", "anchor_age", "anchor_year", "anchor_year_group", "dod")
    csv_file(hosp / "patients", columns, people.values(), style, quoted=False)
    came = [[s.subject, s.number, s.came, "EW EMER."] for s in stays]
    columns = ("subject_id", "hadm_id", "admittime", "admission_type")
    csv_file(hosp / "admissions", columns, came, style, quoted=False)
    rows = [
        [name, s.subject, s.number, "AD" if addendum else "DS", seq, date, date, text]
        for s in stays
        for seq, (name, date, addendum, text) in reversed(list(enumerate(s.notes, 1)))
    ]
    columns = "note_id subject_id hadm_id note_type note_seq charttime storetime text".split()
    place = notes / "note" if style.tree else notes
    csv_file(place / "discharge", columns, rows, style, quoted=False)


def splits(folder: Path, name: str, stays) -> Path:
    """A file of splits with the stays that have one."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [s for s in stays if s.split]
    columns = {"_id": pa.array([s.number for s in named], pa.int64())}
    columns["split"] = pa.array([s.split for s in named], pa.string())
    feather.write_feather(pa.table(columns), folder / name)
    return folder


def many(count: int, codes=(DIAGNOSES_9, PROCEDURES_9), **more) -> list[Stay]:
    """Stays by number, every fifth with an addendum, every seventh without procedures."""
    chance = random.Random(count)
    found = []
    for n in range(count):
        number = 100_001 + n * 3
        notes = [(2 * n + 1, "2150-06-20", False, text_of(2 * n + 1, 60 + 90 * (n % 5)))]
        if n % 5 == 0:
            notes.append((2 * n + 2, "2150-06-21", True, text_of(2 * n + 2, 80)))
        diagnoses = chance.sample(sorted(codes[0]), 1 + n % 4)
        procedures = chance.sample(sorted(codes[1]), n % 3) if n % 7 else []
        split = ("train", "train", "val", "test")[n % 4]
        stay = Stay(number, n // 2 + 1, notes, diagnoses, procedures, split=split)
        found.append(replace(stay, **more))
    return found


def table_of(stays, dataset: str, systems=("icd9cm", "icd9pcs"), printed=None) -> list[dict]:
    """The rows that must come of stays."""
    known = printed or {**DIAGNOSES_9, **PROCEDURES_9}
    rows = []
    for stay in sorted(stays, key=lambda s: s.number):
        codes = [(systems[0], known[c]) for c in dict.fromkeys(stay.diagnoses)]
        codes += [(systems[1], known[c]) for c in dict.fromkeys(stay.procedures)]
        rows.append(
            {
                "encounter_id": str(stay.number),
                "dataset": dataset,
                "split": stay.split,
                "subject_id": str(stay.subject),
                "sex": stay.sex,
                "age": stay.age,
                "setting": "inpatient",
                "notes": [
                    {
                        "note_id": str(name),
                        "category": "Discharge summary" + ", addendum" * addendum,
                        "text": text,
                    }
                    for name, _, addendum, text in stay.notes
                ],
                "gold": [{"code": c, "system": s, "evidence": []} for s, c in codes],
            }
        )
    return rows


def marked(name: object, words) -> tuple[str, list[tuple[int, int]]]:
    """A text with these words, filler between them, and where each stands."""
    text, places = text_of(name, 50), []
    for word in words:
        text += FILLER
        places.append((len(text), len(text) + len(word)))
        text += word
    return text + FILLER, places


def meddec(folder: Path, notes) -> None:
    """MedDEC with (name, split, annotations: (begin, end, category)) of each note."""
    (folder / "data").mkdir(parents=True)
    lists = {"train": [], "val": [], "test": []}
    for name, split, annotations in notes:
        lists[split].append(name)
        found = [
            {
                "annotation_id": f"a{n}",
                "start_offset": str(begin) if n % 2 else begin,
                "end_offset": str(end) if n % 2 else end,
                "category": category,
                "decision": "raw\ttab",
            }
            for n, (begin, end, category) in enumerate(annotations)
        ]
        whole = {"discharge_summary_id": name, "annotations": found}
        # The published files hold raw control characters.
        shown = json.dumps(whole).replace("\\t", "\t")
        (folder / f"data/{name}.json").write_text(shown)
    for split in ("train", "val"):
        (folder / f"{split}.txt").write_text("".join(f"{n}\n" for n in lists[split]))


def _letter(sex: str | None) -> str | None:
    return {"female": "F", "male": "M", None: None}[sex]
