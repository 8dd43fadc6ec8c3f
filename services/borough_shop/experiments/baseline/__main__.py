"""`python -m borough_shop.experiments.baseline`: the shop without boundaries and saga."""

import sys
from functools import partial
from typing import Annotated

import typer

from borough.config import WrongSettings, load
from borough.errors import BoroughError
from borough.serving.server import run
from borough.shapes import WrongShape
from borough_shop.app import APP
from borough_shop.experiments.baseline.part import build

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)


@app.callback()
def commands() -> None:
    """Makes typer require the name of the only command, `serve`, as `borough` does."""


@app.command()
def serve(
    stock: Annotated[int, typer.Option(min=0, help="Pieces of each article.")] = 1_000_000,
) -> None:
    """Create the database, and serve the doors until SIGTERM."""
    settings = load(APP.settings)
    run(partial(build, settings, stock), settings)


def main() -> None:
    """Run; a refusal is printed as one sentence, with exit status 2."""
    try:
        app()
    except (WrongSettings, WrongShape, BoroughError) as error:
        typer.echo(f"baseline: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
