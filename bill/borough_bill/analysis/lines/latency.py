"""Line D1: the latency of a request, from its intended send time to the whole answer."""

from collections.abc import Callable, Iterator

from borough_bill.analysis.lines.formats import article
from borough_bill.analysis.lines.line import Line, Topic, between, compared
from borough_bill.analysis.lines.runs import Runs, mean_latency, pooled
from borough_bill.analysis.statistics import Series
from borough_bill.results import Window

SOURCE = "generator, from the intended send time"
BEYOND = 5
"""Answers beyond a quantile that a window must hold for its own quantile to be used."""
QUANTILES = {
    "p50": (0.5, "The median {} takes"),
    "p90": (0.9, "Nine of ten {}s take up to"),
    "p99": (0.99, "Ninety-nine of a hundred {}s take up to"),
}


def latency(runs: Runs) -> Iterator[Line | None]:
    """The mean, quantiles, and the mean of every class where there are several."""
    noun = runs.plan.noun
    lead = f"On average {article(noun)} takes"
    topic = Topic(
        "D1", "latency", "latency, mean", "ms", SOURCE, lead, "longer", "less", headline=True
    )
    yield compared(runs, topic, mean_latency)
    for name, (probability, lead) in QUANTILES.items():
        yield _quantile(runs, name, probability, lead.format(noun))
    yield _in_time(runs)
    classes = {name for _, windows in runs.loaded() for w in windows for name in w.classes}
    for name in sorted(classes) if len(classes) > 1 else ():
        topic = Topic(
            "D1", "latency", f"latency of {name}, mean", "ms", SOURCE, f"On average {name} takes"
        )
        yield compared(runs, topic._replace(more="longer"), _mean_of_class(name))


def _in_time(runs: Runs) -> Line | None:
    """The share of all requests that met the objective of the doors, whether served or not."""
    objective = runs.plan.objective
    if objective is None:
        return None
    within = f"within {objective.threshold_ms:g} ms"
    topic = Topic(
        "D1",
        "latency",
        f"served {within}; the objective is {100 * objective.ratio:g} %",
        "%",
        SOURCE,
        f"The share of {runs.plan.noun}s that is served {within} is",
        "higher",
        "lower",
    )
    return compared(runs, topic, _share_in_time)


def _share_in_time(window: Window) -> float | None:
    if window.in_time is None or not window.offered:
        return None
    return 100 * window.in_time / window.offered


def _quantile(runs: Runs, name: str, probability: float, lead: str) -> Line | None:
    """The quantile by window, where every window holds enough answers, else over all windows."""
    subjects = (runs.plan.reference, *runs.plan.shapes)
    served = [window.served for subject in subjects for window in runs.windows(subject)]
    enough = min(served, default=0) * (1 - probability) >= BEYOND
    title = f"latency, {name}" if enough else f"latency, {name} over all blocks"
    topic = Topic("D1", "latency", title, "ms", SOURCE, lead, "longer", "less")
    if enough:
        return compared(runs, topic, lambda window: getattr(window.latency, name, None))
    return between(runs, topic, _of_all(runs, probability))


def _of_all(runs: Runs, probability: float) -> Callable[[str], Series]:
    """The quantile over all windows of a subject, as a series of one value."""

    def of(subject: str) -> Series:
        pool = pooled(runs.windows(subject), "latency")
        return {} if pool is None else {0: pool.quantile(probability)}

    return of


def _mean_of_class(name: str) -> Callable[[Window], float | None]:
    def mean(window: Window) -> float | None:
        found = window.classes.get(name)
        return None if found is None or found.latency is None else found.latency.mean

    return mean
