"""Options of `clh train`: what is learned, how, and by which rewards."""

from __future__ import annotations

from pathlib import Path

import click

from clhcode.cli.options import decorated
from clhcode.errors import UserError
from clhcode.policy import POLICIES
from clhcode.tasks import AGENTS


def _from_file(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Takes options from a TOML file; what the command line says goes first."""
    if path is None:
        return None
    import tomllib

    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    names = {
        option.removeprefix("--").replace("-", "_"): parameter.name
        for parameter in ctx.command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--") and parameter.name not in ("config", "help")
    }
    for name in values:
        if name.replace("-", "_") not in names:
            raise UserError(f"{path}: no option `{name}`: `clh train --help` lists them")
    given = {names[name.replace("-", "_")]: value for name, value in values.items()}
    ctx.default_map = {**(ctx.default_map or {}), **given}
    return path


learning = decorated(
    click.option("--agent", type=click.Choice(AGENTS), help="Whose questions."),
    click.option(
        "--data",
        metavar="TABLE|DATASET|icd10cm",
        help="A table with gold and splits, a prepared data set, or the classification (locate).",
    ),
    click.option(
        "--choose",
        type=click.Choice(("generate", "score")),
        default="generate",
        show_default=True,
        help="What the model is to do in a run: write numbers, or have options rated.",
    ),
    click.option(
        "--prompt",
        "template",
        default="context",
        show_default=True,
        metavar="NAME|FILE",
        help="The prompt, as `--prompt` of a run.",
    ),
    click.option("--train-split", default="train", show_default=True, help="What is learned from."),
    click.option("--dev-split", default="dev", show_default=True, help="What is chosen by."),
    click.option(
        "--policy", type=click.Choice(tuple(POLICIES)), help="The data set's own otherwise."
    ),
    click.option(
        "--setting", type=click.Choice(("inpatient", "outpatient")), help="Overrides the rows' own."
    ),
    click.option("--release", metavar="YEAR", help="Fiscal year of the classification."),
    click.option(
        "--top-k",
        type=click.IntRange(1, 1_000),
        default=10,
        show_default=True,
        metavar="N",
        help="Candidates of a condition.",
    ),
    click.option(
        "--none-share",
        type=click.FloatRange(0, 0.95),
        default=0.2,
        show_default=True,
        help="Share of questions that no option answers (locate, verify).",
    ),
    click.option(
        "--negatives",
        type=click.IntRange(0, 50),
        default=3,
        show_default=True,
        metavar="N",
        help="Siblings put beside the candidates of locate.",
    ),
    click.option(
        "--oracle-candidates",
        is_flag=True,
        help="Put gold among the candidates where search has missed it.",
    ),
    click.option(
        "--allow-overlap",
        is_flag=True,
        help="Learn from stays or patients that are chosen by, too.",
    ),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Examples at most."),
    click.option(
        "--dev-limit",
        type=click.IntRange(1),
        default=200,
        show_default=True,
        metavar="N",
        help="Dev questions at most.",
    ),
    click.option("--seed", default=1, show_default=True, help="Of orders, samples and weights."),
)
tuning = decorated(
    click.option(
        "--method",
        type=click.Choice(("sft", "grpo")),
        default="sft",
        show_default=True,
        help="How.",
    ),
    click.option("--model", metavar="MODEL", help="A folder, an earlier run, or a hub name."),
    click.option(
        "-o",
        "--output",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the run; the same command goes on with it.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        callback=_from_file,
        help="These options from a TOML file; the command line goes first.",
    ),
    click.option(
        "--tune",
        type=click.Choice(("lora", "qlora", "full")),
        default="lora",
        show_default=True,
        help="An adapter, one over 4-bit weights (GPU), or all weights.",
    ),
    click.option("--rank", type=click.IntRange(1), default=16, show_default=True, help="Of LoRA."),
    click.option("--alpha", type=click.IntRange(1), default=32, show_default=True, help="Of LoRA."),
    click.option(
        "--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Of LoRA."
    ),
    click.option("--merge", is_flag=True, help="Write whole weights, the adapter merged in."),
    click.option(
        "--backend",
        type=click.Choice(("auto", "trl", "unsloth")),
        default="auto",
        show_default=True,
        help="auto: Unsloth on a GPU where it is installed, else plain TRL.",
    ),
    click.option(
        "--epochs",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="Times through the examples.",
    ),
    click.option("--steps", type=click.IntRange(0), default=0, help="Steps, in place of epochs."),
    click.option(
        "--batch", type=click.IntRange(1), default=8, show_default=True, help="Rows a device."
    ),
    click.option(
        "--accumulate",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Batches a step.",
    ),
    click.option("--lr", "rate", type=float, help="Learning rate; the method's usual otherwise."),
    click.option(
        "--warmup",
        type=click.FloatRange(0, 1),
        default=0.05,
        show_default=True,
        help="Share of steps in which the rate rises.",
    ),
    click.option("--weight-decay", type=click.FloatRange(0), default=0.0, help="Of all weights."),
    click.option(
        "--optimizer",
        default="adamw_torch",
        show_default=True,
        metavar="NAME",
        help="By transformers' name of it, as paged_adamw_8bit.",
    ),
    click.option(
        "--length",
        type=click.IntRange(64),
        default=2_048,
        show_default=True,
        metavar="TOKENS",
        help="Of an example; longer ones are asked in part, or left out and counted.",
    ),
    click.option("--packing", is_flag=True, help="Several examples in one row (sft)."),
    click.option(
        "--checkpointing/--no-checkpointing",
        default=None,
        help="Gradient checkpointing; on a GPU otherwise.",
    ),
    click.option(
        "--every",
        type=click.IntRange(0),
        default=0,
        help="Steps between measurements on dev; ten a run otherwise.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(0),
        default=0,
        help="Stop after so many measurements without a better one.",
    ),
    click.option(
        "--report-to",
        type=click.Choice(("wandb", "mlflow", "tensorboard")),
        multiple=True,
        help="Send figures there, by transformers' own hooks.",
    ),
    click.option("--threads", type=click.IntRange(0), default=0, help="Of the CPU."),
)
rewarding = decorated(
    click.option(
        "--generations",
        type=click.IntRange(2),
        default=8,
        show_default=True,
        help="grpo: answers to a question.",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="grpo: of the rollouts.",
    ),
    click.option(
        "--answer",
        type=click.IntRange(0),
        default=0,
        metavar="TOKENS",
        help="Of an answer at most; what a question may need otherwise.",
    ),
    click.option("--beta", type=click.FloatRange(0), default=0.0, help="grpo: weight of the KL."),
    click.option(
        "--f-beta",
        type=click.FloatRange(0, 1, min_open=True),
        default=1.0,
        show_default=True,
        help="grpo, assign: below 1 a wrong code weighs more than a missed one.",
    ),
    click.option(
        "--budget",
        type=click.IntRange(0),
        default=0,
        metavar="TOKENS",
        help="grpo: length that costs nothing; half of what a question may need otherwise.",
    ),
    click.option(
        "--reward",
        "weights",
        multiple=True,
        metavar="PART=WEIGHT",
        help="grpo: answer=1, form=0.1 and brevity=0.1 otherwise.",
    ),
    click.option(
        "--rollouts",
        type=click.Choice(("auto", "transformers", "vllm")),
        default="auto",
        show_default=True,
        help="grpo: what writes them; vLLM on a GPU.",
    ),
    click.option(
        "--constrained", is_flag=True, help="grpo: rollouts under the form of the answer (vLLM)."
    ),
)
