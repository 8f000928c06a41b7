"""Diseases that one code says together: the classification presumes the link (I.A.15, I.C.9.a).

The word "with" in the index and the Tabular List presumes that two conditions are related,
even where the note does not say so. A note that says they are not related is beyond what a set
of codes can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clhcode.edits.claim import Claim, Edit, Finding

_DIABETES = ("E08", "E09", "E10", "E11", "E13")
_PRESUMED = (
    ("N18.", "22", True),
    ("L97.4", "621", True),
    ("L97.5", "621", True),
    ("L97.", "622", True),
    ("G62.9", "42", False),
    ("I73.9", "51", False),
    ("R73.9", "65", False),
)
"""Beside diabetes: what the other code begins with, what the diabetes then ends in, and whether
the other code still says more (a stage, a site) and stays."""


@dataclass(frozen=True, slots=True)
class Combination:
    """A code that stands for others of a claim.

    Attributes:
        code: The combination code.
        of: Positions of the codes it says together.
        replaces: Those of them that it makes superfluous; the first is where it goes.
    """

    code: str
    of: tuple[int, ...]
    replaces: tuple[int, ...]
    guideline: str


def combinations(codes: Sequence[str]) -> list[Combination]:
    """What a set of codes, in their printed form, has to be combined to."""
    return [*_hypertension(codes), *_diabetes(codes)]


def _hypertension(codes: Sequence[str]) -> Iterator[Combination]:
    """Hypertension with heart failure, with kidney disease, with both (I.C.9.a.1 to 3)."""
    high = [i for i, code in enumerate(codes) if code[:3] in ("I10", "I11", "I12", "I13")]
    if not high:
        return
    said = {codes[i] for i in high}
    failing = [i for i, code in enumerate(codes) if code.startswith("I50")]
    kidney = [i for i, code in enumerate(codes) if code.startswith("N18")]
    failure = bool(failing) or bool(said & {"I11.0", "I13.0", "I13.2"})
    heart = failure or bool(said & {"I11.9", "I13.10", "I13.11"})
    chronic = bool(kidney) or any(code[:3] in ("I12", "I13") for code in said)
    late = any(codes[i] in ("N18.5", "N18.6") for i in kidney) or (
        not kidney and bool(said & {"I12.0", "I13.11", "I13.2"})
    )
    if chronic and failure:
        code = "I13.2" if late else "I13.0"
    elif chronic and heart:
        code = "I13.11" if late else "I13.10"
    elif chronic:
        code = "I12.0" if late else "I12.9"
    elif failure:
        code = "I11.0"
    else:
        return
    if said != {code}:
        yield Combination(code, (*high, *failing, *kidney), tuple(high), "I.C.9.a")


def _diabetes(codes: Sequence[str]) -> Iterator[Combination]:
    """Diabetes with what the index lists below its "with" (I.A.15, I.C.4.a)."""
    sweet = [i for i, code in enumerate(codes) if code[:3] in _DIABETES]
    if len({codes[i][:3] for i in sweet}) != 1:
        # Of two types the Excludes1 notes have still to decide.
        return
    first = sweet[0]
    category = codes[first][:3]
    plain = tuple(i for i in sweet if codes[i] == f"{category}.9")
    made: dict[str, Combination] = {}
    for at, other in enumerate(codes):
        ending = next((rule for rule in _PRESUMED if other.startswith(rule[0])), None)
        if ending is None:
            continue
        code = f"{category}.{ending[1]}"
        if code in codes and ending[2]:
            continue
        of = (*made[code].of, at) if code in made else (first, at)
        replaces = (*plain, *(i for i in of if i not in sweet and not ending[2]))
        made[code] = Combination(code, of, replaces, "I.A.15")
    yield from made.values()


def _apart(claim: Claim) -> Iterator[Finding]:
    codes = [line.code for line in claim.lines]
    for one in combinations(codes):
        at, *others = one.of
        together = " and ".join(codes[i] for i in one.of)
        message = f"{together} are reported together: {one.code}"
        yield Finding("CB101", at, "report", message, others[0] if others else None)


EDITS = (
    Edit(
        "CB101",
        "combination-code",
        "I.A.15, I.C.9.a",
        "The classification presumes that hypertension and heart failure or chronic kidney "
        "disease are related, and diabetes and the conditions listed under its `with`. One code "
        "says both; the other stays where it adds a stage or a site. Where the note says that "
        "they are not related, code them apart.",
        _apart,
        fires=("I10", "N18.30"),
        passes=("I12.9", "N18.30"),
    ),
)
