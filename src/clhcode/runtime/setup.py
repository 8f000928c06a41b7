"""What a command line and a configuration file ask of the engines, as one `Setup`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from clhcode.errors import UserError
from clhcode.runtime.pick import Choice, Setup, choose_engine
from clhcode.runtime.probe import Probes
from clhcode.runtime.sampling import (
    CHOOSING,
    Manner,
    Sampling,
    by_agent,
    parse_knobs,
    with_knob,
)
from clhcode.tasks import AGENTS, Agent

PRESETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # The structure of the paper's best set-up; its prompts are in our own words.
    "clh-paper": {"prompt": ("paper",), "reasoning": ("1024",)},
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options as they were given; those with several values by agent as `[AGENT=]VALUE`."""

    model: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()
    choose: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    sampling: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    vllm: tuple[str, ...] = ()
    preset: str | None = None
    context: int | None = None
    config: Path | None = None
    cache: Path | None = None
    cache_only: bool = False
    keep_raw: bool = False
    piped: bool = False


_BY_AGENT = ("model", "engine", "choose", "prompt", "reasoning")


def setup_of(wishes: Wishes, probes: Probes | None = None) -> Setup:
    """The setup that the options ask for.

    A preset gives way to the configuration file, and that to the command line.

    Raises:
        UserError: An option or the file is wrong, or something is missing.
    """
    file = _file(wishes.config) if wishes.config else Wishes()
    preset = wishes.preset or file.preset
    if preset is not None and preset not in PRESETS:
        raise UserError(f"no preset `{preset}`: there are {', '.join(PRESETS)}")
    layers = [Wishes(**cast("Any", PRESETS[preset])) if preset else Wishes(), file, wishes]
    asked: dict[str, dict[Agent, str]] = {name: {} for name in _BY_AGENT}
    knobs: dict[Agent, dict[str, str]] = {agent: {} for agent in AGENTS}
    for layer in layers:
        for name in _BY_AGENT:
            asked[name] |= by_agent(getattr(layer, name), f"--{name}")
        for agent, own in parse_knobs(layer.sampling).items():
            knobs[agent] |= own
    choices = {
        agent: choose_engine(asked["engine"].get(agent), asked["model"].get(agent), probes)
        for agent in AGENTS
    }
    return Setup(
        choices=_one_model(choices),
        manners={agent: _manner(agent, asked, knobs[agent]) for agent in AGENTS},
        context=wishes.context or file.context,
        server=(*_pairs(file.server, "server"), *_pairs(wishes.server, "server")),
        options={k: _value(v) for k, v in _pairs((*file.vllm, *wishes.vllm), "vllm")},
        cache=wishes.cache,
        cache_only=wishes.cache_only,
        keep_raw=wishes.keep_raw or file.keep_raw,
        piped=wishes.piped,
    )


def _one_model(choices: Mapping[Agent, Choice]) -> Mapping[Agent, Choice]:
    """Equal choices as one object, so that each model is loaded once."""
    same = {choice: choice for choice in choices.values()}
    return {agent: same[choice] for agent, choice in choices.items()}


def _manner(
    agent: Agent, asked: Mapping[str, Mapping[Agent, str]], knobs: dict[str, str]
) -> Manner:
    choose = asked["choose"].get(agent, "generate")
    if choose not in CHOOSING:
        raise UserError(f"--choose {choose}: give {' or '.join(CHOOSING)}")
    reasoning = asked["reasoning"].get(agent, "0")
    if not reasoning.isdecimal():
        raise UserError(f"--reasoning {reasoning}: give a number of tokens")
    sampling, weight = Sampling(), None
    for name, value in knobs.items():
        if name == "rank_weight":
            weight = _weight(value)
        else:
            sampling = with_knob(sampling, name, value)
    prompt = asked["prompt"].get(agent, "context")
    return Manner(prompt, choose, int(reasoning), weight, sampling)


def _weight(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UserError(f"sampling option rank_weight: `{value}` is no number") from None


def _pairs(given: tuple[str, ...], option: str) -> tuple[tuple[str, str], ...]:
    found = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--{option} {text}: give NAME=VALUE")
        found.append((name, value))
    return tuple(found)


def _value(text: str) -> object:
    """A value of TOML, or the words as they are."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _file(path: Path) -> Wishes:
    """The options in a TOML file: as on the command line, with a table for each agent.

    Raises:
        UserError: It cannot be read, or holds what is no option.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    found: dict[str, Any] = {}
    known = {f.name for f in fields(Wishes)} - {"config", "cache", "cache_only", "piped"}
    many: dict[str, list[str]] = {name: [] for name in (*_BY_AGENT, "sampling", "server", "vllm")}
    for name, value in values.items():
        if name in AGENTS:
            _agent_table(path, name, value, many)
        elif name not in known:
            raise UserError(f"{path}: no option `{name}`: there are {', '.join(sorted(known))}")
        elif name in ("sampling", "server", "vllm"):
            own = _table(path, name, value)
            many[name] += [f"{key}={_text(each)}" for key, each in own.items()]
        elif name in many:
            many[name].append(_text(value))
        else:
            found[name] = value
    found |= {name: tuple(each) for name, each in many.items()}
    return Wishes(**found)


def _agent_table(path: Path, agent: str, value: object, many: dict[str, list[str]]) -> None:
    for name, each in _table(path, agent, value).items():
        if name == "sampling":
            own = _table(path, f"{agent}.sampling", each)
            many["sampling"] += [f"{agent}.{key}={_text(one)}" for key, one in own.items()]
        elif name in _BY_AGENT:
            many[name].append(f"{agent}={_text(each)}")
        else:
            raise UserError(f"{path}: [{agent}] has no `{name}`: there are {', '.join(_BY_AGENT)}")


def _table(path: Path, name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path}: `{name}` is a table: [{name}]")
    return value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
