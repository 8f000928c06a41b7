"""A NOTEEVENTS file made for MDACE's annotations: at every span a word that stands nowhere else."""

import csv
import gzip
import json
from pathlib import Path

COLUMNS = (
    "ROW_ID SUBJECT_ID HADM_ID CHARTDATE CHARTTIME STOREDATE CATEGORY DESCRIPTION CGID ISERROR TEXT"
).split()
FILLER = 'pain, "worse"\r\nat night;\n39\u00b0 \u00e9\u4e2d\U0001d4d0 \t|'


def spans_by_note(mdace: Path) -> dict[int, dict]:
    """note_id -> hadm_id, category and every span annotated in it."""
    found: dict[int, dict] = {}
    for path in sorted(mdace.glob("data/*/*/*/*.json")):
        chart = json.loads(path.read_text())
        for note in chart["notes"]:
            about = found.setdefault(
                note["note_id"],
                {"hadm": chart["hadm_id"], "category": note["category"], "spans": set()},
            )
            about["spans"] |= {(a["begin"], a["end"]) for a in note["annotations"]}
    return found


def text_of(note_id: int, spans: set[tuple[int, int]]) -> str:
    """Filler, and at each place of a span a character that place and note alone decide."""
    length = max((end for _, end in spans), default=40) + 7
    chars = list((FILLER * (length // len(FILLER) + 1))[:length])
    # Spans overlap, so each place has its own mark and not each span its own word.
    for begin, end in spans:
        for at in range(begin, end):
            chars[at] = chr(0x4E00 + (note_id * 31 + at * 7919) % 20_000)
    return "".join(chars)


def write(mdace: Path, folder: Path, text=text_of, zipped: bool = False) -> dict[int, str]:
    """Writes the file, unannotated notes in between, and returns the texts by note."""
    texts = {n: text(n, about["spans"]) for n, about in spans_by_note(mdace).items()}
    opener = gzip.open if zipped else open
    path = folder / f"NOTEEVENTS.csv{'.gz' if zipped else ''}"
    with opener(path, "wt", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        rows.writerow(COLUMNS)
        about = spans_by_note(mdace)
        for note_id in sorted(texts, reverse=True):
            hadm = about[note_id]["hadm"]
            rest = (hadm % 977, hadm, "2150-01-01", "", "", about[note_id]["category"], "Report")
            rows.writerow([note_id, *rest, "", "", texts[note_id]])
            rows.writerow([note_id + 10_000_000, *rest, "", "", 'not\nannotated, "at" all'])
    return texts
