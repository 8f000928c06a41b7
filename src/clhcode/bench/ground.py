"""What a run of the bench stands on: rows, protocol and scale, from what was asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clhcode.bench import baselines
from clhcode.bench.mapping import Maps
from clhcode.bench.measure import Scale
from clhcode.bench.protocol import (
    PREDICTED,
    PROCEDURES,
    Counted,
    Level,
    Protocol,
    Unit,
    book_of,
    by_note,
    chosen_split,
    counted,
    fingerprint,
    gold_codes,
    label_space,
)
from clhcode.bench.result import Result
from clhcode.datasets.overlap import Overlap, overlap, refuse
from clhcode.datasets.registry import DATASETS, Dataset, raw
from clhcode.errors import UserError
from clhcode.icd.conversion import find_conversion
from clhcode.icd.gem import open_gem
from clhcode.icd.sources import choose
from clhcode.icd.store import open_store
from clhcode.pipeline import Workplace
from clhcode.table.convert import Row
from clhcode.tasks import Agent

UNCHANGED = "none"
"""The mapping of predictions that are of gold's year and book already."""
_TABLE = "conversion table"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of a run, beside the workplace.

    Attributes:
        baseline: A baseline in place of the agents.
        oracle: Agents that gold stands in for.
        candidates: `gold+N` or a file; then verify and assign alone work.
        seeds: A run for each, where anything is drawn.
        first: Only so many encounters of the split.
        codes: Whether gold's procedures count beside its diagnoses.
        conversion: The official table of codes that came in the place of others.
        gem: The GEM, a file or its folder.
        like: The mapping of a result that is scored again.
        learned: Splits that a model was trained on, as `codiesp/train`.
        allow_overlap: Whether to score what was learned from.
    """

    dataset: Dataset
    split: str
    unit: Unit = "encounter"
    space: str = "all"
    level: Level = "full"
    baseline: str | None = None
    oracle: tuple[Agent, ...] = ()
    candidates: str | None = None
    seeds: tuple[int, ...] = (1,)
    first: int | None = None
    draws: int = 1_000
    codes: Counted = "diagnoses"
    conversion: Path | None = None
    gem: Path | None = None
    like: str | None = None
    learned: tuple[str, ...] = ()
    allow_overlap: bool = False

    @property
    def learns(self) -> bool:
        """Whether what is scored was made from the train split, its book and year included."""
        return self.baseline in baselines.LEARNING


@dataclass(frozen=True, slots=True)
class Ground:
    """What is scored against: rows, their protocol and scale.

    Attributes:
        overlap: What the training rows have in common with them, where something was learned.
    """

    rows: list[Row]
    train: list[Row]
    protocol: Protocol
    scale: Scale
    overlap: Overlap | None = None


def ground(asked: Asked, rows: Iterable[Row], place: Workplace) -> Ground:
    """Chooses split and unit, and writes the protocol down.

    Raises:
        UserError: What is asked for is not there, does not go together, or was learned from.
    """
    name = asked.dataset.name if asked.dataset.reader else None
    scored, train = chosen_split(rows, name, asked.split, learn=asked.baseline is not None)
    scored = scored[: asked.first]
    what = f"{asked.dataset.name}, {asked.split}"
    found = None
    if asked.learns or asked.learned:
        found = overlap(train if asked.learns else (), scored, asked.learned)
    if found and not asked.allow_overlap:
        refuse(found, what)
    if asked.unit == "note":
        scored, train = by_note(scored), by_note(train) if asked.baseline else train
    data, book = fingerprint(scored), book_of(scored)
    systems = _systems(asked, book, what)
    scored, train = counted(scored, systems), counted(train, systems)
    nine, mapped = book != PREDICTED, not (asked.learns and book != PREDICTED)
    maps = maps_of(
        asked.dataset.year, asked.conversion, asked.gem, nine=nine and mapped, like=asked.like
    )
    gold = [gold_codes(row) for row in scored]
    seen = [gold_codes(row) for row in train]
    named, space = label_space(asked.space, gold, seen)
    if space is None:
        if maps.gem:
            named = f"all ({len(maps.gem.targets):,} codes that the GEM leads to)"
        elif not mapped or asked.codes == "all":
            named = f"all ({len({c for codes in seen for c in codes}):,} codes of train)"
        else:
            named = f"all ({place.tools.store.billable():,} billable codes)"
    protocol = Protocol(
        dataset=asked.dataset.name,
        split=asked.split,
        unit=asked.unit,
        data=data,
        encounters=len(scored),
        label_space=named,
        level=asked.level,
        release=place.sources.describe(),
        policy=place.tools.policy.name,
        setting=place.tools.setting,
        first=asked.first,
        codes="+".join(systems),
        mapping=maps.named() if mapped else UNCHANGED,
    )
    scale = Scale(place.tools.store, asked.level, space, mapped, maps, nine)
    return Ground(scored, train, protocol, scale, found)


def _systems(asked: Asked, book: str, what: str) -> tuple[str, ...]:
    """The systems of gold that count."""
    if book != PREDICTED and (asked.oracle or (asked.candidates or "").startswith("gold+")):
        raise UserError(f"{what}: its gold is {book}: the oracle and gold+N know {PREDICTED} alone")
    if asked.codes == "diagnoses":
        return (book,)
    if not asked.learns:
        told = " or ".join(baselines.LEARNING)
        raise UserError(
            f"--codes all: the agents predict diagnoses alone, --baseline {told} procedures, too"
        )
    return (book, PROCEDURES[book])


def maps_of(
    year: int | None,
    conversion: Path | None,
    gem: Path | None,
    *,
    nine: bool,
    like: str | None = None,
) -> Maps:
    """What predictions are mapped with.

    Args:
        year: The fiscal year of gold, where it is known.
        conversion: The official table; the fetched one otherwise.
        gem: The GEM, a file or its folder; the fetched one otherwise.
        nine: Whether gold is of ICD-9-CM.
        like: The mapping of a result: a table that it did not use is left alone.

    Raises:
        UserError: Gold is of ICD-9-CM and the GEM is not here, or a file is none.
    """
    table = None
    if like is None or _TABLE in like:
        table = find_conversion(conversion)
    if not nine:
        return Maps(table, None, year)
    folder = gem or raw("gem")
    if not folder.exists():
        learning = " or ".join(baselines.LEARNING)
        raise UserError(
            f"{folder}: gold is icd9cm, and the GEM that takes predictions there is not here:"
            f" `clh fetch gem`, or --gem FILE (--baseline {learning} needs none)"
        )
    return Maps(table, open_gem(folder), year)


def scale_of(result: Result, conversion: Path | None, gem: Path | None) -> Scale:
    """The scale of a result, without its data.

    Raises:
        UserError: What it was mapped with is not here.
    """
    told = result.protocol
    store, _ = open_store(choose(release=result.run["tabular"]))
    space = None if result.run["space"] is None else frozenset(result.run["space"])
    nine = told.codes.startswith("icd9cm")
    if told.mapping == UNCHANGED:
        return Scale(store, told.level, space, mapped=False, nine=nine)
    year = DATASETS[told.dataset].year if told.dataset in DATASETS else None
    maps = maps_of(year, conversion, gem, nine=nine, like=told.mapping)
    if maps.named() != told.mapping:
        raise UserError(f"mapping is {told.mapping} in the result and {maps.named()} here")
    return Scale(store, told.level, space, maps=maps, nine=nine)
