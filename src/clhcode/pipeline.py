"""Stages over a stream of rows: the only room that knows agents, runtime and table."""

from __future__ import annotations

import hashlib
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from clhcode import __version__
from clhcode.agents.analyse import analyse
from clhcode.agents.assign import assign
from clhcode.agents.locate import locate
from clhcode.agents.tools import Tools
from clhcode.agents.verify import verify
from clhcode.datasets.registry import DATASETS
from clhcode.errors import EngineGoneError, UserError
from clhcode.icd.guidelines import Guidelines, open_guidelines
from clhcode.icd.sources import Sources, choose
from clhcode.icd.store import open_store, say_on_stderr
from clhcode.policy import Policy
from clhcode.records import Encounter, Failure, Setting, Turn
from clhcode.remote import is_remote, is_url
from clhcode.runtime.oracle import Oracle
from clhcode.runtime.pick import Setup, model_names, start_engine, used
from clhcode.runtime.speak import fingerprint
from clhcode.search.find import Finder, open_finder
from clhcode.search.retrieve import Hybrid, Lexical, Retriever, Retrieving
from clhcode.table.convert import Row
from clhcode.talk import Engine, Reply, Talk, drive, helped, overheard
from clhcode.tasks import AGENTS, Agent, Extract, Fault, Task

LONGEST = 1_000_000
"""Characters of a note that is read; what is longer is no note but a file gone wrong."""

STAGES: dict[Agent, Callable[[Encounter, Tools], Talk[Encounter]]] = {
    "analyse": analyse,
    "locate": locate,
    "verify": verify,
    "assign": assign,
}


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How `locate` finds candidates.

    Attributes:
        embedder: What makes vectors, for `dense` and `hybrid`: a folder, a hub name or a URL.
        most: Codes offered for a condition, at most.
    """

    name: Retrieving = "lexical"
    embedder: str | None = None
    most: int = 10

    def __post_init__(self) -> None:
        if self.name == "lexical" and self.embedder:
            raise UserError("--embedder goes with --retriever dense or hybrid")
        if self.name != "lexical" and not self.embedder:
            raise UserError(f"--retriever {self.name} needs --embedder: a model or a server's URL")

    @property
    def remote(self) -> bool:
        """Whether phrases leave this machine to be embedded."""
        return self.embedder is not None and is_url(self.embedder) and is_remote(self.embedder)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Everything a run stands on.

    Attributes:
        run: Short name of the configuration; equal configurations have equal names.
        config: What `runs` in the table's metadata keeps under that name.
    """

    tools: Tools
    engine: Engine
    setup: Setup
    sources: Sources
    run: str
    config: dict[str, object]
    allow_remote: bool = False
    retrieval: Retrieval = Retrieval()

    def close(self) -> None:
        """Frees what the engine holds, and keeps with the configuration what it cost."""
        if (usage := self.usage()) is not None:
            self.config["usage"] = usage
        if (close := getattr(self.engine, "close", None)) is not None:
            close()

    def usage(self) -> list[dict[str, object]] | None:
        """What the models cost so far, one entry a model; None without one."""
        return used(self.engine) or None


def open_workplace(
    policy: Policy,
    setup: Setup,
    setting: Setting | None = None,
    *,
    release: str | None = None,
    allow_remote: bool = False,
    retrieval: Retrieval = Retrieval(),
    say: Callable[[str], None] = say_on_stderr,
) -> Workplace:
    """Opens classification, search and engine, building what has not been built yet."""
    sources = choose(release=release)
    store, key = open_store(sources, say)
    finder = open_finder(store, key, say)
    retriever, embedder = _retriever(retrieval, finder, key, say)
    config: dict[str, object] = {
        "clhcode": __version__,
        "engine": setup.named(),
        "model": None,
        "policy": policy.name,
        "without": sorted(policy.without),
        "setting": setting,
        "retriever": retrieval.name,
        "top_k": retrieval.most,
        "embedder": embedder,
        "tabular": sources.tabular.release,
        "books": {file.kind: file.release for file in sources.books},
        "files": [Path(file.path).name for file in sources.files()],
        "sources": key,
    }
    engine = start_engine(setup, finder)
    guidelines: Guidelines | None = None
    if setup.speaks:
        guidelines = open_guidelines(sources.guidelines, say)
        config["guidelines"] = f"{guidelines.source} ({guidelines.fingerprint()})"
        # The same model behind another address is the same run.
        config["model"] = model_names(engine)
        config |= {"agents": {agent: setup.choices[agent].name for agent in AGENTS}}
        config["prompts"] = fingerprint({a: m.prompt for a, m in setup.manners.items()})
        config |= {"manners": {a: asdict(setup.manners[a]) for a in AGENTS}}
        config["context"] = setup.context
    run = hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]
    tools = Tools(
        store,
        finder,
        policy,
        setting,
        candidates=retrieval.most,
        retriever=retriever,
        guidelines=guidelines,
    )
    return Workplace(tools, engine, setup, sources, run, config, allow_remote, retrieval)


def _retriever(
    retrieval: Retrieval, finder: Finder, key: str, say: Callable[[str], None]
) -> tuple[Retriever | None, str | None]:
    """What ranks candidates, and the identity of its embedder."""
    if retrieval.embedder is None:
        return None, None
    from clhcode.search.dense import open_dense
    from clhcode.search.embed import open_embedder

    embedder = open_embedder(retrieval.embedder)
    dense = open_dense(finder, key, embedder, say)
    if retrieval.name == "dense":
        return dense, embedder.identity
    # Neighbours are what two rankings are fused for.
    return Hybrid(Lexical(finder, widen=True), dense), embedder.identity


def code(encounter: Encounter, tools: Tools) -> Talk[Encounter]:
    """The whole method for one encounter: the four agents after each other."""
    for agent in AGENTS:
        encounter = yield from STAGES[agent](encounter, tools)
    return encounter


def run_stages(
    rows: Iterable[Row],
    stages: Sequence[Agent],
    place: Workplace,
    width: int | None = None,
    oracle: Collection[Agent] = (),
) -> Iterator[Row]:
    """Takes rows through stages, in order; `gold` passes by and no agent looks at it.

    Args:
        rows: Consumed as a stream.
        stages: The agents, in order.
        place: Tools and engine.
        width: Encounters in flight at a time; what the engine likes best otherwise.
        oracle: Agents whose questions the row's gold answers in place of the engine.

    Raises:
        UserError: A row lacks the stage before the first of `stages`.
    """
    golds: deque[object | None] = deque()

    def talks() -> Iterator[Talk[Encounter]]:
        for row in rows:
            golds.append(row.gold)
            encounter = row.encounter
            _check_ready(encounter, stages[0], place.tools)
            _check_private(encounter, place)
            talk = _guarded(encounter, stages, place)
            if oracle and isinstance(row.gold, list):
                talk = helped(talk, Oracle(row.gold, oracle).answer)
            yield talk

    best = getattr(place.engine, "width", 64) if width is None else width
    for encounter in drive(talks(), place.engine, best):
        yield Row(encounter, golds.popleft())


def _guarded(encounter: Encounter, stages: Sequence[Agent], place: Workplace) -> Talk[Encounter]:
    """One row's talk. A bug in a stage costs the row, which says so, and no other."""
    if any(error.stage == "read" for error in encounter.errors):
        stages = ()
    turns: list[Turn] = []

    def hear(task: Task, reply: Reply) -> None:
        if (turn := _turn(task, reply)) is not None:
            turns.append(turn)

    longest = max((len(note.text) for note in encounter.notes), default=0)
    for stage in stages:
        if not _may_run(encounter, stage):
            break
        if stage == "analyse" and longest > LONGEST:
            message = f"a note of {longest:,} characters is longer than {LONGEST:,}"
            failure = Failure(stage, "too-long", message)
            encounter = replace(encounter, errors=(*encounter.errors, failure))
            break
        try:
            talk = STAGES[stage](encounter, place.tools)
            encounter = yield from overheard(talk, hear) if place.setup.keep_raw else talk
        except EngineGoneError:
            # The embedder's server; without it no later row can be looked up either.
            raise
        except Exception as error:
            # The exception's own text may quote the note: its type and place must do.
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}"
            failure = Failure(stage, "internal", where)
            encounter = replace(encounter, errors=(*encounter.errors, failure))
            break
    runs = dict.fromkeys((*encounter.runs, place.run))
    if place.setup.keep_raw:
        encounter = replace(encounter, transcript=(*(encounter.transcript or ()), *turns))
    return replace(encounter, runs=tuple(runs))


def _turn(task: Task, reply: Reply) -> Turn | None:
    """What was said of a question, where words were."""
    if isinstance(reply, Fault):
        step = "extract" if isinstance(task, Extract) else task.step
        return Turn(task.agent, step, reply.raw) if reply.raw else None
    said = reply.said
    return Turn(task.agent, said.question, said.answer, said.thought) if said else None


def _may_run(encounter: Encounter, stage: Agent) -> bool:
    return stage == "analyse" or encounter.conditions is not None


def _check_ready(encounter: Encounter, first: Agent, tools: Tools) -> None:
    """Refuses a table whose earlier stages never ran; a row that failed there passes on."""
    if first == "analyse" or encounter.errors:
        return
    here, setting = f"encounter {encounter.encounter_id}", tools.setting_of(encounter)
    if encounter.conditions is None:
        raise UserError(f"{here} has no conditions: run `clh analyse` first")
    if first == "locate":
        return
    coded = [c for c in encounter.conditions if tools.policy.codes(c.assertion, setting)]
    if any(condition.candidates is None for condition in coded):
        raise UserError(f"{here} has conditions without candidates: run `clh locate` first")
    verdicts = [c.verdict for condition in coded for c in condition.candidates or ()]
    if first == "assign" and None in verdicts:
        raise UserError(f"{here} has candidates without a verdict: run `clh verify` first")


def _check_private(encounter: Encounter, place: Workplace) -> None:
    """Refuses to send the text of a credentialed data set to another machine."""
    known = DATASETS.get(encounter.dataset or "")
    if place.allow_remote or not known or not known.credentialed:
        return
    judge = place.setup.remote
    embedder = place.retrieval.embedder if place.retrieval.remote else None
    for url in (judge.model if judge else None, embedder):
        if url:
            raise UserError(
                f"{known.title} is credentialed: its text may not leave for {url}"
                " (--allow-remote if your agreement covers that server)"
            )
