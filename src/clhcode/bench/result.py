"""A result file: enough to score a run again, and no word of a note."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from clhcode.bench.cases import Case
from clhcode.bench.protocol import Protocol
from clhcode.errors import UserError

FORMAT = "clh-result-1"
RUN = (
    *("clhcode", "engine", "model", "prompts", "oracle", "without", "candidates", "seeds", "run"),
    *("retriever", "embedder", "top_k"),
    *("classification", "tabular", "space", "predictions"),
)
"""What is told of a run."""
OF_MODELS = ("manners", "usage")
"""What is told beside of a run with a model."""
_FIGURES = (
    *("metrics", "stages", "approximate", "warning", "overlap"),
    *("seeds", "failed", "speed"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """A run and what it was run on.

    Attributes:
        gold: The gold codes of each case, so that two results can be compared without the data.
        run: What was run: engine, oracle, seeds, version, hashes of the classification.
        figures: `metrics`, `stages`, `speed` and what else was printed.
    """

    protocol: Protocol
    run: dict[str, Any]
    cases: tuple[Case, ...]
    gold: tuple[tuple[str, ...], ...]
    figures: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The whole file as plain JSON."""
        return {
            "format": FORMAT,
            "protocol": self.protocol.as_dict(),
            "run": self.run,
            **self.figures,
            "cases": [
                {**case.as_dict(), "gold": list(gold)}
                for case, gold in zip(self.cases, self.gold, strict=True)
            ],
        }


def write(result: Result, path: Path) -> None:
    """Writes the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(orjson.dumps(result.as_dict(), option=orjson.OPT_INDENT_2))
    part.replace(path)


def read(path: Path) -> Result:
    """Reads a result file.

    Raises:
        UserError: There is none, or it is something else.
    """
    try:
        values = orjson.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise UserError(f"{path}: a result of format {values['format']}, not {FORMAT}")
        cases = tuple(Case.of_dict(case) for case in values["cases"])
        gold = tuple(tuple(case["gold"]) for case in values["cases"])
        about = {key: values["run"][key] for key in RUN}
        about |= {key: values["run"][key] for key in OF_MODELS if key in values["run"]}
        kept = {k: values[k] for k in _FIGURES if k in values}
        return Result(Protocol.of_dict(values["protocol"]), about, cases, gold, kept)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a result of `clh bench` ({type(error).__name__})") from None


def digest(cases: Sequence[Case]) -> str:
    """A short hash of predictions."""
    rows = [[case.id, *case.codes] for case in cases]
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()[:16]
