"""What a run learns from and is measured by, read from a table or made of the classification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from clhcode.bench.protocol import chosen_split
from clhcode.datasets.overlap import home, overlap, refuse
from clhcode.datasets.registry import DATASETS, own, prepared
from clhcode.errors import UserError
from clhcode.icd.guidelines import open_guidelines
from clhcode.policy import POLICIES
from clhcode.records import Setting
from clhcode.train import classification
from clhcode.train.examples import Example, balanced, limited, of_rows
from clhcode.train.plan import Plan

if TYPE_CHECKING:
    from clhcode.pipeline import Workplace
    from clhcode.table.convert import Row


@dataclass(frozen=True, slots=True)
class Lessons:
    """Examples to learn from and to choose by.

    Attributes:
        source: What they were made of, in words.
        places: Splits that they were made of, as `codiesp/train`; figures over them would be
            of memory.
    """

    train: list[Example]
    dev: list[Example]
    source: str
    places: tuple[str, ...] = ()


def lessons(plan: Plan, say: Callable[[str], None]) -> Lessons:
    """The examples of a plan.

    Raises:
        UserError: The data are not there, lack a split or gold, or overlap.
    """
    from clhcode.pipeline import Retrieval, open_workplace
    from clhcode.runtime.pick import rules_only

    dataset = DATASETS.get(plan.data)
    chosen = dataset or own(Path(plan.data))
    place = open_workplace(
        POLICIES[plan.policy or chosen.policy],
        rules_only(),
        cast("Setting | None", plan.setting),
        release=plan.release,
        retrieval=Retrieval(most=plan.top_k),
        say=say,
    )
    if plan.data == classification.NAME:
        found = _of_classification(plan, place)
    else:
        path = prepared(chosen.table) if dataset else Path(plan.data)
        if dataset and not path.exists():
            raise UserError(f"{path}: not there; `clh prepare {chosen.table}` makes it")
        found = _of_table(plan, place, path, chosen.name if dataset else None, say)
    if plan.choose == "score":
        found = _rated(found)
    if not found.train or not found.dev:
        raise UserError(f"{plan.data}: no example for {plan.agent} in {_empty(plan, found, place)}")
    return found


def _empty(plan: Plan, found: Lessons, place: Workplace) -> str:
    """Where there is no example, and why."""
    why = ""
    if plan.agent == "analyse":
        why = " (its gold marks no evidence in the text)"
    elif plan.agent == "assign" and not place.tools.policy.enforce:
        why = f" (the policy {place.tools.policy.name} asks it nothing: --policy guidelines)"
    return f"the split {plan.dev_split if found.train else plan.train_split}{why}"


def _of_classification(plan: Plan, place: Workplace) -> Lessons:
    store = place.tools.store
    dev = classification.dev_questions(store, plan.seed, plan.dev_limit)
    if plan.choose == "score":
        train = limited(classification.phrases(store), plan.limit, plan.seed)
    else:
        train = balanced(classification.questions(store, plan.seed, plan.limit), plan.recipe)
    return Lessons(train, dev, f"{place.sources.describe()}; categories of parts 2 to 7")


def _of_table(
    plan: Plan, place: Workplace, path: Path, name: str | None, say: Callable[[str], None]
) -> Lessons:
    if plan.train_split == plan.dev_split:
        raise UserError(f"--train-split and --dev-split are both {plan.train_split}")
    train_rows = _rows(path, name, plan.train_split)
    dev_rows = _rows(path, name, plan.dev_split)
    found = overlap(train_rows, dev_rows)
    if not plan.allow_overlap:
        refuse(found, f"{path}, {plan.dev_split}")
    elif found:
        say(f"overlap allowed: {found.describe()}")
    # As `open_workplace` has it where a language model is asked.
    guidelines = open_guidelines(place.sources.guidelines, say)
    tools = replace(place.tools, guidelines=guidelines)
    train, dev = (list(of_rows(rows, tools, plan.recipe)) for rows in (train_rows, dev_rows))
    return Lessons(
        balanced(limited(train, plan.limit, plan.seed), plan.recipe),
        limited(dev, plan.dev_limit, plan.seed),
        f"{name or path.name}: {len(train_rows):,} encounters of {plan.train_split}, dev"
        f" {len(dev_rows):,} of {plan.dev_split}; {place.sources.describe()}",
        _places(train_rows, dev_rows),
    )


def _places(*parts: Iterable[Row]) -> tuple[str, ...]:
    """The splits that rows stand in, of data sets that have a name."""
    every = (row.encounter for rows in parts for row in rows)
    return tuple(sorted({home(one) for one in every if one.dataset}))


def _rows(path: Path, name: str | None, split: str) -> list[Row]:
    from clhcode.table.read import read

    found = [row for batch in read(path) for row in batch]
    if not any(row.encounter.split for row in found):
        raise UserError(f"{path}: no row names a split, so train and dev cannot be told apart")
    return chosen_split(found, name, split)[0]


def _rated(found: Lessons) -> Lessons:
    """Those questions alone whose options are rated."""
    from clhcode.train.wording import is_rated

    train, dev = ([e for e in part if is_rated(e.task)] for part in (found.train, found.dev))
    return replace(found, train=train, dev=dev)


def counts(examples: Sequence[Example]) -> str:
    """How many examples, in words."""
    from clhcode.train.examples import share_of_none

    return f"{len(examples):,} examples, {share_of_none(examples):.0%} of them for none"
