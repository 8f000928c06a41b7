"""Two runs on the same encounters: is one better, where, and at which step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from clhcode.bench.bootstrap import DRAWS, difference
from clhcode.bench.encode import encode
from clhcode.bench.measure import Codes
from clhcode.bench.metrics import by_row, micro
from clhcode.bench.result import Result
from clhcode.errors import UserError


def check(one: Result, other: Result, allowed: Collection[str] = ()) -> None:
    """Refuses results that were not scored alike.

    Args:
        one: A result.
        other: The one beside it.
        allowed: Conditions that may differ, by name.

    Raises:
        UserError: Another condition differs; the message names it with both values.
    """
    for name in one.protocol.differing(other.protocol):
        if name not in allowed:
            mine, theirs = getattr(one.protocol, name), getattr(other.protocol, name)
            raise UserError(
                f"different protocols: {name} is {mine} there and {theirs} here"
                f" (--allow {name} compares all the same)"
            )
    if [case.id for case in one.cases] != [case.id for case in other.cases]:
        raise UserError("different encounters: these results cannot be paired")


def compare(
    one: Result, other: Result, sides: tuple[Codes, Codes, Codes], draws: int = DRAWS
) -> dict[str, Any]:
    """What `other` does better and worse than `one`.

    Args:
        one: The result compared with.
        other: The result in question.
        sides: Gold, and the predictions of both, at the protocol's scale.
        draws: Bootstrap draws over encounters, the same for both.
    """
    gold, before, after = sides
    counts = (by_row(encode(gold, before)), by_row(encode(gold, after)))
    gap, interval, chance = difference(counts[0], counts[1], draws)
    won, lost = Counter[str](), Counter[str]()
    better = worse = 0
    for there, old, new in zip(gold, before, after, strict=True):
        truth, first, second = set(there), set(old), set(new)
        won.update((truth & second) - first)
        lost.update((truth & first) - second)
        gain = len(truth ^ first) - len(truth ^ second)
        better, worse = better + (gain > 0), worse + (gain < 0)
    return {
        "encounters": len(gold),
        "micro_f1": [micro(c).f1 for c in counts],
        "difference": gap,
        "interval": list(interval),
        "p": chance,
        "encounters_better": better,
        "encounters_worse": worse,
        "codes_won": dict(won.most_common()),
        "codes_lost": dict(lost.most_common()),
        "changed": _changed(one, other),
    }


def _changed(one: Result, other: Result) -> dict[str, int]:
    """In how many encounters the codes after each agent are not the same."""
    pairs = list(zip(one.cases, other.cases, strict=True))
    return {
        "analyse": sum(set(a.found) != set(b.found) for a, b in pairs),
        "locate": sum(set(a.located) != set(b.located) for a, b in pairs),
        "verify": sum(set(a.verified) != set(b.verified) for a, b in pairs),
        "assign": sum(set(a.codes) != set(b.codes) for a, b in pairs),
    }
