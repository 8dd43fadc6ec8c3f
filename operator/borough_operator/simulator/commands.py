"""The commands `leaderboard` and `simulate`: this operator and others on the same loads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from borough_operator.simulator import leaderboard as leaderboards
from borough_operator.simulator import plot, tables, traces
from borough_operator.simulator.leaderboard import Comparison
from borough_operator.simulator.ours import PERIOD, Ours, Source
from borough_operator.simulator.scores import score
from borough_operator.simulator.station import model
from borough_operator.simulator.timeline import WARM_UP, View
from borough_operator.simulator.traces import Trace, TraceInvalid

Traces = Annotated[
    list[str] | None,
    typer.Option(
        "--trace",
        help="A file with one number a line, requests per second; or the name of a synthetic trace."
        f" May be repeated; default: {', '.join(traces.synthetic())}.",
    ),
]
Scale = Annotated[
    float, typer.Option(min=0.001, help="Factor of the loads; a pod handles 20 requests a second.")
]


def leaderboard(
    trace: Traces = None,
    scale: Scale = 1.0,
    json: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
    plot_: Annotated[
        Path | None, typer.Option("--plot", help="Draw the timelines to this .svg or .png file.")
    ] = None,
) -> None:
    """Compare this operator, HPA, KEDA, Knative's KPA, a fixed size and an oracle on loads."""
    _check(json, plot_)
    comparison = Comparison(model())
    loads = [_load(name, scale) for name in trace or traces.synthetic()]
    boards = []
    for load in loads:
        board = leaderboards.board(load, comparison.rows(load))
        boards.append(board)
        typer.echo(
            f"\n{board.trace}: {board.seconds} s, {board.mean:g} requests a second, at most"
            f" {board.peak:g}.\n\n{tables.text(tables.scores(board))}\n\n{tables.reversals(board)}"
        )
    typer.echo(f"\n{tables.text(tables.verdicts(boards))}\n\n{tables.EXPLAINED}")
    if json:
        found = leaderboards.Leaderboard(tuple(boards), scale, leaderboards.origin())
        leaderboards.write(found, json)
    if plot_:
        plot.timelines([*zip(loads, boards, strict=True)], comparison, plot_)


def simulate(
    trace: Annotated[str, typer.Option(help="A file, or the name of a synthetic trace.")] = "step",
    scale: Scale = 1.0,
    source: Annotated[Source, typer.Option(help="The source of readings.")] = Source.PODS,
) -> None:
    """Print each change that this operator would make on a load, and its reason."""
    comparison = Comparison(model())
    load = _load(trace, scale)
    typer.echo("    s   load  ready  replicas")
    ours = Ours(comparison.model, comparison.station, source)
    timeline = comparison.timeline(load, _Printed(ours, load))
    scored = score(timeline, comparison.station)
    typer.echo(f"{scored.violations} violation-seconds, {scored.replica_hours:.2f} replica-hours.")


@dataclass(slots=True)
class _Printed:
    """The simulated operator, with a printed line for each change."""

    ours: Ours
    load: Trace
    period: int = PERIOD

    def scale(self, view: View) -> int:
        """Decide, and print a change."""
        size = self.ours.scale(view)
        second = view.now - WARM_UP
        if size != view.replicas and self.ours.decision is not None:
            load = self.load.load[max(0, second)]
            line = f"{second:5} {load:6.0f} {view.ready:6} {view.replicas:4} -> {size:<3}"
            typer.echo(f"{line} {self.ours.decision.message}")
        return size


def _load(name: str, scale: float) -> Trace:
    """The synthetic trace of this name, or else the file."""
    known = traces.synthetic().get(name)
    try:
        return (known or traces.read(Path(name))).scaled(scale)
    except TraceInvalid as error:
        raise _refused(error) from None


def _check(json: Path | None, picture: Path | None) -> None:
    """Check that the output files can be written, before minutes of work."""
    try:
        if picture:
            plot.check(picture)
        for path in filter(None, (json, picture)):
            path.touch()
    except (plot.Undrawable, OSError) as error:
        raise _refused(error) from None


def _refused(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)
