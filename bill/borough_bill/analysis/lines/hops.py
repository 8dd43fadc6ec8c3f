"""D2 and D3: what a hop costs beyond the work it was made for, without synchronised clocks.

The caller's clock gives all of a call (c1 - c0). The callee tells its handler's time (h1 - h0) and
its whole stack's (s1 - s0). The tax is all but the handler; the stack is the tax paid within the
callee's application; the rest is the client, the kernel, the callee's HTTP server, and waiting for
the core, both ways.
"""

from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.lines.line import Line, Topic, compared, per_served
from borough_bill.analysis.lines.runs import Runs, series
from borough_bill.analysis.lines.words import article
from borough_bill.analysis.statistics import Interval, mean_of
from borough_bill.results import Hop, Window

SOURCE = "caller's clock and the callee's Server-Timing"


class Edge(BaseModel):
    """One edge of one subject: calls of a request, and means of a call in microseconds."""

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
    """The tax of all hops of a request, and how many there are; nothing where there is no hop."""
    if not any(window.hops for subject in runs.plan.shapes for window in runs.windows(subject)):
        return
    noun = article(runs.plan.noun)
    lead = f"All hops of {noun} together take, beyond their work,"
    tax = Topic("D2", "hops", f"hop tax of {noun}", "us", SOURCE, lead)
    yield compared(runs, tax, per_served(lambda w: sum(map(_tax, w.hops.values())) * 1e6))
    count = Topic(
        "D3", "hops", f"hops of {noun}", "hops", "callers' counters", f"{noun.capitalize()} makes"
    )
    yield compared(runs, count, per_served(lambda w: sum(hop.calls for hop in w.hops.values())))


def edges(runs: Runs) -> tuple[Edge, ...]:
    """Every edge of every subject, in the order of the alphabet."""
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
