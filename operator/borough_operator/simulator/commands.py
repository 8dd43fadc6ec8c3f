"""The commands `leaderboard` and `simulate`: this operator and others on the same loads, and the
tables that they print.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from borough_operator.simulator import plot, traces
from borough_operator.simulator.leaderboard import (
    HPA_RATE,
    OURS,
    Board,
    Comparison,
    Judged,
    Leaderboard,
    board,
    origin,
    write,
)
from borough_operator.simulator.ours import PERIOD, Ours, Source
from borough_operator.simulator.scores import CHEAPER, ENOUGH, FEWER, score
from borough_operator.simulator.station import model
from borough_operator.simulator.timeline import WARM_UP, View
from borough_operator.simulator.traces import Trace, TraceInvalid

HEADER = ("policy", "setting", "violation-s", "replica-h", "changes", "reversals", "reaction s")
VERDICT = (
    *("trace", "policy", "violation-s", "HPA at that cost", "fewer"),
    *("replica-h", "HPA with no more", "cheaper", "verdict"),
)
TEXT_COLUMNS = 2
"""Columns on the left with text."""

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
EXPLAINED = (
    f"A win is at most {FEWER:.0%} of the violation-seconds that HPA on CPU has at the same"
    " replica-hours, or at least"
    f" {CHEAPER:.0%} fewer replica-hours than it needs for no more violation-seconds. HPA's figures"
    " are those of its Pareto front over targets of 30 to 90 % and down windows of 60 to 600 s,"
    " with straight lines between its settings, which mixtures of two reach. Where the"
    f" front has fewer than {ENOUGH} violation-seconds, only the hours are compared. The oracle"
    " knows the future: where it does not win, no policy can."
)
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
        found = board(load, comparison.rows(load))
        boards.append(found)
        typer.echo(
            f"\n{found.trace}: {found.seconds} s, {found.mean:g} requests a second, at most"
            f" {found.peak:g}.\n\n{text(scores(found))}\n\n{reversals(found)}"
        )
    typer.echo(f"\n{text(verdicts(boards))}\n\n{EXPLAINED}")
    if json:
        write(Leaderboard(tuple(boards), scale, origin()), json)
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


def scores(board: Board) -> Table:
    """A row for each policy."""
    return HEADER, [
        (
            row.policy,
            row.setting,
            f"{row.scores.violations}",
            f"{row.scores.replica_hours:.2f}",
            f"{row.scores.changes}",
            f"{row.scores.reversals}",
            "" if row.scores.reaction is None else f"{row.scores.reaction:.1f}",
        )
        for row in board.rows
    ]


def verdicts(boards: Iterable[Board]) -> Table:
    """A row for each trace and each policy that was compared with the front of HPA on CPU."""
    return VERDICT, [_verdict(board, judged) for board in boards for judged in board.judged]


def _verdict(board: Board, judged: Judged) -> tuple[str, ...]:
    ours = board.row(judged.policy).scores
    comparable = judged.front_violations >= ENOUGH
    return (
        board.trace,
        judged.policy,
        f"{ours.violations}",
        f"{judged.front_violations:.0f}",
        f"{1.0 - ours.violations / judged.front_violations:.0%}" if comparable else "",
        f"{ours.replica_hours:.2f}",
        f"{judged.front_hours:.2f}",
        f"{1.0 - ours.replica_hours / judged.front_hours:.0%}",
        "won" if judged.won else "not won",
    )


def reversals(board: Board) -> str:
    """Reversals of this operator and of HPA on a rate, as a sentence."""
    theirs = [row.scores.reversals for row in board.rate]
    fewest, most = min(theirs), max(theirs)
    range_ = f"{fewest}" if fewest == most else f"{fewest} to {most}, by its windows"
    ours = board.row(OURS).scores.reversals
    return f"Ours reversed {ours} times; {HPA_RATE} at about our cost: {range_}."


def text(table: Table) -> str:
    """Aligned columns: text to the left, numbers to the right."""
    header, body = table
    lines = [header, *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
