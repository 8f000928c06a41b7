"""`clh prompts`: the questions in words, as models get them."""

from __future__ import annotations

import click

from clhcode.cli.options import Examples, ExamplesGroup
from clhcode.tasks import AGENTS


@click.group(
    cls=ExamplesGroup, examples=("clh prompts list", "clh prompts show verify --name paper > my.j2")
)
def prompts() -> None:
    """Show the prompts that come with clh."""


@prompts.command("list", cls=Examples, examples=("clh prompts list",))
def list_() -> None:
    """List the prompts of each agent."""
    from clhcode.runtime.sampling import agent_of
    from clhcode.runtime.speak import fingerprint, shipped

    for agent in AGENTS:
        for name in shipped(agent_of(agent)):
            version = fingerprint({agent: name})
            click.echo(
                f"{agent:<8} {name:<8} {version}{'  (default)' if name == 'context' else ''}"
            )


@prompts.command(
    "show",
    cls=Examples,
    examples=("clh prompts show locate", "clh prompts show verify --name paper > my.j2"),
)
@click.argument("agent", type=click.Choice(AGENTS))
@click.option("--name", default="context", show_default=True, help="Which of the agent's.")
def show(agent: str, name: str) -> None:
    """Print a prompt as it is written; copy it to make one of your own."""
    from clhcode.runtime.sampling import agent_of
    from clhcode.runtime.speak import source

    click.echo(source(agent_of(agent), name))
