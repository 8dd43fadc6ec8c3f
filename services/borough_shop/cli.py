"""`python -m borough`: serve a part, prepare its stores, ask the auditor."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from borough.config import WrongSettings, load
from borough.errors import BoroughError
from borough_shop import commands, shapes, wiring

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)

Capabilities = Annotated[list[str], typer.Argument(help="gateway orders payments ...")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def serve(capabilities: Capabilities) -> None:
    """Serve these capabilities as one part, until SIGTERM."""
    commands.serve(load(), capabilities)


@app.command()
def migrate(
    capabilities: Annotated[
        list[str] | None, typer.Argument(help="All that keep something, when none is named.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            envvar="MIGRATION_WAIT_S",  # an older image, which may be a part's own, knows no option
            help="Seconds to wait for a store that cannot be reached.",
        ),
    ] = 0,
) -> None:
    """Bring the schemas to this version; one that is at a later version stays there."""
    named = capabilities or list(wiring.CONTRACTS)
    for line in commands.migrate(load(), named, wait_s=wait, tell=typer.echo):
        typer.echo(line)


@app.command()
def seed(
    stock: Annotated[int, typer.Option(min=0, help="Pieces of each article.")] = 1_000_000,
    only: Annotated[
        str, typer.Option(help="Put just this article on the menu, with that stock.")
    ] = "",
) -> None:
    """Put the menu into inventory; an article that is there already stays as it is."""
    typer.echo(asyncio.run(commands.seed(load(), stock, only)))


@app.command()
def audit(
    wait: Annotated[bool, typer.Option(help="Wait first until nothing is under way.")] = True,
    as_json: AsJson = False,
) -> None:
    """Read every store and say whether an order was lost, charged twice or oversold."""
    report = asyncio.run(commands.audit(load(), wait=wait))
    typer.echo(json.dumps(report.as_dict()) if as_json else str(report))
    raise typer.Exit(0 if report.clean else 1)


@app.command()
def config(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
) -> None:
    """Every setting: its variable, type, default and meaning."""
    typer.echo(commands.settings_table(markdown=markdown))


@app.command(name="signals")
def list_signals(
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown tables.")] = False,
) -> None:
    """Every metric and every attribute of a span that a part tells."""
    typer.echo(commands.signals_table(markdown=markdown))


@app.command(name="shapes")
def list_shapes(
    as_json: AsJson = False,
    chart: Annotated[bool, typer.Option("--chart", help="What a chart must know of them.")] = False,
    parts: Annotated[bool, typer.Option("--parts", help="Just the names of all parts.")] = False,
) -> None:
    """The shapes, and which capabilities live in which part."""
    if chart or parts:
        typer.echo((commands.chart_facts if chart else commands.part_names)(load()))
        return
    known = wiring.load_shapes(load())
    if as_json:
        table = {
            name: {k: list(v) for k, v in shape.parts.items()} for name, shape in known.items()
        }
        typer.echo(json.dumps(table))
        return
    for name, shape in known.items():
        line = "; ".join(f"{part}: {' '.join(hosted)}" for part, hosted in shape.parts.items())
        typer.echo(f"{name:18} {line}")


@app.command()
def openapi() -> None:
    """The OpenAPI document of the REST door."""
    typer.echo(json.dumps(asyncio.run(commands.openapi()), indent=2, sort_keys=True))


def main(run: Callable[..., Any] = app) -> None:
    """Run, and turn what was refused into one sentence and exit status 2."""
    try:
        run()
    except (WrongSettings, shapes.WrongShape, BoroughError) as error:
        typer.echo(f"borough: {error}", err=True)
        sys.exit(2)
