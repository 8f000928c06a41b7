"""Builds `demo.jsonl` from the notes and gold codes beside it, and checks it.

Run `python data/demo/make.py` to write the file, `python data/demo/make.py --check` to
compare it with its sources and with the Tabular List. No part of `clhcode` is imported,
so that the check does not share its mistakes.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
TABLE = HERE / "demo.jsonl"
GAP = " ... "
"""What stands between the fragments of a quote in `gold.tsv`."""

Json = dict[str, Any]


class SourceError(Exception):
    """The sources are wrong: a quote that is missing or ambiguous, a code that is not billable."""


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file with a header line; `"` has no meaning in it."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def find(text: str, quote: str, nth: str) -> list[tuple[int, int]]:
    """Where a quote stands in a note, as one (begin, end) a fragment.

    A blank of the quote stands for any white space. The first fragment must occur once,
    or `nth` (from 1) tells which; each later one is the nearest after its predecessor.
    """
    first, *later = quote.split(GAP)
    found = [m.span() for m in pattern(first).finditer(text)]
    if not nth and len(found) > 1:
        raise SourceError(f"{first!r} stands there {len(found)} times: say which in `nth`")
    which = int(nth or 1)
    if not 1 <= which <= len(found):
        raise SourceError(f"{first!r} stands there {len(found)} times, number {which} is wanted")
    spans = [found[which - 1]]
    for fragment in later:
        match = pattern(fragment).search(text, spans[-1][1])
        if match is None:
            raise SourceError(f"{fragment!r} does not follow {first!r}")
        spans.append(match.span())
    return spans


def pattern(words: str) -> re.Pattern[str]:
    """Matches whole words, in this case, over any white space."""
    body = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(rf"(?<!\w){body}(?!\w)")


def encounter(number: int, about: dict[str, str]) -> Json:
    """One encounter, from its folder below `notes/`."""
    folder = HERE / "notes" / about["name"]
    notes: list[Json] = []
    for place, path in enumerate(sorted(folder.glob("*.txt")), 1):
        kind = path.stem.partition("-")[2].replace("-", " ").capitalize()
        text = path.read_text("utf-8").rstrip("\n") + "\n"
        notes.append({"note_id": f"{about['name']}-{place}", "category": kind, "text": text})
    gold: dict[str, list[list[Json]]] = {}
    for line, row in enumerate(rows(folder / "gold.tsv"), 2):
        note = int(row["note"]) - 1
        try:
            if not 0 <= note < len(notes):
                raise SourceError(f"there is no note {row['note']}")
            spans = find(notes[note]["text"], row["quote"], row["nth"])
        except SourceError as error:
            raise SourceError(f"{about['name']}/gold.tsv:{line}: {error}") from None
        mention = [{"note": note, "begin": begin, "end": end} for begin, end in spans]
        gold.setdefault(row["code"], []).append(mention)
    return {
        "encounter_id": f"demo-{about['name']}",
        "dataset": "demo",
        "split": "test",
        "subject_id": f"demo-{number:02}",
        "sex": about["sex"],
        "age": int(about["age"]),
        "setting": about["setting"],
        "notes": notes,
        "gold": [{"code": c, "system": "icd10cm", "evidence": e} for c, e in gold.items()],
    }


def table() -> str:
    """What `demo.jsonl` is to hold."""
    made = (encounter(n, about) for n, about in enumerate(rows(HERE / "encounters.tsv"), 1))
    return "".join(json.dumps(e, ensure_ascii=False, separators=(",", ":")) + "\n" for e in made)


@dataclass(frozen=True, slots=True)
class Tabular:
    """What the check needs of the Tabular List.

    Attributes:
        sevenths: Code without children -> the 7th characters in force there.
        excludes: Code, section range or chapter -> text of its own Excludes1 notes.
        above: Code -> what it stands under, outermost first, with itself last.
    """

    sevenths: dict[str, frozenset[str]]
    excludes: dict[str, str]
    above: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls) -> Tabular:
        """Reads the XML that the package `simple-icd-10-cm` ships, without importing it."""
        spec = find_spec("simple_icd_10_cm")
        if spec is None or spec.origin is None:
            raise SourceError("simple-icd-10-cm is not installed")
        (path,) = (Path(spec.origin).parent / "data").glob("*tabular*.xml")
        made = cls({}, {}, {})
        root = ElementTree.parse(path).getroot()
        for chapter in root.iter("chapter"):
            made._add(chapter, (), frozenset())
        return made

    def _add(
        self, element: ElementTree.Element, above: tuple[str, ...], sevenths: frozenset[str]
    ) -> None:
        name = element.findtext("name") or element.get("id", "")
        path = (*above, name)
        self.above[name] = path
        self.excludes[name] = " ".join(note.text or "" for note in element.iterfind("excludes1/*"))
        own = {e.get("char", "") for e in element.iterfind("sevenChrDef/extension")}
        below = [*element.iterfind("section"), *element.iterfind("diag")]
        for child in below:
            self._add(child, path, frozenset(own) or sevenths)
        if not below and element.tag == "diag":
            self.sevenths[name] = frozenset(own) or sevenths

    def base(self, code: str) -> str | None:
        """The entry a billable code stands at; `None` if the code is not billable."""
        plain = code.replace(".", "")
        known = self.sevenths.get(code)
        if known is not None and (not known or len(plain) == 7):
            return code
        if len(plain) != 7:
            return None
        stem = plain[:6]
        while True:
            entry = stem if len(stem) == 3 else f"{stem[:3]}.{stem[3:]}"
            if entry in self.sevenths:
                return entry if plain[6] in self.sevenths[entry] else None
            if len(stem) == 3 or stem[-1] != "X":
                return None
            stem = stem[:-1]

    def excluded(self, code: str, other: str) -> bool:
        """Whether an Excludes1 note at or above `code` names `other`."""
        base = self.base(code)
        notes = " ".join(self.excludes[name] for name in self.above[base]) if base else ""
        return any(low <= other[: len(low)] <= high for low, high in named(notes))


def named(text: str) -> Iterator[tuple[str, str]]:
    """The codes and ranges of codes that a note names, as first and last code."""
    code = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]+)?"
    for match in re.finditer(rf"\b({code})(?:-(?={code}\b)({code})|\b)", text):
        yield match[1], match[2] or match[1]


def faults() -> Iterator[str]:
    """What is wrong with `demo.jsonl`, one line each."""
    written = TABLE.read_text("utf-8") if TABLE.exists() else ""
    if written != table():
        yield "demo.jsonl is not what make.py writes: run make.py"
        return
    tabular = Tabular.read()
    # Split at line feeds alone: a note may hold other line separators.
    for row in map(json.loads, written.rstrip("\n").split("\n")):
        name = row["encounter_id"]
        yield from (f"{name}: {fault}" for fault in misquoted(row))
        codes = [gold["code"] for gold in row["gold"]]
        for code in codes:
            if tabular.base(code) is None:
                yield f"{name}: {code} is not billable"
            for other in codes:
                if other != code and tabular.excluded(code, other):
                    yield f"{name}: an Excludes1 note at {code} names {other}"


def misquoted(row: Json) -> Iterator[str]:
    """Mentions of an encounter whose text is not the quote in `gold.tsv`, white space aside."""
    folder = HERE / "notes" / row["encounter_id"].removeprefix("demo-")
    quotes: dict[str, list[str]] = {}
    for source in rows(folder / "gold.tsv"):
        quotes.setdefault(source["code"], []).append(source["quote"])
    made = {
        gold["code"]: [
            GAP.join(
                " ".join(row["notes"][s["note"]]["text"][s["begin"] : s["end"]].split())
                for s in mention
            )
            for mention in gold["evidence"]
        ]
        for gold in row["gold"]
    }
    for code in quotes | made:
        if quotes.get(code) != made.get(code):
            yield f"{code} says {made.get(code)}, gold.tsv says {quotes.get(code)}"


def main() -> int:
    """Writes the table, or with `--check` reports its faults."""
    try:
        if "--check" not in sys.argv[1:]:
            TABLE.write_text(table(), "utf-8", newline="\n")
            return 0
        found = list(faults())
    except SourceError as error:
        found = [str(error)]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
