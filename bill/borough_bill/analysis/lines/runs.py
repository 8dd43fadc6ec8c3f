"""What was measured, turned around: of one subject, one number a block.

Every line asks for its numbers here, so that all of them pair the same windows.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from borough_bill.analysis.statistics import LEVEL, LOOKED, Series, Values
from borough_bill.results import SKETCH, Result, Rung, Window

Reading = Callable[[Window], float | None]
"""A number of one window; None where the window does not hold it."""


class Runs:
    """A result, asked by subject."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.plan = result.plan
        self.level = LOOKED if result.plan.open_ended else LEVEL
        """Of the intervals of lines: stricter where they decided how many blocks there are."""

    def windows(self, subject: str) -> tuple[Window, ...]:
        """Windows under load, beside the ladder."""
        return tuple(
            window
            for window in self.result.windows
            if window.experiment == "shapes" and window.subject == subject
        )

    def instances(self, subject: str) -> tuple[Window, ...]:
        """Windows of a subject under load; of the reference, those of its second instance too."""
        again = self.windows(self.plan.again) if subject == self.plan.reference else ()
        return self.windows(subject) + again

    def rung(self, rung: Rung) -> tuple[Window, ...]:
        """Windows at a rung of the ladder."""
        return tuple(window for window in self.result.windows if window.rung == rung)

    def idle(self, subject: str) -> tuple[Window, ...]:
        """Windows without load."""
        return tuple(
            window
            for window in self.result.windows
            if window.experiment == "idle" and window.subject == subject
        )

    def loaded(self) -> Iterator[tuple[str, tuple[Window, ...]]]:
        """Every subject that was under load, rungs too, with its windows."""
        yield from ((subject, self.windows(subject)) for subject in self.plan.subjects)
        rungs = dict.fromkeys(window.rung for window in self.result.windows if window.rung)
        yield from ((rung, self.rung(rung)) for rung in rungs)


def series(windows: tuple[Window, ...], reading: Reading) -> Series:
    """One number a block, where the window holds it."""
    found = {window.block: reading(window) for window in windows}
    return {block: value for block, value in found.items() if value is not None}


def twins(reference: Series, again: Series) -> Series:
    """What the reference is taken for: the mean of its two instances, block by block, since both
    are measured in each; so chance has less to say, and so has the memory layout of one process.
    """
    both = reference.keys() & again.keys()
    return {block: (reference[block] + again[block]) / 2 for block in both} or reference


class Pool(NamedTuple):
    """All times of several windows together, from their sketches: ms, and the weight of each."""

    times: Values
    weights: Values

    def quantile(self, probability: float) -> float:
        """The time that this share of all answers stayed within."""
        reached = np.searchsorted(np.cumsum(self.weights), probability)
        return float(self.times[min(int(reached), self.times.size - 1)])


def pooled(windows: tuple[Window, ...], kind: Literal["latency", "slip"]) -> Pool | None:
    """Every `latency` of a served request, or every `slip` of any, of these windows; None where
    nothing was kept.
    """
    counted = "offered" if kind == "slip" else "served"
    kept = [
        (summary.sketch, getattr(window, counted))
        for window in windows
        if (summary := getattr(window, kind)) is not None
        and summary.sketch
        and getattr(window, counted)
    ]
    if not kept:
        return None
    times = np.concatenate([np.array(sketch, float) for sketch, _ in kept])
    weights = np.repeat(np.array([count for _, count in kept], float), SKETCH)
    order = np.argsort(times)
    return Pool(times[order], weights[order] / weights.sum())


def mean_latency(window: Window) -> float | None:
    """From the intended send time, in ms."""
    return None if window.latency is None else window.latency.mean


def cpu(window: Window) -> float | None:
    """CPU time of all the subject's processes, in microseconds an answered request."""
    if not window.served or not window.cpu_s:
        return None
    return sum(window.cpu_s.values()) / window.served * 1e6


def part_of(process: str) -> str:
    """The part a process is a replica of: `orders-0` is of `orders`."""
    part, _, number = process.rpartition("-")
    return part if number.isdigit() else process
