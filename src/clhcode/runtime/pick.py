"""Which engine answers, and why: the choice is printed, never silent."""

from __future__ import annotations

from dataclasses import dataclass

from clhcode.errors import UserError
from clhcode.runtime.rules import RulesEngine
from clhcode.search.find import Finder
from clhcode.talk import Engine

ENGINES = ("rules", "openai")


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine's name and the reason it was taken.

    Attributes:
        model: What it runs, where it runs one.
        remote: Whether text leaves this machine on the way to it.
    """

    name: str
    reason: str
    model: str | None = None
    remote: bool = False

    def describe(self) -> str:
        """The engine for people."""
        return f"{self.name} {self.model}" if self.model else self.name


def choose_engine(engine: str | None, model: str | None = None) -> Choice:
    """Decides on the engine from what was asked for.

    Raises:
        UserError: The engine is not one that is here, or it and the model do not go together.
    """
    if engine is not None and engine not in ENGINES:
        raise UserError(f"no engine `{engine}`: choose among {', '.join(ENGINES)}")
    if model is None:
        if engine == "openai":
            raise UserError("the engine openai needs --model with the URL of a server")
        return Choice("rules", "as asked" if engine else "no model given")
    if engine == "rules":
        raise UserError("the engine rules runs no model: leave --model or --engine away")
    if not model.startswith(("http://", "https://")):
        raise UserError(
            f"--model {model}: only a server's URL can be used so far, as http://127.0.0.1:8000/v1"
        )
    from clhcode.remote import is_remote

    return Choice("openai", "the model is a URL", model, is_remote(model))


def start_engine(choice: Choice, finder: Finder) -> Engine:
    """The engine itself."""
    if choice.name == "openai":
        from clhcode.runtime.openai import OpenAIEngine

        return OpenAIEngine(choice.model or "")
    return RulesEngine(finder)
