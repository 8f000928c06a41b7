"""CodiEsp v4: Spanish clinical cases and their machine translation, with CIE-10-ES 2018 codes.

Layout (Zenodo 3837305), below `train`, `dev` and `test`:

    text_files/NAME.txt      Spanish text, UTF-8
    text_files_en/NAME.txt   English machine translation, a sentence a line
    SPLITD.tsv               name, diagnosis code
    SPLITP.tsv               name, procedure code
    SPLITX.tsv               name, DIAGNOSTICO or PROCEDIMIENTO, code, words, "begin end;..."

No file has a header. Codes are in lower case; some diagnosis codes are categories only. Offsets
count code points of the Spanish text, half-open, one pair a fragment; a range of one word more or
less occurs. The English text has no evidence.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from clhcode.datasets.gold import Mention, golden, place
from clhcode.datasets.registry import Raw, lacking
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row

SPLITS = ("train", "dev", "test")
_SYSTEMS = {"DIAGNOSTICO": "icd10cm", "PROCEDIMIENTO": "icd10pcs"}


def english(raw: Raw) -> Iterator[Row]:
    """The English text with codes and no evidence."""
    return _rows(raw, "codiesp", "text_files_en", spans=False)


def spanish(raw: Raw) -> Iterator[Row]:
    """The Spanish text with codes and their evidence."""
    return _rows(raw, "codiesp-es", "text_files", spans=True)


def _rows(raw: Raw, dataset: str, texts: str, *, spans: bool) -> Iterator[Row]:
    root, left_out = _root(raw.folder), raw.left_out
    for split in SPLITS:
        paths = sorted((root / split / texts).glob("*.txt"))
        if not paths:
            continue
        known = {path.stem: path for path in paths}
        codes: dict[str, list[tuple[str, str, Mention]]] = {name: [] for name in known}
        for letter, system in (("D", "icd10cm"), ("P", "icd10pcs")):
            for line, (name, code) in _lines(root / split / f"{split}{letter}.tsv", 2):
                if name in codes:
                    codes[name].append((system, code.upper(), []))
                else:
                    left_out[f"{split}{letter}.tsv: a code of a document that is not there"] += 1
                    del line
        evidence = _evidence(root / split / f"{split}X.tsv") if spans else {}
        for name, path in known.items():
            try:
                text = path.read_bytes().decode("utf-8")
            except UnicodeDecodeError:
                raise UserError(f"{path}: not UTF-8") from None
            listed = {(system, code) for system, code, _ in codes[name]}
            mentions = [*codes[name]]
            for system, code, fragments in evidence.get(name, ()):
                if (system, code) not in listed:
                    left_out["evidence of a code that the document does not have"] += 1
                elif any(not 0 <= p["begin"] < p["end"] <= len(text) for p in fragments):
                    left_out["evidence outside its text"] += 1
                else:
                    mentions.append((system, code, fragments))
            encounter = Encounter(name, (Note(name, text),), dataset=dataset, split=split)
            yield Row(encounter, golden(mentions) if codes[name] else None)


def _root(folder: Path) -> Path:
    """The folder that holds the splits; the published zip has one or two folders around it."""
    for root in (folder, *sorted(folder.glob("*/")), *sorted(folder.glob("*/*/"))):
        if any((root / split / f"{split}D.tsv").exists() for split in SPLITS):
            return root
    raise lacking(folder, "`dev/devD.tsv` and its like")


def _evidence(path: Path) -> dict[str, list[tuple[str, str, Mention]]]:
    found: dict[str, list[tuple[str, str, Mention]]] = {}
    for line, (name, kind, code, _, offsets) in _lines(path, 5):
        try:
            pairs = [pair.split() for pair in offsets.split(";")]
            fragments = [place(0, int(begin), int(end)) for begin, end in pairs]
            system = _SYSTEMS[kind]
        except (ValueError, KeyError):
            raise UserError(f"{path}: line {line}: `{kind}`, `{offsets}`") from None
        fragments.sort(key=lambda p: p["begin"])
        found.setdefault(name, []).append((system, code.upper(), fragments))
    return found


def _lines(path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if len(row) != width:
                raise UserError(f"{path}: line {number}: {len(row)} columns, {width} are wanted")
            yield number, [value.strip() for value in row]
