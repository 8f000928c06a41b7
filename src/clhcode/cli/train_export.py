"""`clh train export`: what a run made, for where it is to run."""

from __future__ import annotations

from pathlib import Path

import click

QUANTS = (
    *("f32", "f16", "bf16", "q8_0", "q2_k", "q3_k_s", "q3_k_m", "q3_k_l"),
    *("q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k"),
)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--gguf/--merged",
    default=True,
    help="A GGUF file for llama.cpp (the default), or a folder of whole weights.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to; beside the weights in RUN otherwise.",
)
@click.option(
    "--quant",
    type=click.Choice(QUANTS),
    default="f16",
    show_default=True,
    help="How weights are kept; from q2_k on by llama.cpp.",
)
@click.option(
    "--converter",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="llama.cpp's convert_hf_to_gguf.py, for models that clh does not know.",
)
def export(run: Path, gguf: bool, output: Path | None, quant: str, converter: Path | None) -> None:
    """Make one file, or whole weights, of a trained model.

    RUN is a folder of Hugging Face's layout: whole weights, or an adapter, which is merged into
    its base. Llama, Qwen 3 and Gemma 3 become GGUF here; others through llama.cpp's converter.

    \b
      clh train export RUN --quant q8_0
      clh bench --questions FILE --model RUN --choose score
    """  # noqa: D301 - click reads \b, so the string cannot be raw
    from clhcode.train import export as work

    if gguf:
        out = output or run / f"{run.resolve().name}-{quant}.gguf"
        work.export(run, out, quant, converter)
    else:
        out = output or run / "merged"
        work.whole(run, out)
    click.echo(str(out))
