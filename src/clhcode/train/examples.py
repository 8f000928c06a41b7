"""Examples to learn from: the agents' own questions, answered from gold.

An agent is played on a row as at inference, so that its questions are those of a run: the same
retrieval, the same notes of the Tabular List, the same words. The agents before it answer with
gold and, beside it, with what the rules believe; so wrong candidates are those that really come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from clhcode.agents.tools import Tools
from clhcode.icd.store import Node, Store
from clhcode.pipeline import STAGES
from clhcode.records import Candidate, Condition, Encounter
from clhcode.rules.extract import extract
from clhcode.rules.judge import choose
from clhcode.runtime.oracle import Oracle
from clhcode.search.find import Finder
from clhcode.search.normalise import words
from clhcode.table.convert import Row
from clhcode.talk import Reply, Talk, play
from clhcode.tasks import (
    AGENTS,
    Agent,
    Choose,
    Chosen,
    Extract,
    Extracted,
    Option,
    Task,
)
from clhcode.text.assertion import assertions
from clhcode.text.sections import sections

Answered: TypeAlias = Extracted | Chosen

PUT_IN = "gold"
"""The source of a candidate that retrieval did not find."""

SPARE = 6
"""Spare wrong options of a question, at most."""

_SHUFFLED = ("entry", "code", "set")
"""Steps whose order means nothing; children stand in the order of the Tabular List."""
_DECLINED = ("entry", "code")
"""Steps where none of the options is an answer like any other."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How examples are made of rows.

    Attributes:
        none_share: The share of questions for entries and codes that none of the options answers.
        negatives: Siblings put beside the candidates of a question for entries.
        oracle_candidates: Put gold among the candidates where retrieval missed it.
        seed: Decides orders, and which questions are left out.
    """

    agent: Agent
    none_share: float = 0.2
    negatives: int = 3
    oracle_candidates: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its right answer.

    Attributes:
        name: The encounter, and the question's number in it; behind a slash the window's.
        answer: Numbers in the order in which the agent had the options: best first.
        spare: More wrong options, for where right ones are taken away.
    """

    name: str
    task: Task
    answer: Answered
    spare: tuple[Option, ...] = ()

    @property
    def whole(self) -> str:
        """The name of the question that this is, or is a window of."""
        encounter, mark, number = self.name.rpartition("#")
        return f"{encounter}{mark}{number.partition('/')[0]}"

    @property
    def none(self) -> bool:
        """Whether the answer is that nothing is there."""
        return not (
            self.answer.numbers if isinstance(self.answer, Chosen) else self.answer.findings
        )


def of_rows(rows: Iterable[Row], tools: Tools, recipe: Recipe) -> Iterator[Example]:
    """The examples of rows, in their order; rows without gold give none."""
    for row in rows:
        if isinstance(row.gold, list):
            yield from _of_row(row.encounter, Oracle(row.gold, AGENTS), tools, recipe)


def _of_row(
    encounter: Encounter, oracle: Oracle, tools: Tools, recipe: Recipe
) -> Iterator[Example]:
    heard: list[Task] = []

    def answer(task: Task) -> Reply:
        if task.agent == recipe.agent:
            heard.append(task)
        return _believed(task, oracle, tools.finder)

    fresh = replace(encounter, conditions=None, codes=None, dropped=None, errors=())
    play(_until(fresh, tools, recipe, oracle), answer)
    for number, task in enumerate(heard, 1):
        name = f"{encounter.encounter_id}#{number}"
        if isinstance(task, Extract):
            right = oracle.answer(task)
            if isinstance(right, Extracted):
                yield Example(name, task, _described(task, right, tools.finder))
            continue
        asked: Choose = task
        spare: tuple[Option, ...] = ()
        if task.step == "entry":
            asked, spare = _beside(task, name, oracle, tools.store, recipe)
        if isinstance(right := oracle.answer(asked), Chosen):
            yield shuffled(Example(name, asked, right, spare), recipe.seed)


def _until(encounter: Encounter, tools: Tools, recipe: Recipe, oracle: Oracle) -> Talk[Encounter]:
    """The agents up to the one that learns."""
    for agent in AGENTS[: AGENTS.index(recipe.agent) + 1]:
        encounter = yield from STAGES[agent](encounter, tools)
        if agent == "locate" and recipe.oracle_candidates and oracle.marked:
            conditions = tuple(_given(c, oracle, tools) for c in encounter.conditions or ())
            encounter = replace(encounter, conditions=conditions)
    return encounter


def _given(condition: Condition, oracle: Oracle, tools: Tools) -> Condition:
    """The condition with the gold codes that no chosen candidate stands for."""
    if condition.candidates is None:
        return condition
    chosen = [c.code for c in condition.candidates if c.verdict is None]
    missed = (
        node
        for code in dict.fromkeys(oracle.codes(condition.evidence))
        if (node := tools.store.node(code)) and not any(code.startswith(c) for c in chosen)
    )
    more = tuple(Candidate(node.code, (node.title,), PUT_IN, 0.0) for node in missed)
    return replace(condition, candidates=(*more, *condition.candidates))


def _believed(task: Task, oracle: Oracle, finder: Finder) -> Reply:
    """Gold's answer, and beside it what the rules would have answered."""
    right = oracle.answer(task)
    if isinstance(task, Extract):
        own = extract(task, finder)
        return _joined(task, right, own, finder) if isinstance(right, Extracted) else own
    rules = choose(task)
    if not isinstance(right, Chosen) or not right.numbers:
        return rules
    if not task.several:
        return right
    return Chosen(tuple(dict.fromkeys((*right.numbers, *rules.numbers))))


def _joined(task: Extract, right: Extracted, own: Extracted, finder: Finder) -> Extracted:
    """Gold's findings, and the rules' that touch none of them."""
    gold = _described(task, right, finder).findings
    taken = [place for finding in gold for place in finding.places]
    free = [
        finding
        for finding in own.findings
        if not any(b < y and x < e for b, e in finding.places for x, y in taken)
    ]
    return Extracted(tuple(sorted((*gold, *free), key=lambda f: f.places)))


def _described(task: Extract, right: Extracted, finder: Finder) -> Extracted:
    """Gold's findings with what gold does not say: lead term, modifiers and assertion.

    They are the rules'. What was coded is not denied, whatever the words around it.
    """
    text = task.notes[task.note].text
    said = {f.places: f.modifiers for f in extract(task, finder).findings}
    begins = [finding.places[0] for finding in right.findings]
    labels = assertions(text, begins, sections(text))
    return Extracted(
        tuple(
            replace(
                finding,
                lead_term=finder.lead_term(words(finding.quote)),
                modifiers=said.get(finding.places, ()),
                assertion="present" if label == "negated" else label,
            )
            for finding, label in zip(right.findings, labels, strict=True)
        )
    )


def _beside(
    task: Choose, name: str, oracle: Oracle, store: Store, recipe: Recipe
) -> tuple[Choose, tuple[Option, ...]]:
    """The question with harder wrong options, with gold where that is asked for; and spare ones."""
    gold = [node for code in oracle.codes(task.evidence) if (node := store.node(code))]
    right = oracle.answer(task)
    found = isinstance(right, Chosen) and bool(right.numbers)
    more: list[Node] = []
    if recipe.oracle_candidates and oracle.marked and not found:
        more += gold
    anchors = [task.options[n - 1].code for n in right.numbers] if isinstance(right, Chosen) else []
    anchors = anchors or [node.code for node in more] or [task.options[0].code]
    wrong: list[Node] = []
    if (anchor := store.node(anchors[0])) is not None:
        near = siblings(anchor, store)
        near = sorted(near, key=lambda node: stable(f"{recipe.seed}/near/{name}/{node.code}"))
        taken = {option.code for option in task.options}
        wrong = [n for n in near if n.code not in taken and not any(related(n, g) for g in gold)]
    more += wrong[: recipe.negatives]
    put = (Option(node.code, node.title) for node in dict.fromkeys(more))
    spare = tuple(Option(node.code, node.title) for node in wrong[recipe.negatives :][:SPARE])
    return replace(task, options=(*task.options, *put)), spare


def siblings(anchor: Node, store: Store) -> list[Node]:
    """The siblings of a code; where it is a category or has none, its category's codes."""
    above = store.by_number(anchor.parent) if anchor.parent is not None else anchor
    near = [node for node in store.children(above) if node.id != anchor.id]
    if anchor.kind == "code" and len(near) < 2:
        near = list(store.children(store.category(anchor)))
    return [node for node in near if not related(node, anchor)]


def related(one: Node, other: Node) -> bool:
    """Whether one of two codes is the other or above it."""
    return one.holds(other) or other.holds(one)


def shuffled(example: Example, seed: int) -> Example:
    """The example with its options in an order that tells nothing and never changes."""
    task, answer = example.task, example.answer
    if not isinstance(task, Choose) or task.step not in _SHUFFLED or not isinstance(answer, Chosen):
        return example
    order = sorted(
        range(len(task.options)),
        # Drawn apart from which siblings are put in, or what is right would come last.
        key=lambda n: stable(f"{seed}/order/{example.name}/{task.options[n].code}"),
    )
    place = {old + 1: new for new, old in enumerate(order, 1)}
    return replace(
        example,
        task=replace(task, options=tuple(task.options[n] for n in order)),
        answer=Chosen(tuple(place[n] for n in answer.numbers)),
    )


def stable(text: str) -> int:
    """A number that a text always has, and that tells nothing of it."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def balanced(examples: Sequence[Example], recipe: Recipe) -> list[Example]:
    """The examples with the set share of those that nothing on offer answers.

    Too many are left out, by a stable hash; where there are too few, others lose their right
    options, and questions for entries get spare wrong ones for them: how many options there are
    must not tell. Only questions for entries and for codes count, and are touched.
    """
    if recipe.agent not in ("locate", "verify"):
        return list(examples)
    asked = [e for e in examples if isinstance(e.task, Choose) and e.task.step in _DECLINED]
    order = sorted(asked, key=lambda e: stable(f"{recipe.seed}/none/{e.name}"))
    none = [e for e in order if e.none]
    some = sorted((e for e in order if not e.none), key=_short_of_spare)
    share = recipe.none_share
    wanted = round(share / (1 - share) * len(some)) if share < 1 else len(none)
    gone = {e.name for e in none[max(wanted, 0) :]}
    short = round(share * len(asked)) - len(none)
    bare: dict[str, Example] = {}
    for example in some:
        if len(bare) >= short:
            break
        if (without := _declined(example, recipe.seed)) is not None:
            bare[example.name] = without
    return [bare.get(e.name, e) for e in examples if e.name not in gone]


def _short_of_spare(example: Example) -> bool:
    """Whether right options of an entry could not be made up for."""
    entry = isinstance(example.task, Choose) and example.task.step == "entry"
    return entry and len(example.spare) < len(getattr(example.answer, "numbers", ()))


def _declined(example: Example, seed: int) -> Example | None:
    """The example without its right options; None where no others are there."""
    task, answer = example.task, example.answer
    if not isinstance(task, Choose) or not isinstance(answer, Chosen):
        return None
    left = [o for n, o in enumerate(task.options, 1) if n not in answer.numbers]
    left += example.spare[: len(answer.numbers)]
    if not left:
        return None
    bare = replace(example, task=replace(task, options=tuple(left)), answer=Chosen(()))
    return shuffled(bare, seed)


def share_of_none(examples: Sequence[Example]) -> float:
    """The share of questions for entries and codes whose answer is none."""
    asked = [e for e in examples if isinstance(e.task, Choose) and e.task.step in _DECLINED]
    return sum(e.none for e in asked) / len(asked) if asked else 0.0


def limited(examples: Sequence[Example], most: int | None, seed: int) -> list[Example]:
    """At most so many examples, drawn by a stable hash, in their order."""
    if most is None or len(examples) <= most:
        return list(examples)
    drawn = sorted(examples, key=lambda e: stable(f"{seed}/drawn/{e.name}"))[:most]
    kept = {e.name for e in drawn}
    return [e for e in examples if e.name in kept]
