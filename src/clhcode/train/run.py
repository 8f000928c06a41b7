"""A training run, from its plan to a folder that `--model` takes."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import StoppedError, UserError
from clhcode.runtime.speak import fingerprint
from clhcode.train.exam import Exam
from clhcode.train.folder import CHECKPOINTS, last_checkpoint, opened, write
from clhcode.train.plan import Plan, model_name
from clhcode.train.wording import fitted, line

if TYPE_CHECKING:
    from clhcode.train.examples import Example
    from clhcode.train.lessons import Lessons
    from clhcode.train.voice import Piece, Voice
    from clhcode.train.weights import Pupil
    from clhcode.train.wording import Way

PLOTS = "plots"


def train(plan: Plan, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Trains, or goes on where a run of the same plan was cut off.

    Args:
        plan: What to do.
        folder: Where the model, its card, plots and checkpoints go.
        say: Told each line for people; no line holds text of the data.

    Returns:
        The record of the run, as `train.json` keeps it.

    Raises:
        UserError: Something is missing, wrong, or too large for this machine.
    """
    from clhcode.train.weights import choose_backend, load

    if os.environ.get("RANK", "0") != "0":
        # Of several processes one speaks.
        say = _nothing
    plan = replace(plan, model=model_name(plan.model))
    backend = choose_backend(plan, say)
    for name in plan.report_to:
        if find_spec(name) is None:
            raise UserError(f"--report-to {name} needs {name}: pip install {name}")
    rollouts = _rollouts(plan)
    _quiet()
    record = opened(folder, plan)
    if record["done"]:
        say(f"{folder} is finished: {record['steps']:,} steps, nothing to do")
        return record
    from transformers import set_seed

    from clhcode.train.lessons import counts, lessons
    from clhcode.train.voice import Voice

    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder / "tensorboard"))
    _threads(plan.threads)
    set_seed(plan.seed)
    found = lessons(plan, say)
    with _told(plan):
        pupil = load(plan, backend)
        voice = Voice(pupil.tokenizer)
        # A turn's end ends an answer, whatever the model's own settings say.
        pupil.model.generation_config.eos_token_id = sorted(voice.stops)
        way = way_of(plan, voice)
        fits = fitting(plan, found, voice, way, say)
        kept = fits.lessons
        exam = Exam(
            kept.dev,
            voice,
            plan.template,
            way,
            plan.batch,
            plan.answer,
            none=plan.data != "icd10cm",
        )
        trainer = _trainer(plan, pupil, fits, exam, folder)
        _same(record, fits, folder)
        record |= {
            "examples": fits.fingerprint(),
            "rollouts": rollouts,
            "source": kept.source,
            "learned_from": list(kept.places),
            "train": counts(kept.train),
            "dev_questions": counts(kept.dev),
            "dropped": fits.dropped,
            "backend": pupil.backend,
            "way": way,
            "prompts": fingerprint({plan.agent: plan.template}),
            "versions": _versions(),
        }
        say(f"{kept.source} · {record['train']} · dev: {record['dev_questions']}")
        if "before" not in record:
            record["before"] = exam.sit(trainer.model)
            _write(trainer, folder, record)
        say(f"before: {_figures(record['before'])}")
        _learn(trainer, plan, folder, say)
    return _finish(trainer, plan, folder, record, say)


def _rollouts(plan: Plan) -> str | None:
    """What writes the completions of a method that has any."""
    if plan.method != "grpo":
        return None
    from clhcode.train.grpo import rollouts_of

    return rollouts_of(plan)


def _same(record: dict[str, Any], fits: Fitting, folder: Path) -> None:
    """Refuses to go on with other examples than those that a run began with."""
    if last_checkpoint(folder) and record.get("examples") != fits.fingerprint():
        raise UserError(f"{folder}: the examples are others than at its beginning: name another")


def _nothing(_: str) -> None:
    """What the other processes say."""


def way_of(plan: Plan, voice: Voice) -> Way:
    """How the model is to answer, as the runtime would ask it."""
    if plan.choose == "generate":
        return "write"
    return "number" if voice.chat else "phrase"


@dataclass(frozen=True, slots=True)
class Fitting:
    """The lessons that fit.

    Attributes:
        pieces: The examples to learn from, in tokens.
        dropped: How many of them did not fit.
    """

    lessons: Lessons
    pieces: list[Piece]
    dropped: int

    def fingerprint(self) -> str:
        """A short hash of what is learned, and of what is measured by."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            digest.update(repr((piece.read, piece.write)).encode())
        for example in self.lessons.dev:
            digest.update(repr((example.name, example.answer)).encode())
        return digest.hexdigest()[:16]


def fitting(
    plan: Plan, found: Lessons, voice: Voice, way: Way, say: Callable[[str], None]
) -> Fitting:
    """The examples that fit the plan's length.

    Notes that are too long are shown in part or by windows, as in a run with such a context.

    Raises:
        UserError: None is left.
    """
    train, dev = (
        [
            (each, piece)
            for one in part
            for each in _fitted(one, plan, voice, way)
            if len(piece := voice.piece(line(each, plan.template, way))) <= plan.length
        ]
        for part in (found.train, found.dev)
    )
    kept, measured = ([example for example, _ in part] for part in (train, dev))
    dropped = _lost(found.train, kept)
    if dropped:
        say(f"{dropped:,} examples are longer than {plan.length:,} tokens and left out (--length)")
    if (lost := _lost(found.dev, measured)) > 0:
        say(f"{lost:,} dev questions are longer than {plan.length:,} tokens and left out")
    if not kept or not measured:
        raise UserError(f"no example fits {plan.length:,} tokens: give a longer --length")
    lessons = replace(found, train=kept, dev=measured)
    return Fitting(lessons, [piece for _, piece in train], dropped)


def _lost(before: list[Example], after: list[Example]) -> int:
    """How many examples are gone with all their windows."""
    left = {example.whole for example in after}
    return sum(example.whole not in left for example in before)


def _fitted(example: Example, plan: Plan, voice: Voice, way: Way) -> list[Example]:
    if way == "phrase":
        return [example]
    return fitted(example, plan.template, plan.length, voice.count)


def _trainer(plan: Plan, pupil: Pupil, fits: Fitting, exam: Exam, folder: Path) -> Any:
    """The trainer of the method."""
    from clhcode.train.watch import counted

    checkpoints = folder / CHECKPOINTS
    if plan.method == "grpo":
        from clhcode.train import grpo

        trainer = grpo.trainer(plan, pupil, fits.lessons.train, exam, checkpoints)
    else:
        from clhcode.train import sft

        trainer = sft.trainer(plan, pupil, fits.pieces, exam, checkpoints)
    counted(trainer)
    return trainer


def _learn(trainer: Any, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
    from transformers import EarlyStoppingCallback, PrinterCallback

    from clhcode.train.watch import Teller

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Teller(say, folder / PLOTS, trainer.args.max_steps))
    if plan.patience:
        trainer.add_callback(EarlyStoppingCallback(plan.patience))
    last = last_checkpoint(folder)
    if last is not None:
        say(f"going on from {last.name}")
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except KeyboardInterrupt:
        raise StoppedError("stopped; the same command goes on from the last checkpoint") from None


def _finish(
    trainer: Any, plan: Plan, folder: Path, record: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any]:
    """Saves the best weights with all that is needed to run them, and says what came of it."""
    from clhcode.train.card import card
    from clhcode.train.exam import DEV
    from clhcode.train.watch import seen

    state = trainer.state
    logs = [log for log in state.log_history if DEV in log]
    best = max(logs, key=lambda log: (log[DEV], -log["step"]))
    record |= {
        "done": True,
        "steps": state.global_step,
        "examples_seen": seen(trainer).examples,
        "best_step": best["step"],
        "best": {name: best[name] for name in record["before"]},
    }
    _save(trainer, plan, folder)
    if trainer.is_world_process_zero():
        (folder / "README.md").write_text(card(plan, record, folder.name), "utf-8")
        write(folder, record)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    say(f"best at step {best['step']:,}: {_figures(record['best'])} · {folder}")
    return record


def _save(trainer: Any, plan: Plan, folder: Path) -> None:
    model = trainer.accelerator.unwrap_model(trainer.model)
    if plan.merge and hasattr(model, "merge_and_unload"):
        if trainer.is_world_process_zero():
            model.merge_and_unload().save_pretrained(folder)
    else:
        trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        trainer.processing_class.save_pretrained(folder)
        (folder / "training_args.bin").unlink(missing_ok=True)


def _write(trainer: Any, folder: Path, record: dict[str, Any]) -> None:
    if trainer.is_world_process_zero():
        write(folder, record)


def _figures(found: dict[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('eval_')} {value:.3f}" for name, value in found.items())


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from clhcode import __version__

    names = ("torch", "transformers", "trl", "peft")
    return {"clhcode": __version__, **{name: version(name) for name in names}}


def _threads(count: int) -> None:
    import torch

    if count:
        torch.set_num_threads(count)


def _quiet() -> None:
    """Leaves what a run says to us: libraries' warnings are theirs, and their bars are many."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    import datasets
    import transformers

    transformers.logging.set_verbosity_error()
    datasets.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")


@contextmanager
def _told(plan: Plan) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(memory_advice(plan)) from None


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short, of whatever device."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "allocate memory" in said


def memory_advice(plan: Plan) -> str:
    """What to change, the cheapest first."""
    half = max(1, plan.batch // 2)
    tries = [f"--batch {half} --accumulate {plan.accumulate * 2}"] if plan.batch > 1 else []
    if not plan.checkpointing:
        tries.append("--checkpointing")
    tries.append(f"--length {plan.length // 2}")
    if plan.tune != "qlora":
        tries.append("--tune lora" if plan.tune == "full" else "--tune qlora (on a GPU)")
    return f"out of memory at {plan.batch} x {plan.length:,} tokens: try {', or '.join(tries)}"
