"""What every agent is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clhcode.icd.guidelines import Guidelines
from clhcode.icd.store import Store
from clhcode.policy import GUIDELINES, Policy
from clhcode.records import Encounter, Failure, Setting
from clhcode.search.find import Finder, Match
from clhcode.search.retrieve import Lexical, Query, Retriever
from clhcode.tasks import Agent, Fault


@dataclass(frozen=True, slots=True)
class Tools:
    """The classification, the search over it, and the policy of this run.

    Attributes:
        setting: Overrides the encounter's own; without either it is outpatient.
        candidates: How many codes `locate` offers for a condition, at most.
        widen: Whether it also offers neighbours of what the dictionary has word for word.
        guidelines: What `verify` and `assign` quote from, for engines that read it.
        retriever: What ranks them; the dictionary and shared words where it is None.
    """

    store: Store
    finder: Finder
    policy: Policy = GUIDELINES
    setting: Setting | None = None
    candidates: int = 10
    widen: bool = False
    guidelines: Guidelines | None = None
    retriever: Retriever | None = None

    def search(self, queries: Sequence[Query]) -> list[tuple[Match, ...]]:
        """The codes that `locate` offers for each of an encounter's phrases."""
        retriever = self.retriever or Lexical(self.finder, self.widen)
        return retriever.search(queries, self.candidates)

    def setting_of(self, encounter: Encounter) -> Setting:
        """Whether the encounter is coded by inpatient or outpatient rules."""
        return self.setting or encounter.setting or "outpatient"


def failure(agent: Agent, fault: Fault) -> Failure:
    """The row's record of a question that got no answer."""
    return Failure(agent, fault.kind, fault.message, fault.raw)
