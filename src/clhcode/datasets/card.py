"""A data set's card: what is in its table, what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clhcode import __version__
from clhcode.datasets.registry import Dataset
from clhcode.icd.store import Store
from clhcode.icd.years import heirs
from clhcode.table.convert import Row

RARE = 10
"""Codes of fewer encounters are counted apart: Edin et al. 2023 leave them out."""


@dataclass(slots=True)
class Counts:
    """What passes by on the way to the table."""

    encounters: int = 0
    notes: int = 0
    characters: int = 0
    with_gold: int = 0
    spans: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    distinct: dict[str, Counter[str]] = field(default_factory=dict)

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, counted."""
        for row in rows:
            self._count(row)
            yield row

    def _count(self, row: Row) -> None:
        encounter = row.encounter
        self.encounters += 1
        self.notes += len(encounter.notes)
        self.characters += sum(len(note.text) for note in encounter.notes)
        self.splits[f"{encounter.dataset} {encounter.split or 'none'}"] += 1
        self.flags.update(encounter.flags)
        gold: Any = row.gold
        self.with_gold += gold is not None
        for one in gold or ():
            self.codes[one["system"]] += 1
            self.distinct.setdefault(one["system"], Counter())[one["code"]] += 1
            self.spans += len(one["evidence"])


def card(
    dataset: Dataset, counts: Counts, left_out: Mapping[str, int], store: Store, release: str
) -> dict[str, Any]:
    """The card as plain JSON types."""
    ours = counts.distinct.get("icd10cm", Counter())
    fates: dict[str, list[str]] = {"header": [], "unknown": []}
    for code in sorted(ours):
        node = store.node(code)
        if node is None or not node.billable:
            fates["header" if node else "unknown"].append(code)
    unfit = [code for codes in fates.values() for code in codes]
    return {
        "name": dataset.name,
        "title": dataset.title,
        "licence": dataset.licence,
        "cite": dataset.cite,
        "clhcode": __version__,
        "encounters": counts.encounters,
        "with_gold": counts.with_gold,
        "notes": counts.notes,
        "characters": counts.characters,
        "splits": dict(sorted(counts.splits.items())),
        "codes": dict(counts.codes),
        "distinct_codes": {system: len(found) for system, found in counts.distinct.items()},
        "rare_codes": {
            system: sum(count < RARE for count in found.values())
            for system, found in counts.distinct.items()
        },
        "spans": counts.spans,
        "flags": dict(sorted(counts.flags.items())),
        "rules": list(dataset.rules),
        "left_out": dict(left_out),
        "release": release,
        "not_billable_in_release": {
            fate: {"codes": codes, "mentions": sum(ours[c] for c in codes)}
            for fate, codes in fates.items()
        },
        "mapped_to_release": sum(bool(heirs(code, store)) for code in unfit),
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """The card for people."""
    lines = [f"# {card['title']}", "", "| | |", "| --- | --- |"]
    told = ("licence", "cite", "encounters", "with_gold", "notes", "characters", "spans")
    for key in (*told, "release", "clhcode"):
        value = card[key]
        shown = f"{value:,}" if isinstance(value, int) else value
        lines.append(f"| {key.replace('_', ' ')} | {shown} |")
    for title, key in (
        ("Splits", "splits"),
        ("Codes", "codes"),
        ("Distinct codes", "distinct_codes"),
        (f"Of these in fewer than {RARE} encounters", "rare_codes"),
        ("Left out", "left_out"),
        ("Flags (docs/data.md, overlaps)", "flags"),
    ):
        lines += ["", f"## {title}", ""]
        lines += [f"- {name}: {count:,}" for name, count in card[key].items()] or ["- nothing"]
    if card["rules"]:
        lines += ["", "## Rules", "", *(f"- {rule}" for rule in card["rules"])]
    lines += ["", "## Gold codes that are not billable in the release", ""]
    for fate, found in card["not_billable_in_release"].items():
        some = ", ".join(found["codes"][:8]) + (" ..." if len(found["codes"]) > 8 else "")
        lines.append(
            f"- {fate}: {len(found['codes']):,} codes, {found['mentions']:,} times {some}".rstrip()
        )
    lines.append(f"- of these mapped to codes of the release: {card['mapped_to_release']:,}")
    return "\n".join(lines) + "\n"
