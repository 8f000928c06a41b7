"""Verify: read the Tabular List at each candidate, down to a billable code."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from clhcode.agents.locate import phrase_of
from clhcode.agents.tools import Tools, failure
from clhcode.edits.conflicts import residual
from clhcode.icd.store import Node, Store
from clhcode.records import Candidate, Condition, Encounter, Failure
from clhcode.search.normalise import words
from clhcode.talk import Talk, together
from clhcode.tasks import Choose, Chosen, Fault, Option, Step

ACCEPTED, REJECTED = "accepted", "rejected"
_READ = frozenset({"excludes1", "excludes2", "code first", "use additional", "code also"})
_ALSO_READ = frozenset({"includes", "inclusion"})
"""What a language model is shown beside; rules know these words from the dictionary."""


def verify(encounter: Encounter, tools: Tools) -> Talk[Encounter]:
    """Gives every chosen candidate a verdict, and the billable code the text supports."""
    results = yield from together(
        _verify(encounter, condition, tools) for condition in encounter.conditions or ()
    )
    return replace(
        encounter,
        conditions=tuple(condition for condition, _ in results),
        errors=(*encounter.errors, *(error for _, errors in results for error in errors)),
    )


def _verify(
    encounter: Encounter, condition: Condition, tools: Tools
) -> Talk[tuple[Condition, tuple[Failure, ...]]]:
    candidates = condition.candidates or ()
    chosen = [c for c in candidates if c.verdict is None]
    if not chosen:
        return condition, ()
    ask = _Asker(encounter, condition, tools)
    specified = yield from together(ask.specify(candidate) for candidate in chosen)
    read = yield from ask.read([end for ends in specified for end in ends])
    rest = tuple(c for c in candidates if c.verdict is not None)
    return replace(condition, candidates=(*read, *rest)), tuple(ask.errors)


class _Asker:
    """The questions about one condition; they share its notes, words and evidence."""

    def __init__(self, encounter: Encounter, condition: Condition, tools: Tools) -> None:
        self._encounter, self._condition, self._tools = encounter, condition, tools
        self.errors: list[Failure] = []

    def specify(self, candidate: Candidate) -> Talk[list[Candidate]]:
        """Goes down from the candidate's code, one level a question.

        It ends at one code, or at two where both sides are affected and no code says so
        (guideline I.B.13).
        """
        store = self._tools.store
        node = store.node(candidate.code)
        if node is None:
            return [_reject(candidate, f"{candidate.code} is not a code of this release")]
        if "specificity" in self._tools.policy.without:
            return [candidate if node.billable else _reject(candidate, f"{node.code} is a header")]
        ends = yield from self._descend(self._summit(node), node, candidate)
        return ends

    def _descend(self, node: Node, found: Node, so_far: Candidate) -> Talk[list[Candidate]]:
        if node.billable:
            return [so_far if node.id == found.id else replace(so_far, code=node.code)]
        children = self._tools.store.children(node)
        below = yield from self._below(node, children, found, so_far.score)
        if not below:
            return [_reject(so_far, f"the text does not say which code below {node.code}")]
        ends: list[Candidate] = []
        for child in below:
            applied = so_far.applied
            if len(children) > 1 and child.id != found.id:
                applied = (*applied, f"{child.code} {_difference(node, child)}")
            ends += yield from self._descend(child, found, replace(so_far, applied=applied))
        return ends

    def _summit(self, node: Node) -> Node:
        """Where the descent begins: unspecified codes are the remainders of their headers.

        The text may support a sibling of what the index names.
        """
        while "unspecified" in node.title.lower():
            above = residual(self._tools.store, node)
            if above is None:
                break
            node = above
        return node

    def _below(
        self, node: Node, children: tuple[Node, ...], found: Node, score: float
    ) -> Talk[tuple[Node, ...]]:
        if len(children) == 1:
            return children
        chars = all(len(c.code) == 8 and c.title.startswith(f"{node.title}, ") for c in children)
        step: Step = "seventh" if chars else "subdivision"
        options = tuple(
            Option(
                c.code,
                _difference(node, c) if chars else c.title,
                score=score if c.holds(found) else 0.0,
            )
            for c in children
        )
        chosen = yield from self._choose(step, options, several=_one_sided(children))
        return tuple(children[number - 1] for number in chosen.numbers) if chosen else ()

    def read(self, candidates: list[Candidate]) -> Talk[list[Candidate]]:
        """Asks which codes stand once their instructional notes have been read."""
        open_ = [c for c in candidates if c.verdict is None]
        if not open_:
            return candidates
        options = tuple(self._entry(c) for c in open_)
        chosen = yield from self._choose("code", options, several=True)
        # Without an answer the notes decide nothing here; the edits still will.
        kept = set(chosen.numbers) if chosen else set(range(1, len(open_) + 1))
        verdicts = iter(range(1, len(open_) + 1))
        return [
            c
            if c.verdict is not None
            else replace(c, verdict=ACCEPTED, reason="the Tabular List allows it")
            if next(verdicts) in kept
            else _reject(c, "a note of the Tabular List sends it elsewhere")
            for c in candidates
        ]

    def _entry(self, candidate: Candidate) -> Option:
        kinds = _READ | _ALSO_READ if self._tools.guidelines else _READ
        title, notes = _readable(self._tools.store, candidate.code, kinds)
        return Option(candidate.code, title, notes, candidate.score)

    def _guidance(self, options: tuple[Option, ...]) -> str:
        guidelines = self._tools.guidelines
        return guidelines.chapters(o.code for o in options) if guidelines else ""

    def _choose(
        self, step: Step, options: tuple[Option, ...], *, several: bool
    ) -> Talk[Chosen | None]:
        (reply,) = yield [
            Choose(
                agent="verify",
                step=step,
                notes=self._encounter.notes,
                phrase=phrase_of(self._condition),
                evidence=self._condition.evidence,
                options=options,
                several=several,
                setting=self._tools.setting_of(self._encounter),
                guidance=self._guidance(options) if step == "code" else "",
            )
        ]
        if isinstance(reply, Fault):
            self.errors.append(failure("verify", reply))
        return reply if isinstance(reply, Chosen) else None


@lru_cache(maxsize=10_000)
def _readable(store: Store, code: str, kinds: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """The title of a code, and the notes of some kinds that a coder reads at it."""
    node = store.node(code)
    notes = store.instructions(node) if node else ()
    return (node.title if node else ""), tuple(
        f"{n.kind}: {n.text}" for n in notes if n.kind in kinds
    )


def _one_sided(children: tuple[Node, ...]) -> bool:
    """Whether these are a right and a left, and nothing for both."""
    said = [frozenset(words(child.title)) for child in children]
    sides = (any(side in each for each in said) for side in ("right", "left"))
    return all(sides) and not any("bilateral" in each for each in said)


def _difference(above: Node, below: Node) -> str:
    """What a child's title adds to its parent's."""
    return below.title.removeprefix(f"{above.title}, ")


def _reject(candidate: Candidate, reason: str) -> Candidate:
    return replace(candidate, verdict=REJECTED, reason=reason)
