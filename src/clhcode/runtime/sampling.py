"""How a model writes, by agent; from the command line or a TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from clhcode.errors import UserError
from clhcode.tasks import AGENTS, Agent

Choosing = Literal["generate", "score"]
CHOOSING: tuple[Choosing, ...] = ("generate", "score")


@dataclass(frozen=True, slots=True)
class Sampling:
    """The usual knobs; a temperature of 0 is greedy and leaves the others without effect.

    Attributes:
        top_p: The likeliest tokens that make up this much.
        top_k: This many of the likeliest tokens; 0 for all.
        min_p: Tokens at least this likely beside the likeliest.
        max_tokens: Tokens of an answer; 0 for as many as its schema can need.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 1
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Manner:
    """How one agent's questions are put to a model.

    Attributes:
        prompt: A shipped template's name, or a file.
        choose: Whether numbers are written or options rated.
        reasoning: Tokens of free thought before the answer; 0 for none.
        rank_weight: What a rank of lexical order costs a rated option, in nats; None for the
            way of rating's own.
    """

    prompt: str = "context"
    choose: Choosing = "generate"
    reasoning: int = 0
    rank_weight: float | None = None
    sampling: Sampling = Sampling()


Manners = Mapping[Agent, Manner]
PLAIN: Manners = {agent: Manner() for agent in AGENTS}


def with_knob(sampling: Sampling, name: str, value: object) -> Sampling:
    """A sampling with one knob turned.

    Raises:
        UserError: There is no such knob, or this is no value of it.
    """
    known = {f.name: type(getattr(sampling, f.name)) for f in fields(Sampling)}
    if name not in known:
        raise UserError(f"no sampling option `{name}`: there are {', '.join(known)}")
    try:
        return replace(sampling, **{name: _number(known[name], value)})
    except (TypeError, ValueError):
        raise UserError(f"sampling option {name}: `{value}` is no number it can take") from None


def _number(kind: type, value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = kind(value)
    if number < 0 or number != float(value):
        raise ValueError
    return number


def parse_knobs(given: Iterable[str]) -> dict[Agent, dict[str, str]]:
    """`[AGENT.]NAME=VALUE` by agent; without an agent for all of them, named ones last.

    Raises:
        UserError: It is not of that form, or no such agent.
    """
    found: dict[Agent, dict[str, str]] = {agent: {} for agent in AGENTS}
    own: list[tuple[Agent, str, str]] = []
    for text in given:
        left, equals, value = text.partition("=")
        if not equals or not value:
            raise UserError(f"--sampling {text}: give [AGENT.]NAME=VALUE, as locate.top_k=40")
        agent, dot, name = left.rpartition(".")
        if not dot:
            for each in AGENTS:
                found[each][name] = value
        else:
            own.append((agent_of(agent), name, value))
    for agent_, name, value in own:
        found[agent_][name] = value
    return found


def agent_of(name: str) -> Agent:
    """The agent of a name.

    Raises:
        UserError: There is none.
    """
    if name not in AGENTS:
        raise UserError(f"no agent `{name}`: there are {', '.join(AGENTS)}")
    return name


def by_agent(given: Iterable[str], option: str) -> dict[Agent, str]:
    """`VALUE` for all agents, `AGENT=VALUE` for one.

    Raises:
        UserError: Two values for one agent.
    """
    whole: str | None = None
    own: dict[Agent, str] = {}
    for text in given:
        left, equals, right = text.partition("=")
        if equals and left in AGENTS:
            agent = agent_of(left)
            if agent in own:
                raise UserError(f"{option} is given twice for {agent}")
            own[agent] = right
        elif whole is not None:
            raise UserError(f"{option} is given twice: give one, or AGENT=VALUE")
        else:
            whole = text
    everyone = dict.fromkeys(AGENTS, whole) if whole is not None else {}
    return {agent: value for agent, value in {**everyone, **own}.items() if value is not None}
