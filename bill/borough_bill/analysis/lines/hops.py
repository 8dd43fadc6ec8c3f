"""Lines D2, the tax of all hops of a request, and D3, their number; without synchronised clocks.

The caller measures the whole call (c1 - c0). The callee reports the time of its handler (h1 - h0)
and of its whole stack (s1 - s0). The tax is the call less the handler. It consists of the stack,
(s1 - s0) - (h1 - h0), which is spent in the callee's application, and of the rest, (c1 - c0) -
(s1 - s0), which is spent in the client, the kernel, the callee's HTTP server, and waiting for a
core, in both directions.
"""

from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.lines.formats import article
from borough_bill.analysis.lines.line import Line, Topic, compared, per_served
from borough_bill.analysis.lines.runs import Runs, series
from borough_bill.analysis.statistics import Interval, mean_of
from borough_bill.results import Hop, Window

SOURCE = "the caller's clock and the callee's Server-Timing"


class Edge(BaseModel):
    """One edge of one subject: calls a request, and the mean times of a call in microseconds."""

    model_config = ConfigDict(frozen=True)

    subject: str
    edge: str
    calls: Interval
    total: Interval
    handler: Interval
    tax: Interval
    server: Interval
    rest: Interval


def hop_lines(runs: Runs) -> Iterator[Line | None]:
    """The tax of all hops of a request, and their number; no line where no shape has a hop."""
    if not any(window.hops for subject in runs.plan.shapes for window in runs.windows(subject)):
        return
    noun = article(runs.plan.noun)
    lead = f"The hops of {noun} take, beyond their handlers,"
    tax = Topic("D2", "hops", f"hop tax of {noun}", "us", SOURCE, lead)
    yield compared(runs, tax, per_served(lambda w: sum(map(_tax, w.hops.values())) * 1e6))
    count = Topic(
        "D3",
        "hops",
        f"hops of {noun}",
        "hops",
        "the callers' counters",
        f"{noun.capitalize()} makes",
    )
    yield compared(runs, count, per_served(lambda w: sum(hop.calls for hop in w.hops.values())))


def edges(runs: Runs) -> tuple[Edge, ...]:
    """Every edge of every shape, in alphabetical order."""
    return tuple(
        _edge(windows, subject, edge)
        for subject in runs.plan.shapes
        for windows in (runs.windows(subject),)
        for edge in sorted(
            {edge for window in windows for edge, h in window.hops.items() if h.calls}
        )
    )


def _edge(windows: tuple[Window, ...], subject: str, edge: str) -> Edge:
    def per_call(seconds: Callable[[Hop], float]) -> Interval:
        return mean_of(series(windows, lambda window: _per_call(window.hops.get(edge), seconds)))

    calls = per_served(lambda w: w.hops[edge].calls if edge in w.hops else 0)
    return Edge(
        subject=subject,
        edge=edge,
        calls=mean_of(series(windows, calls)),
        total=per_call(lambda hop: hop.total_s),
        handler=per_call(lambda hop: hop.handler_s),
        tax=per_call(_tax),
        server=per_call(lambda hop: hop.server_s - hop.handler_s),
        rest=per_call(lambda hop: hop.total_s - hop.server_s),
    )


def _per_call(hop: Hop | None, seconds: Callable[[Hop], float]) -> float | None:
    return None if hop is None or not hop.calls else seconds(hop) / hop.calls * 1e6


def _tax(hop: Hop) -> float:
    return hop.total_s - hop.handler_s
