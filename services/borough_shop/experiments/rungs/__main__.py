"""`python -m borough_shop.experiments.rungs`: serve a part on a rung, or measure one hop."""

import sys
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any

import typer

from borough.config import WrongSettings, load
from borough.errors import BoroughError
from borough.serving.server import run
from borough.shapes import WrongShape
from borough_shop.app import APP
from borough_shop.experiments.rungs import hop as one_hop
from borough_shop.experiments.rungs.callee import CALLEE, CalleeBuilder, HopFailed
from borough_shop.experiments.rungs.ladder import RUNGS
from borough_shop.experiments.rungs.part import build
from borough_shop.inventory.contract import Inventory

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
Rung = Annotated[str, typer.Option(help=f"One of {', '.join(RUNGS)}.")]
Cpu = Annotated[int | None, typer.Option(help="Keep it on this CPU.")]


@app.command()
def serve(
    capabilities: Annotated[list[str], typer.Argument(help="gateway orders payments ...")],
    rung: Rung,
) -> None:
    """Serve these capabilities as one part, until SIGTERM. SIGRTMIN+k puts it on the k-th rung."""
    _serve(capabilities, rung)


@app.command()
def hop(  # noqa: PLR0913  # as many as a plan has
    rungs: Annotated[
        str, typer.Option("--rungs", "--rung", help="Separated by commas.")
    ] = ",".join(RUNGS),
    *,
    blocks: Annotated[int, typer.Option(min=1, help="Times every rung is measured.")] = 1,
    calls: Annotated[int, typer.Option(min=1, help="Calls a measurement.")] = 3_000,
    in_flight: Annotated[int, typer.Option(min=1, help="Calls under way at a time.")] = 1,
    pause_ms: Annotated[float, typer.Option(min=0, help="Rest after every call.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the order of the rungs in each block.")] = 1,
    otlp: Annotated[str, typer.Option(help="The collector of the spans: http://HOST:PORT.")] = "",
    caller_cpu: Cpu = None,
    callee_cpu: Cpu = None,
) -> None:
    """Measure one call on these rungs; prints a line of JSON for each block and rung."""
    plan = one_hop.Plan(
        rungs=tuple(rungs.split(",")),
        blocks=blocks,
        calls=calls,
        in_flight=in_flight,
        pause=pause_ms / 1_000,
        seed=seed,
        otlp=otlp,
        caller_cpu=caller_cpu,
        callee_cpu=callee_cpu,
    )
    one_hop.run(plan, typer.echo)


@app.command(hidden=True)
def callee(rung: Rung) -> None:
    """Serve the callee of a hop."""
    _serve([Inventory.name], rung, app=CALLEE, builder=CalleeBuilder)


def _serve(capabilities: Collection[str], rung: str, **callee: Any) -> None:
    settings = load(APP.settings)
    run(partial(build, settings, capabilities, rung, **callee), settings)


def main() -> None:
    """Run; a refusal is printed as one sentence, with exit status 2."""
    try:
        app()
    except (WrongSettings, WrongShape, BoroughError, HopFailed) as error:
        typer.echo(f"rungs: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
