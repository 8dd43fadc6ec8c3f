"""The windows of a result by subject, and series of one number a block.

Every line reads its numbers here, so that all of them pair the same windows.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from borough_bill.analysis.statistics import LEVEL, LOOK_LEVEL, Series, Values
from borough_bill.results import SKETCH, Result, Rung, Window

Windows = tuple[Window, ...]
Reading = Callable[[Window], float | None]
"""A number of one window; None where the window does not have it."""


class Runs:
    """The windows of a result by subject, and `level`, the confidence level of its lines."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.plan = result.plan
        self.level = LOOK_LEVEL if result.plan.open_ended else LEVEL

    def windows(self, subject: str, experiment: Literal["shapes", "idle"] = "shapes") -> Windows:
        """The windows of a subject under load, without those of the ladder; or without load."""
        return tuple(
            window
            for window in self.result.windows
            if window.experiment == experiment and window.subject == subject
        )

    def instances(self, subject: str) -> Windows:
        """The windows of a subject under load; for the reference, of both instances."""
        again = self.windows(self.plan.again) if subject == self.plan.reference else ()
        return self.windows(subject) + again

    def rung(self, rung: Rung) -> Windows:
        """The windows of a rung of the ladder."""
        return tuple(window for window in self.result.windows if window.rung == rung)

    def loaded(self) -> Iterator[tuple[str, Windows]]:
        """Every subject and every rung with its windows under load."""
        yield from ((subject, self.windows(subject)) for subject in self.plan.subjects)
        rungs = dict.fromkeys(window.rung for window in self.result.windows if window.rung)
        yield from ((rung, self.rung(rung)) for rung in rungs)


def series(windows: Windows, reading: Reading) -> Series:
    """One number for each block whose window has it."""
    found = {window.block: reading(window) for window in windows}
    return {block: value for block, value in found.items() if value is not None}


def mean_of_instances(reference: Series, again: Series) -> Series:
    """The mean of the reference's two instances, block by block, which varies less than one."""
    both = reference.keys() & again.keys()
    return {block: (reference[block] + again[block]) / 2 for block in both} or reference


class Pool(NamedTuple):
    """The times of several windows, from their sketches: sorted ms, and weights of sum 1."""

    times: Values
    weights: Values

    def quantile(self, probability: float) -> float:
        """The quantile in ms: this share of all times is not above it."""
        reached = np.searchsorted(np.cumsum(self.weights), probability)
        return float(self.times[min(int(reached), self.times.size - 1)])


def pooled(windows: Windows, kind: Literal["latency", "slip"]) -> Pool | None:
    """The latencies of served requests, or the slips of all; None where no window has a sketch."""
    kept = [
        (summary.sketch, count)
        for window in windows
        if (summary := getattr(window, kind)) is not None
        and (count := window.offered if kind == "slip" else window.served)
        and summary.sketch
    ]
    if not kept:
        return None
    times = np.concatenate([np.array(sketch, float) for sketch, _ in kept])
    weights = np.repeat(np.array([count for _, count in kept], float), SKETCH)
    order = np.argsort(times)
    return Pool(times[order], weights[order] / weights.sum())


def mean_latency(window: Window) -> float | None:
    """Mean latency from the intended send time, in ms."""
    return None if window.latency is None else window.latency.mean


def cpu(window: Window) -> float | None:
    """CPU of all processes of the subject, in microseconds a served request."""
    if not window.served or not window.cpu_s:
        return None
    return sum(window.cpu_s.values()) / window.served * 1e6


def memory(window: Window) -> float | None:
    """RSS of all processes of the subject, in MiB."""
    return sum(window.rss_mib.values()) if window.rss_mib else None


def per_served(reading: Callable[[Window], float]) -> Reading:
    """The reading divided by the number of served requests; None where there was none."""
    return lambda window: reading(window) / window.served if window.served else None
