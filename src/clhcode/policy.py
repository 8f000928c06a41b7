"""Named switches: what is coded, what is enforced, and what an ablation takes away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from clhcode.records import ASSERTIONS, Assertion, Setting

Work = Literal["assertion", "retrieval", "specificity", "merging"]
"""An agent's work that can be taken away: by analyse, locate, verify and assign."""
WORKS: tuple[Work, ...] = get_args(Work)


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as codeable.

    Attributes:
        name: As given to `--policy`.
        outpatient: Assertions that are coded for outpatients (guideline section IV.H:
            uncertain diagnoses are not).
        inpatient: Assertions coded for inpatients (section II.H: uncertain diagnoses
            count as if they existed).
        enforce: Whether every edit drops codes, or only those of validity.
        without: The works taken away, for ablations.
    """

    name: str
    outpatient: frozenset[Assertion]
    inpatient: frozenset[Assertion]
    enforce: bool
    without: frozenset[Work] = frozenset()

    def codes(self, assertion: Assertion, setting: Setting) -> bool:
        """Whether a condition with this assertion is coded in this setting."""
        return assertion in (self.inpatient if setting == "inpatient" else self.outpatient)

    def less(self, *works: Work) -> Policy:
        """The same policy with an agent's work taken away."""
        return replace(self, without=self.without | set(works))


GUIDELINES = Policy(
    name="guidelines",
    outpatient=frozenset({"present", "historical"}),
    inpatient=frozenset({"present", "historical", "possible"}),
    enforce=True,
)
MENTIONS = Policy(
    name="mentions",
    outpatient=frozenset(ASSERTIONS),
    inpatient=frozenset(ASSERTIONS),
    enforce=False,
)
POLICIES = {policy.name: policy for policy in (GUIDELINES, MENTIONS)}
