"""`clh serve`: an engine's own server, to stay."""

from __future__ import annotations

import os
import sys

import click

from clhcode.cli.options import Examples
from clhcode.errors import UserError


@click.command(
    cls=Examples,
    examples=(
        "clh serve --model qwen3-8b-q4.gguf",
        "clh serve --model ORG/NAME --port 8001",
        "clh serve --model ORG/NAME -- --tensor-parallel-size 2",
    ),
)
@click.option("--model", required=True, help="A GGUF file, a folder or a name on the hub.")
@click.option("--engine", help="llamacpp or vllm, where the model does not decide.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8_000,
    show_default=True,
    help="Where it listens, on loopback.",
)
@click.option("--context", type=click.IntRange(256), help="Tokens of prompt and answer together.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(
    model: str, engine: str | None, port: int, context: int | None, arguments: tuple[str, ...]
) -> None:
    """Run an engine's own server on this machine.

    It listens on loopback only, speaks the OpenAI API, and asks for the key in CLH_API_KEY
    where that is set. What follows `--` goes to the engine's server as it is.
    """
    from clhcode.runtime.pick import choose_engine

    choice = choose_engine(engine, model)
    if choice.name not in ("llamacpp", "vllm"):
        raise UserError(f"--model {model}: nothing to serve ({choice.reason})")
    key = os.environ.get("CLH_API_KEY")
    if choice.name == "llamacpp":
        from clhcode.runtime.weights import gguf_file

        more = ["--n_ctx", str(context or 8_192), *arguments]
        command = [sys.executable, "-m", "llama_cpp.server", "--model", str(gguf_file(model))]
        command += ["--host", "127.0.0.1", "--port", str(port), *more]
        environment = {"API_KEY": key} if key else {}
    else:
        from clhcode.runtime.share import server_command

        more = ["--max-model-len", str(context)] if context else []
        command = server_command(model, model, port, [*more, *arguments])
        environment = {"VLLM_API_KEY": key} if key else {}
    click.echo(f"{choice.describe()} ({choice.reason}) at http://127.0.0.1:{port}/v1", err=True)
    os.execve(command[0], command, {**os.environ, **environment})  # noqa: S606
