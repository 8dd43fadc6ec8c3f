"""The lines of the bill, a generator for each topic. A line is what is measured (a `Topic`, with
the words of its sentence) and a reading of one window; it is None where no shape has that reading.

The latency of a request (D1) is from its intended send time to the whole answer.

The tax of all hops (D2) and their number (D3) need no synchronised clocks. The caller measures the
whole call (c1 - c0). The callee reports the time of its handler (h1 - h0) and of its whole stack
(s1 - s0). The tax is the call less the handler. It consists of the stack, (s1 - s0) - (h1 - h0),
which is spent in the callee's application, and of the rest, (c1 - c0) - (s1 - s0), which is spent
in the client, the kernel, the callee's HTTP server, and waiting for a core, in both directions.

The saga (D18) is compared with a baseline, the same order as one transaction on one database. What
the reference costs more is the saga and its store for each capability, without any boundary. What a
shape costs more than the reference is its boundaries.
"""

from collections.abc import Callable, Iterator
from functools import partial

from borough_bill.analysis.formats import amount, article, share, span
from borough_bill.analysis.line import Line, Topic, between, compared, line
from borough_bill.analysis.runs import (
    Reading,
    Runs,
    Windows,
    cpu,
    mean_latency,
    mean_of_instances,
    memory,
    per_served,
    pooled,
    series,
)
from borough_bill.analysis.statistics import Interval, Series, mean_of
from borough_bill.results import RUNG_TITLES, RUNGS, Frozen, Hop, Window

SENT = "generator, from the intended send time"
SEEN = "generator: no answer in time, or not the expected one"
CLOCK = "CPU clock of every process, at the edges of the window"
HELD = "/proc/PID/smaps_rollup of every process, after the window"
TIMED = "the caller's clock and the callee's Server-Timing"
IDLE = "CPU at no load"
BEYOND = 5
"""Answers beyond a quantile that a window must hold for its own quantile to be used."""
QUANTILES = {
    "p50": (0.5, "The median {} takes"),
    "p90": (0.9, "Nine of ten {}s take up to"),
    "p99": (0.99, "Ninety-nine of a hundred {}s take up to"),
}


class PartCost(Frozen):
    """CPU of one part of one subject, in microseconds a served request."""

    subject: str
    part: str
    cpu: Interval


class Edge(Frozen):
    """One edge of one subject: calls a request, and the mean times of a call in microseconds."""

    subject: str
    edge: str
    calls: Interval
    total: Interval
    handler: Interval
    tax: Interval
    server: Interval
    rest: Interval


def _latency_of(who: str, title: str = "latency, mean") -> Topic:
    return Topic("D1", "latency", title, "ms", SENT, f"On average {who} takes", "longer", "less")


def _cpu_of(noun: str) -> Topic:
    lead = f"{noun.capitalize()} costs"
    return Topic("D4", "CPU", f"CPU of {noun}", "us", CLOCK, lead, "more CPU", "less CPU")


def latency(runs: Runs) -> Iterator[Line | None]:
    """The mean, quantiles, the share of all requests that met the objective of the doors, whether
    served or not, and the mean of every class where there are several.
    """
    noun, objective = runs.plan.noun, runs.plan.objective
    yield compared(runs, _latency_of(article(noun))._replace(headline=True), mean_latency)
    for name, (probability, lead) in QUANTILES.items():
        yield _quantile(runs, name, probability, lead.format(noun))
    if objective is not None:
        within = f"within {objective.threshold_ms:g} ms"
        title = f"served {within}; the objective is {100 * objective.ratio:g} %"
        lead = f"The share of {noun}s that is served {within} is"
        topic = Topic("D1", "latency", title, "%", SENT, lead, "higher", "lower")
        yield compared(runs, topic, _share_in_time)
    classes = {name for _, windows in runs.loaded() for w in windows for name in w.classes}
    for name in sorted(classes) if len(classes) > 1 else ():
        topic = _latency_of(name, f"latency of {name}, mean")
        yield compared(runs, topic, partial(_mean_of_class, name))


def _share_in_time(window: Window) -> float | None:
    if window.in_time is None or not window.offered:
        return None
    return 100 * window.in_time / window.offered


def _mean_of_class(name: str, window: Window) -> float | None:
    found = window.classes.get(name)
    return None if found is None or found.latency is None else found.latency.mean


def _quantile(runs: Runs, name: str, probability: float, lead: str) -> Line | None:
    """The quantile by window, where every window holds enough answers, else over all windows."""
    subjects = (runs.plan.reference, *runs.plan.shapes)
    served = [window.served for subject in subjects for window in runs.windows(subject)]
    enough = min(served, default=0) * (1 - probability) >= BEYOND
    title = f"latency, {name}" if enough else f"latency, {name} over all blocks"
    topic = Topic("D1", "latency", title, "ms", SENT, lead, "longer", "less")

    def of_all(subject: str) -> Series:
        pool = pooled(runs.windows(subject), "latency")
        return {} if pool is None else {0: pool.quantile(probability)}

    if enough:
        return compared(runs, topic, lambda window: getattr(window.latency, name, None))
    return between(runs, topic, of_all)


def hop_lines(runs: Runs) -> Iterator[Line | None]:
    """The tax of all hops of a request, and their number; no line where no shape has a hop."""
    if not any(window.hops for subject in runs.plan.shapes for window in runs.windows(subject)):
        return
    noun = article(runs.plan.noun)
    lead = f"The hops of {noun} take, beyond their handlers,"
    tax = Topic("D2", "hops", f"hop tax of {noun}", "us", TIMED, lead)
    yield compared(runs, tax, per_served(lambda w: sum(map(_tax, w.hops.values())) * 1e6))
    counters, lead = "the callers' counters", f"{noun.capitalize()} makes"
    count = Topic("D3", "hops", f"hops of {noun}", "hops", counters, lead)
    yield compared(runs, count, per_served(lambda w: sum(hop.calls for hop in w.hops.values())))


def edges(runs: Runs) -> tuple[Edge, ...]:
    """Every edge of every shape, in alphabetical order."""
    found = {subject: runs.windows(subject) for subject in runs.plan.shapes}
    return tuple(
        _edge(windows, subject, edge)
        for subject, windows in found.items()
        for edge in sorted({e for window in windows for e, hop in window.hops.items() if hop.calls})
    )


def _edge(windows: Windows, subject: str, edge: str) -> Edge:
    hops = {w.block: hop for w in windows if (hop := w.hops.get(edge)) and hop.calls}
    times: dict[str, Callable[[Hop], float]] = {
        "total": lambda hop: hop.total_s,
        "handler": lambda hop: hop.handler_s,
        "tax": _tax,
        "server": lambda hop: hop.server_s - hop.handler_s,
        "rest": lambda hop: hop.total_s - hop.server_s,
    }
    calls = per_served(lambda w: w.hops[edge].calls if edge in w.hops else 0)
    return Edge(
        subject=subject,
        edge=edge,
        calls=mean_of(series(windows, calls)),
        **{
            name: mean_of({block: of(hop) / hop.calls * 1e6 for block, hop in hops.items()})
            for name, of in times.items()
        },
    )


def _tax(hop: Hop) -> float:
    return hop.total_s - hop.handler_s


def cpu_lines(runs: Runs) -> Iterator[Line | None]:
    """CPU of a request over all processes (D4), and CPU at no load (D8)."""
    source = f"{runs.plan.sources.get('CPU', CLOCK)}; includes {IDLE} (D8)"
    topic = _cpu_of(article(runs.plan.noun))._replace(source=source, headline=True)
    yield compared(runs, topic, cpu)
    idle = Topic("D8", "CPU", IDLE, "% of a core", CLOCK, "At no load the processes use")
    yield between(runs, idle, lambda subject: series(runs.windows(subject, "idle"), _busy))


def _busy(window: Window) -> float:
    return 100 * sum(window.cpu_s.values()) / window.seconds


def parts(runs: Runs) -> tuple[PartCost, ...]:
    """CPU of every part of every subject; for the reference, the mean of its two instances."""
    plan = runs.plan
    again = {plan.reference: runs.windows(plan.again)}
    windows = {s: runs.windows(s) for s in plan.subjects if s != plan.again}
    return tuple(
        PartCost(subject=subject, part=part, cpu=mean_of(found))
        for subject, own in windows.items()
        for part in dict.fromkeys(_part_of(process) for window in own for process in window.cpu_s)
        if (
            found := mean_of_instances(
                series(own, _cpu_of_part(part)),
                series(again.get(subject, ()), _cpu_of_part(part)),
            )
        )
    )


def _cpu_of_part(part: str) -> Reading:
    return per_served(
        lambda window: (
            1e6
            * sum(seconds for process, seconds in window.cpu_s.items() if _part_of(process) == part)
        )
    )


def _part_of(process: str) -> str:
    """The part of a process: `orders` for the replica `orders-0`."""
    part, _, number = process.rpartition("-")
    return part if number.isdigit() else process


def memory_lines(runs: Runs) -> Iterator[Line | None]:
    """Memory of all processes (D6): RSS, which counts shared pages in every process, and PSS, which
    divides them.
    """
    source, lead = runs.plan.sources.get("memory", HELD), "The processes hold"
    rss = Topic("D6", "memory", "memory, RSS of all processes", "MiB", source, lead, headline=True)
    yield compared(runs, rss, memory)
    pss = Topic("D6", "memory", "memory, PSS (shared pages split)", "MiB", HELD, lead)
    yield compared(runs, pss, lambda w: sum(w.pss_mib.values()) if w.pss_mib else None)


def failures(runs: Runs) -> Iterator[Line | None]:
    """The percentage of failed requests, of all that were sent within windows (D14)."""
    failing = f"{runs.plan.noun}s that fail"
    topic = Topic("D14", "failures", failing, "%", SEEN, f"The share of {failing} is")
    yield compared(
        runs, topic, lambda w: 100 * (w.failed + w.wrong) / w.offered if w.offered else None
    )


def telemetry(runs: Runs) -> Iterator[Line | None]:
    """The rungs with metrics and traces against the rung without telemetry (D10)."""
    noun, plan = article(runs.plan.noun), runs.plan
    for topic, reading in ((_latency_of(noun), mean_latency), (_cpu_of(noun), cpu)):
        found = {rung: series(runs.rung(rung), reading) for rung in RUNGS[RUNGS.index("T5") :]}
        without = ("no telemetry between parts (T5)", found.pop("T5"))
        one, again = (series(runs.windows(s), reading) for s in (plan.reference, plan.again))
        named = {f"{RUNG_TITLES[rung]} ({rung})": values for rung, values in found.items()}
        added = topic._replace(
            id="D10", source=f"ladder; {topic.source}", more="more", less="less", where="with"
        )
        yield line(runs, added, without, named, (one, again), "telemetry")


def saga(runs: Runs) -> Iterator[Line | None]:
    """Latency, CPU and commits against the baseline (D18); no line where there is none."""
    noun, plan = article(runs.plan.noun), runs.plan
    if plan.baseline is None:
        return
    lead, source = f"For {noun} the stores make", "the stores' counters"
    commits = Topic("D18", "hops", f"commits of {noun}", "commits", source, lead)
    counted = per_served(lambda window: sum(window.transactions.values()))
    for topic, reading in (
        (_latency_of(noun), mean_latency),
        (_cpu_of(noun), cpu),
        (commits, lambda window: counted(window) if window.transactions else None),
    ):
        base, one, again, *shapes = (
            series(runs.windows(subject), reading)
            for subject in (plan.baseline, plan.reference, plan.again, *plan.shapes)
        )
        others = dict(zip(plan.shapes, shapes, strict=True))
        others = {plan.reference: mean_of_instances(one, again), **others}
        reference = (plan.baseline, base)
        made = line(runs, topic._replace(id="D18"), reference, others, (one, again), "saga")
        if made is not None:
            sentence = f"{made.sentence} {_split(made, plan.reference, plan.top)}".rstrip()
            yield made.model_copy(update={"sentence": sentence})


def _split(made: Line, reference: str, top: str | None) -> str:
    """The shares of saga and boundaries in the price of shape `top`, where both differ."""
    cells = {cell.subject: cell for cell in made.cells if cell.differs}
    if reference not in cells or top not in cells:
        return ""
    change, whole, unit = cells[reference].change, cells[top].change.mean, made.unit
    saga = change.mean
    if not 0 < saga < whole:
        return ""
    return (
        f"Of the {amount(whole, unit)} between {made.reference} and {top}, {amount(saga, unit)} "
        f"({share(saga / whole)}; {span(change, unit)}) are the saga and its separate stores, "
        f"which {reference} has too, and {amount(whole - saga, unit)} ({share(1 - saga / whole)}) "
        "the boundaries."
    )
