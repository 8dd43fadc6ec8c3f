"""`python -m borough_bill`: see the shapes at work, or start one of them to try its door."""

import asyncio
import os
import random
import sys
from typing import Annotated

import typer
from rich.console import Console

from borough_bill.demo import demo as show
from borough_bill.processes import PartDied
from borough_bill.shapes import CommandFailed
from borough_bill.up import up as start

WIDTH = 120
"""Columns where there is no terminal to ask."""

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH)


@app.command()
def demo(
    seed: Annotated[
        int | None, typer.Option(help="Repeat a demonstration; random if unset.")
    ] = None,
) -> None:
    """Place orders in four shapes, kill a process in each, and ask the auditor."""
    chosen = random.SystemRandom().randrange(10_000) if seed is None else seed
    raise typer.Exit(0 if show(chosen, _console(), os.path.relpath(sys.executable)) else 1)


@app.command()
def up(
    shape: Annotated[str, typer.Argument(help="monolith, roles, apis, ... or extract:NAME")],
    replicas: Annotated[int, typer.Option(min=1, help="Processes of each part.")] = 1,
) -> None:
    """Start a shape on empty stores, say how to order a coffee, and stop it on Ctrl-C."""
    asyncio.run(start(shape, replicas, _console()))


def main() -> None:
    """Run, and turn what went wrong into a message and exit status 2."""
    try:
        app()
    except (CommandFailed, PartDied) as failure:
        typer.echo(f"\nborough-bill: {failure}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
