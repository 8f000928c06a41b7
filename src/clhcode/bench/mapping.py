"""From predicted codes to gold's: to its year, or through the GEM to its book.

A predicted code may have several counterparts, and which of them its author would have chosen
nobody can tell. So each encounter takes the one that its gold has, or comes nearest to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

from clhcode.icd.conversion import Conversion
from clhcode.icd.gem import Choice, Cluster, Gem, Readings
from clhcode.icd.store import Store
from clhcode.icd.years import earlier

UNMAPPED = "icd10cm:"
"""What stands before a prediction that gold's book has no code for: it is right nowhere."""
GEM_YEAR = 2018
"""The last fiscal year that the GEM was made for."""

Read = Callable[[str], Readings]
"""What a predicted code may stand for."""


@dataclass(frozen=True, slots=True)
class Maps:
    """What there is to map with.

    Attributes:
        conversion: The official table, where it was fetched.
        gem: The way to ICD-9-CM, where gold is of that book.
        year: The fiscal year of gold's codes, where its authors say one.
    """

    conversion: Conversion | None = None
    gem: Gem | None = None
    year: int | None = None

    def named(self) -> str:
        """For a protocol: what exactly was used."""
        years = "code years"
        if self.conversion:
            years = f"conversion table {self.conversion.name}, code years"
        return f"GEM {self.gem.name}, {years}: approximate" if self.gem else years

    def reader(self, store: Store, known: frozenset[str]) -> Read:
        """The way from the release to the codes of gold."""
        if self.gem:
            return through_gem(store, self.gem, self.conversion)
        back = backwards(store, known, self.conversion, self.year)
        return lambda code: ((back(code),),)


UNAIDED = Maps()
"""Nothing at hand: codes of other years are told by the codes themselves."""


def backwards(
    store: Store,
    known: frozenset[str],
    conversion: Conversion | None = None,
    year: int | None = None,
) -> Callable[[str], Choice]:
    """Takes a code of the release to the older codes of gold that it may have been.

    A code that gold has, too, stays. Else the official table is followed back to the first codes
    that gold has; a step counts where the older code is billable no more, or the newer one is
    younger than gold. What the table leaves open is told by the codes themselves: a code that was
    divided begins its heirs.

    Args:
        store: The release of the predictions.
        known: Codes of gold.
        conversion: The official table.
        year: The fiscal year of gold, where it is known.
    """

    def gone(code: str) -> bool:
        node = store.node(code)
        return node is None or not node.billable

    def listed(code: str) -> Choice:
        level, seen = [code], {code}
        while level:
            older = [
                old
                for each in level
                for change in (conversion.before.get(each, ()) if conversion else ())
                for old in change.codes
                if gone(old) or (year and change.year and change.year > year)
            ]
            level = [old for old in dict.fromkeys(older) if old not in seen]
            seen.update(level)
            if found := tuple(old for old in level if old in known):
                return found
        return ()

    @cache
    def back(code: str) -> Choice:
        if code in known:
            return (code,)
        if found := listed(code):
            return found
        older = earlier(code, known)
        return (older,) if older and gone(older) else (code,)

    return back


def through_gem(store: Store, gem: Gem, conversion: Conversion | None = None) -> Read:
    """Takes a code of ICD-10-CM to what it says in ICD-9-CM.

    A code younger than the GEM is taken back to one that it has; one that it cannot say stands
    with `UNMAPPED` before it, so that it counts as a wrong one.
    """
    back = backwards(store, frozenset(gem.readings), conversion, GEM_YEAR)

    @cache
    def read(code: str) -> Readings:
        found = tuple(way for each in back(code) for way in gem.readings.get(each, ()))
        return found or (((UNMAPPED + code,),),)

    return read


def taken(said: Iterable[str], gold: Collection[str], read: Read) -> list[str]:
    """The predictions of one encounter as codes of gold's year and book; each once.

    Of several ways to say a code, the one whose choices meet gold most often is taken, of equals
    the shortest, then the first listed; of a choice the code that gold has, or that shares the
    longest beginning with one.
    """
    truth = frozenset(gold)
    found: dict[str, None] = {}
    for code in said:
        ways = read(code)
        way = ways[0] if len(ways) == 1 else max(ways, key=lambda way: _worth(way, truth))
        for choice in way:
            found[choice[0] if len(choice) == 1 else _nearest(choice, truth)] = None
    return list(found)


def _worth(way: Cluster, truth: frozenset[str]) -> tuple[int, int]:
    return sum(not truth.isdisjoint(choice) for choice in way), -len(way)


def _nearest(choice: Choice, truth: frozenset[str]) -> str:
    def near(code: str) -> tuple[bool, int]:
        return code in truth, max((_shared(code, other) for other in truth), default=0)

    return max(choice, key=near)


def _shared(one: str, other: str) -> int:
    """How many characters two codes begin with alike."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def reached(store: Store, read: Read) -> Callable[[str], frozenset[str]]:
    """From a code, a header too, to all codes of gold's book that it or one below may stand for."""

    @cache
    def reach(code: str) -> frozenset[str]:
        node = store.node(code)
        below = [code]
        if node and not node.billable:
            under = (store.by_number(number) for number in range(node.id, node.last + 1))
            below = [each.code for each in under if each.billable]
        return frozenset(c for each in below for way in read(each) for list_ in way for c in list_)

    return reach


def told(maps: Maps, store: Store, gold: Sequence[Sequence[str]], said: Iterable[str]) -> Any:
    """How far the GEM carries: predictions by kind, and gold that no code leads to."""
    gem = maps.gem
    if gem is None:
        return None
    back = backwards(store, frozenset(gem.readings), maps.conversion, GEM_YEAR)
    counts = {"equivalent": 0, "approximate": 0, "no_map": 0, "not_in_gem": 0}
    for code in said:
        known = [each for each in back(code) if each in gem.readings]
        if not known:
            counts["not_in_gem"] += 1
        elif not any(gem.readings[each] for each in known):
            counts["no_map"] += 1
        else:
            # A code that was divided or moved since is no equivalent of what came before it.
            exact = known == [code] and code in gem.equivalent
            counts["equivalent" if exact else "approximate"] += 1
    codes = [code for each in gold for code in each]
    unreached = sum(code not in gem.targets for code in codes)
    return {"gem": gem.name, "predictions": counts, "gold": len(codes), "unreached": unreached}
