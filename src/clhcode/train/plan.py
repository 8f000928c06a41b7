"""What a training run is asked to do, whole; equal plans are the same run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from clhcode.errors import UserError
from clhcode.runtime.sampling import Choosing
from clhcode.tasks import Agent
from clhcode.train.examples import Recipe
from clhcode.train.rewards import PARTS, WEIGHTS

Method = Literal["sft", "grpo"]
Tune = Literal["lora", "qlora", "full"]
Backend = Literal["auto", "trl", "unsloth"]
Rollouts = Literal["auto", "transformers", "vllm"]

LEARNING_RATES: Mapping[tuple[str, bool], float] = {
    ("sft", False): 2e-4,
    ("sft", True): 2e-5,
    ("grpo", False): 1e-5,
    ("grpo", True): 1e-6,
}
"""By method, and whether all weights learn."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run.

    Attributes:
        data: A table, a data set that `clh prepare` made, or `icd10cm`.
        model: What is tuned: a folder, an earlier run, or a name on the hub.
        choose: Whether the model is to write numbers or to have options rated.
        template: The prompt's template.
        steps: Optimizer steps at most; 0 for `epochs`.
        batch: Examples a step and device; of GRPO completions.
        length: Tokens of an example; what is longer is asked in part, or left out.
        every: Steps between two measurements on dev; 0 for ten of them a run.
        optimizer: By transformers' name of it, as `paged_adamw_8bit`.
        patience: Measurements without a better one after which the run stops; 0 for never.
        weights: Of the rewards.
        answer: Tokens of a completion at most; 0 for what the questions can need.
        constrained: Rollouts under the form of the answer, as at inference.
        threads: Of the CPU; 0 for the library's own.
    """

    method: Method
    agent: Agent
    data: str
    model: str
    choose: Choosing = "generate"
    template: str = "context"
    train_split: str = "train"
    dev_split: str = "dev"
    policy: str | None = None
    setting: str | None = None
    release: str | None = None
    top_k: int = 10
    none_share: float = 0.2
    negatives: int = 3
    oracle_candidates: bool = False
    allow_overlap: bool = False
    limit: int | None = None
    dev_limit: int = 200
    tune: Tune = "lora"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    merge: bool = False
    backend: Backend = "auto"
    epochs: float = 1.0
    steps: int = 0
    batch: int = 8
    accumulate: int = 1
    rate: float | None = None
    warmup: float = 0.05
    weight_decay: float = 0.0
    optimizer: str = "adamw_torch"
    length: int = 2_048
    packing: bool = False
    checkpointing: bool | None = None
    every: int = 0
    patience: int = 0
    seed: int = 1
    generations: int = 8
    temperature: float = 1.0
    answer: int = 0
    beta: float = 0.0
    f_beta: float = 1.0
    budget: int = 0
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    rollouts: Rollouts = "auto"
    constrained: bool = False
    threads: int = 0
    report_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        if self.choose == "score" and self.method == "grpo":
            raise UserError("--choose score goes with --method sft: GRPO rewards written answers")
        if self.choose == "score" and self.agent not in ("locate", "verify"):
            raise UserError("--choose score goes with locate and verify, whose options are rated")
        if self.data == "icd10cm" and self.agent != "locate":
            raise UserError(f"--data icd10cm has examples for locate, none for {self.agent}")
        if self.method == "grpo" and (self.batch * self.accumulate) % self.generations:
            raise UserError(
                f"--batch {self.batch} times --accumulate {self.accumulate} must be a multiple of"
                f" --generations {self.generations}"
            )
        if self.method == "grpo" and self.packing:
            raise UserError("--packing goes with --method sft")

    @property
    def recipe(self) -> Recipe:
        """How examples are made."""
        return Recipe(
            self.agent, self.none_share, self.negatives, self.oracle_candidates, self.seed
        )

    @property
    def learning_rate(self) -> float:
        """The rate, or the usual one of the method."""
        return self.rate or LEARNING_RATES[self.method, self.tune == "full"]

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "weights": dict(self.weights), "report_to": list(self.report_to)}

    def differing(self, other: Mapping[str, Any]) -> list[str]:
        """Names of what another run's plan has otherwise; where figures are sent to aside."""
        own = self.as_dict()
        return [
            f.name
            for f in fields(self)
            if f.name != "report_to" and own[f.name] != other.get(f.name)
        ]


def weights_of(given: Iterable[str]) -> dict[str, float]:
    """`PART=WEIGHT` over the usual weights.

    Raises:
        UserError: There is no such part, or no such weight.
    """
    found = dict(WEIGHTS)
    for text in given:
        name, _, value = text.partition("=")
        if name not in PARTS:
            raise UserError(f"--reward {text}: the parts are {', '.join(PARTS)}")
        try:
            found[name] = float(value)
        except ValueError:
            raise UserError(f"--reward {text}: give PART=WEIGHT, as form=0.1") from None
        if found[name] < 0:
            raise UserError(f"--reward {text}: a part may count for nothing, not against")
    return found


def model_name(model: str) -> str:
    """A model as a run keeps it: a folder with its whole path, since an adapter names its base."""
    path = Path(model)
    return str(path.resolve()) if path.exists() else model
