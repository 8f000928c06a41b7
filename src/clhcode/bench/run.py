"""A run of the bench: rows in, a result out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clhcode import __version__
from clhcode.bench import baselines
from clhcode.bench.candidates import from_file, gold_and
from clhcode.bench.cases import Case, case_of, key_of
from clhcode.bench.ground import Asked, Ground
from clhcode.bench.mapping import told
from clhcode.bench.measure import measure
from clhcode.bench.protocol import (
    GOLD_WARNING,
    gold_codes,
)
from clhcode.bench.result import Result, digest
from clhcode.bench.stages import lost, stages
from clhcode.errors import UserError
from clhcode.pipeline import Workplace, run_stages
from clhcode.table.convert import Row
from clhcode.tasks import AGENTS


def run(
    asked: Asked, on: Ground, place: Workplace, tick: Callable[[], None] = lambda: None
) -> Result:
    """Codes and scores; the cases of the first seed are kept."""
    drawn = asked.candidates is not None and asked.candidates.startswith("gold+")
    seeds = asked.seeds if drawn else asked.seeds[:1]
    began = time.perf_counter()
    runs = [_cases(asked, on, place, seed, tick) for seed in seeds]
    seconds = time.perf_counter() - began
    found = [score(on, cases, asked.draws if n == 0 else 0) for n, cases in enumerate(runs)]
    figures = found[0]
    figures["failed"] = sum(case.failed for case in runs[0])
    if asked.space == "gold":
        figures["warning"] = GOLD_WARNING
    if on.overlap:
        figures["overlap"] = {**on.overlap.as_dict(), "told": on.overlap.describe()}
    if len(asked.seeds) > 1:
        figures["seeds"] = _spread(asked.seeds, [f["metrics"] for f in found], drawn=drawn)
    figures["speed"] = {
        "encounters_per_s": len(on.rows) * len(seeds) / seconds if seconds else 0.0,
        "peak_rss_mb": _peak(),
    }
    about = {
        "clhcode": __version__,
        "engine": asked.baseline or place.setup.named(),
        "model": None if asked.baseline else place.config["model"],
        "prompts": None if asked.baseline else place.config.get("prompts"),
        "manners": None if asked.baseline else place.config.get("manners"),
        "usage": place.usage(),
        "retriever": place.config["retriever"],
        "embedder": place.config["embedder"],
        "top_k": place.config["top_k"],
        "oracle": list(asked.oracle),
        "without": sorted(place.tools.policy.without),
        "candidates": asked.candidates,
        "seeds": list(asked.seeds),
        "run": place.run,
        "classification": place.config["sources"],
        "tabular": place.sources.tabular.release,
        "space": sorted(on.scale.space) if on.scale.space is not None else None,
        "predictions": digest(runs[0]),
    }
    gold = tuple(gold_codes(row) for row in on.rows)
    return Result(on.protocol, about, tuple(runs[0]), gold, figures)


def score(on: Ground, cases: Sequence[Case], draws: int) -> dict[str, Any]:
    """`metrics` and `stages` of cases that stand in the order of the rows."""
    keys = [key_of(row) for row in on.rows]
    texts = {
        f"{row.encounter.encounter_id}/{note.note_id}": note.text
        for row in on.rows
        for note in row.encounter.notes
    }
    train = [gold_codes(row) for row in on.train]
    found = measure(keys, cases, on.scale, train=train, texts=texts, draws=draws)
    figures: dict[str, Any] = {"metrics": found}
    if any(case.located for case in cases):
        after = stages(keys, cases, on.scale)
        figures["stages"] = {**after, "lost": lost(after)}
    said = (code for case in cases for code in case.codes)
    gold = [key.codes for key in keys]
    if on.scale.mapped and (carried := told(on.scale.maps, on.scale.store, gold, said)):
        figures["approximate"] = carried
    return figures


_KEPT = ("speed", "warning", "overlap", "seeds", "failed")
"""Figures of a run that its predictions do not tell."""


def again(result: Result, on: Ground, draws: int) -> Result:
    """Scores the predictions of a result file anew.

    Raises:
        UserError: The data are not those that were scored.
    """
    if result.protocol.data != on.protocol.data:
        raise UserError(
            f"the data are not those of the result: hash {on.protocol.data} here,"
            f" {result.protocol.data} there"
        )
    figures = score(on, result.cases, draws)
    figures |= {k: v for k, v in result.figures.items() if k in _KEPT}
    return replace(result, figures=figures)


def _cases(
    asked: Asked, on: Ground, place: Workplace, seed: int, tick: Callable[[], None]
) -> list[Case]:
    if asked.baseline:
        return baselines.predict(asked.baseline, on.rows, on.train, place.tools.finder)
    rows: Iterable[Row] = on.rows
    agents = AGENTS
    if asked.candidates:
        agents = AGENTS[2:]
        store = place.tools.store
        if asked.candidates.startswith("gold+"):
            rows = gold_and(rows, int(asked.candidates[5:]), seed, store)
        else:
            rows = from_file(Path(asked.candidates), rows, store)
    found = []
    for row in run_stages(rows, agents, place, oracle=asked.oracle):
        found.append(case_of(row.encounter))
        tick()
    return found


def _spread(
    seeds: Sequence[int], found: Sequence[dict[str, Any]], *, drawn: bool
) -> dict[str, Any]:
    """Mean and sample standard deviation of micro and macro F1 over seeds."""
    from statistics import mean, stdev

    spread: dict[str, Any] = {"seeds": list(seeds), "runs": len(found)}
    if not drawn:
        spread["note"] = "nothing is drawn here: one run stands for all seeds"
    for name in ("micro", "macro"):
        values = [f[name]["f1"] for f in found]
        deviation = stdev(values) if len(values) > 1 else 0.0
        spread[name] = {"f1_mean": mean(values), "f1_sd": deviation}
    return spread


def _peak() -> float:
    """Peak resident memory of this process in MB."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
