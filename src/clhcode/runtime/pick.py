"""Which engine answers, and why: the choice is printed, never silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.runtime.by_agent import ByAgent
from clhcode.runtime.model import Model
from clhcode.runtime.probe import Probes, probe
from clhcode.runtime.sampling import PLAIN, Manners
from clhcode.search.find import Finder
from clhcode.talk import Engine
from clhcode.tasks import AGENTS, Agent

if TYPE_CHECKING:
    from clhcode.runtime.text import TextEngine

ENGINES = ("rules", "llamacpp", "vllm", "openai")


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


@dataclass(frozen=True, slots=True)
class Setup:
    """How the judging is done, whole.

    Attributes:
        choices: The engine of each agent.
        manners: How each agent's questions are put.
        context: Tokens of prompt and answer; None for the model's own.
        server: `--server` options by name.
        options: More arguments for vLLM.
        cache: File of answers; None for none.
        cache_only: Refuse what is not in it.
        keep_raw: Keep thoughts and raw answers in the table.
        piped: Whether other stages run beside this one, and may share a model.
    """

    choices: Mapping[Agent, Choice]
    manners: Manners = field(default_factory=lambda: PLAIN)
    context: int | None = None
    server: tuple[tuple[str, object], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cache: Path | None = None
    cache_only: bool = False
    keep_raw: bool = False
    piped: bool = False

    @property
    def different(self) -> tuple[Choice, ...]:
        """Each choice once, in the agents' order."""
        return tuple(dict.fromkeys(self.choices[agent] for agent in AGENTS))

    @property
    def remote(self) -> Choice | None:
        """A choice that sends text to another machine, where there is one."""
        return next((choice for choice in self.different if choice.remote), None)

    @property
    def speaks(self) -> bool:
        """Whether any agent asks a language model."""
        return any(choice.model for choice in self.different)

    def describe(self) -> str:
        """The engines for people, each with its reason."""
        if len(self.different) == 1:
            (one,) = self.different
            return f"{one.describe()} ({one.reason})"
        each = (f"{agent}: {self.choices[agent].describe()}" for agent in AGENTS)
        return " · ".join(each)

    def named(self) -> str:
        """The engines in a word or two."""
        return " + ".join(dict.fromkeys(choice.name for choice in self.different))


def rules_only() -> Setup:
    """The setup without a model."""
    return Setup(dict.fromkeys(AGENTS, Choice("rules", "no model given")))


def choose_engine(
    engine: str | None, model: str | None = None, probes: Probes | None = None
) -> Choice:
    """Decides on the engine from what was asked for and what is there.

    Args:
        engine: `--engine`; None lets the model decide.
        model: `--model`: a URL, a GGUF file, a folder, a name on the hub, or None.
        probes: What this machine has; looked up where needed otherwise.

    Raises:
        UserError: They do not go together, or something is missing.
    """
    if engine is not None and engine not in ENGINES:
        raise UserError(f"no engine `{engine}`: choose among {', '.join(ENGINES)}")
    if model is None:
        if engine not in (None, "rules"):
            raise UserError(f"the engine {engine} needs --model: {_NEEDS[engine]}")
        return Choice("rules", "as asked" if engine else "no model given")
    if engine == "rules":
        raise UserError("the engine rules runs no model: leave --model or --engine away")
    name, reason = _by_model(model, probes) if engine is None else (engine, "as asked")
    _check(name, model, probes or probe())
    if name == "openai":
        from clhcode.remote import is_remote

        return Choice(name, reason, model, is_remote(model))
    return Choice(name, reason, model)


_NEEDS = {
    "openai": "the URL of a server, as http://127.0.0.1:8000/v1",
    "llamacpp": "a GGUF file, or ORG/NAME/FILE.gguf on the hub",
    "vllm": "a folder of Hugging Face's layout, or ORG/NAME on the hub",
}


def _by_model(model: str, probes: Probes | None) -> tuple[str, str]:
    """The engine that a model asks for, and why."""
    if _is_url(model):
        return "openai", "the model is a URL"
    if model.lower().endswith(".gguf"):
        return "llamacpp", "the model is a GGUF file"
    folder = Path(model)
    if folder.is_dir():
        holds = any(folder.glob("*.gguf"))
        whole = (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file()
        if not holds and not whole:
            raise UserError(f"--model {model}: the folder holds neither a GGUF nor a config.json")
        if holds and not (whole and (probes or probe()).cuda):
            return "llamacpp", "the folder holds a GGUF"
        kind = "a folder"
    elif model.count("/") == 1 and not folder.exists() and not model.startswith((".", "/")):
        kind = "a name on the hub"
    else:
        raise UserError(f"--model {model}: no such file or folder, no URL, no ORG/NAME of the hub")
    if not (probes or probe()).cuda:
        raise UserError(
            f"--model {model}: {kind} runs in vLLM on a CUDA device, and there is none: give a GGUF"
            " of it for llama.cpp, or --engine vllm for vLLM's CPU build"
        )
    return "vllm", f"the model is {kind}, on a CUDA device"


def _check(engine: str, model: str, probes: Probes) -> None:
    """Refuses an engine that is not installed or cannot run such a model."""
    if engine == "openai" and not _is_url(model):
        raise UserError(f"--model {model}: the engine openai needs {_NEEDS['openai']}")
    if engine != "openai" and _is_url(model):
        raise UserError(f"--model {model}: a URL is for the engine openai, not for {engine}")
    if engine == "llamacpp" and not probes.llamacpp:
        raise UserError("llama.cpp is not installed: pip install 'clhcode[llamacpp]'")
    if engine == "vllm" and not probes.vllm:
        raise UserError("vLLM is not installed: pip install 'clhcode[vllm]'")
    if engine == "vllm" and model.lower().endswith(".gguf"):
        raise UserError(f"--model {model}: a GGUF file is for llama.cpp, not for vLLM")


def _is_url(model: str) -> bool:
    return model.startswith(("http://", "https://"))


def start_engine(setup: Setup, finder: Finder) -> Engine:
    """The engine of a setup; a model that several agents share is loaded once.

    Raises:
        UserError: A model cannot be loaded, or a prompt not be read.
        EngineGoneError: A server is not there.
    """
    from clhcode.runtime.rules import RulesEngine

    made = {
        choice: _spoken(choice, setup) if choice.model else RulesEngine(finder)
        for choice in setup.different
    }
    if len(made) == 1:
        return next(iter(made.values()))
    return ByAgent({agent: made[setup.choices[agent]] for agent in AGENTS})


def _speaking(engine: Engine) -> list[TextEngine]:
    from clhcode.runtime.text import TextEngine

    every = engine.engines if isinstance(engine, ByAgent) else [engine]
    return [each for each in every if isinstance(each, TextEngine)]


def model_names(engine: Engine) -> str:
    """The models of an engine, as the provenance has them."""
    return " + ".join(each.name for each in _speaking(engine))


def used(engine: Engine) -> list[dict[str, object]]:
    """What an engine's models cost so far, one entry a model."""
    return [{"model": each.name, **asdict(each.usage)} for each in _speaking(engine)]


def _spoken(choice: Choice, setup: Setup) -> Engine:
    from clhcode.runtime import speak
    from clhcode.runtime.cache import Answers
    from clhcode.runtime.text import TextEngine

    speak.check({agent: manner.prompt for agent, manner in setup.manners.items()})
    model = open_model(choice, setup)
    answers = Answers(setup.cache, only=setup.cache_only) if setup.cache else None
    return TextEngine(model, setup.manners, answers, keep_raw=setup.keep_raw)


def open_model(choice: Choice, setup: Setup) -> Model:
    """Loads the model of a choice.

    Raises:
        UserError: It cannot be loaded.
    """
    name = choice.model or ""
    if choice.name == "openai":
        from clhcode.runtime.openai import ServedModel, speech_of

        return ServedModel(name, speech_of(setup.server))
    if choice.name == "llamacpp":
        from clhcode.runtime.llamacpp import LlamaModel
        from clhcode.runtime.weights import gguf_file

        return LlamaModel(gguf_file(name), context=setup.context)
    from clhcode.runtime.vllm import SharedVllm, VllmModel

    kind = SharedVllm if setup.piped else VllmModel
    return kind(name, context=setup.context, options=setup.options)
