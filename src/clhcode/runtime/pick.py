"""Which engine answers, and why: the choice is printed, never silent."""

from __future__ import annotations

from dataclasses import dataclass

from clhcode.errors import UserError
from clhcode.runtime.rules import RulesEngine
from clhcode.search.find import Finder
from clhcode.talk import Engine

ENGINES = ("rules",)


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine's name and the reason it was taken."""

    name: str
    reason: str


def choose_engine(engine: str | None) -> Choice:
    """Decides on the engine from what was asked for.

    Raises:
        UserError: The engine is not one that is here.
    """
    if engine is None:
        return Choice("rules", "no model given")
    if engine not in ENGINES:
        raise UserError(f"no engine `{engine}`: choose among {', '.join(ENGINES)}")
    return Choice(engine, "as asked")


def start_engine(choice: Choice, finder: Finder) -> Engine:
    """The engine itself."""
    return {"rules": RulesEngine}[choice.name](finder)
