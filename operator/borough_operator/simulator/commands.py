"""`leaderboard` and `simulate`: what the operator would have done, beside what others would."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from borough_operator.simulator import origin, plot, report, tables, traces
from borough_operator.simulator.leaderboard import Contest
from borough_operator.simulator.ours import PERIOD, Ours, Source
from borough_operator.simulator.pods import model
from borough_operator.simulator.scores import score
from borough_operator.simulator.timeline import WARM_UP, View
from borough_operator.simulator.traces import Trace, TraceInvalid

Traces = Annotated[
    list[str] | None,
    typer.Option(
        "--trace",
        help="A file of one number a line, requests a second; or the name of a synthetic trace."
        f" May be given more than once; by default: {', '.join(traces.synthetic())}.",
    ),
]
Scale = Annotated[
    float, typer.Option(min=0.001, help="Multiplies every load; a pod takes 20 requests a second.")
]


def leaderboard(
    trace: Traces = None,
    scale: Scale = 1.0,
    json: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
    plot_: Annotated[
        Path | None, typer.Option("--plot", help="Draw the timelines, as .svg or .png.")
    ] = None,
) -> None:
    """Print how ours, HPA, KEDA, Knative's autoscaler, a fixed size and an oracle scale a load."""
    _check(json, plot_)
    contest = Contest(model())
    results, boards = [], []
    for load in [_load(name, scale) for name in trace or traces.synthetic()]:
        result = contest.result(load)
        board = report.board(result)
        results.append(result)
        boards.append(board)
        typer.echo(
            f"\n{board.trace}: {board.seconds} s, {board.mean:g} requests a second, at most"
            f" {board.peak:g}.\n\n{tables.text(tables.scores(board))}\n\n{tables.reversals(board)}"
        )
    typer.echo(f"\n{tables.text(tables.verdicts(boards))}\n\n{tables.EXPLAINED}")
    if json:
        report.write(report.Leaderboard(tuple(boards), scale, origin.here()), json)
    if plot_:
        plot.timelines(results, contest, plot_)


def simulate(
    trace: Annotated[str, typer.Option(help="A file, or the name of a synthetic trace.")] = "step",
    scale: Scale = 1.0,
    source: Annotated[Source, typer.Option(help="Where readings come from.")] = Source.PODS,
) -> None:
    """Print each change that the operator would have made on a load, and why."""
    contest = Contest(model())
    load = _load(trace, scale)
    typer.echo("    s   load  ready  replicas")
    lived = contest.timeline(load, _Told(Ours(contest.model, contest.station, source), load))
    scored = score(lived, contest.station)
    typer.echo(f"{scored.violations} violation-seconds, {scored.replica_hours:.2f} replica-hours.")


@dataclass(slots=True)
class _Told:
    """Ours, with a line for each change."""

    ours: Ours
    load: Trace
    period: int = PERIOD

    def look(self, view: View) -> int:
        """As ours decides."""
        size = self.ours.look(view)
        second = view.now - WARM_UP
        if size != view.replicas and self.ours.decision is not None:
            load = self.load.load[max(0, second)]
            line = f"{second:5} {load:6.0f} {view.ready:6} {view.replicas:4} -> {size:<3}"
            typer.echo(f"{line} {self.ours.decision.message}")
        return size


def _load(name: str, scale: float) -> Trace:
    """The synthetic trace of this name, or the file."""
    known = traces.synthetic().get(name)
    try:
        return (known or traces.read(Path(name))).scaled(scale)
    except TraceInvalid as error:
        raise _refused(error) from None


def _check(json: Path | None, picture: Path | None) -> None:
    """What is to be written can be, which one learns before minutes of work."""
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
