"""The result of a load as data, for programs: from the log of a Job, for example."""

from collections import Counter
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.load.recording import Failure, Recording, Requests, Seconds, slip_check

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


class Milliseconds(BaseModel):
    """A distribution of times; None where there are too few times for that quantile."""

    model_config = ConfigDict(frozen=True)

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    longest: float | None = None

    @classmethod
    def of(cls, times: Seconds) -> Self:
        """Summarise times given in seconds."""
        if not times.size:
            return cls()
        quantiles = {
            name: float(np.quantile(times, q)) * 1e3
            for name, q in QUANTILES.items()
            if times.size * (1 - q) >= 1
        }
        return cls(mean=float(times.mean()) * 1e3, longest=float(times.max()) * 1e3, **quantiles)


class Tally(BaseModel):
    """How some requests were answered, and the latency of those that were served.

    `statuses` counts requests by status, 0 for no whole answer. `latency_ms` counts from the
    intended send time.
    """

    model_config = ConfigDict(frozen=True)

    requests: int
    served: int
    failed: int
    statuses: dict[int, int]
    latency_ms: Milliseconds

    @classmethod
    def of(cls, requests: Requests) -> Self:
        """Count the records of these requests."""
        served = requests[requests["ok"]]
        return cls(
            requests=len(requests),
            served=len(served),
            failed=len(requests) - len(served),
            statuses=dict(sorted(Counter(requests["status"].tolist()).items())),
            latency_ms=Milliseconds.of(served["done"] - served["intended"]),
        )


class LoadResult(Tally):
    """The requests of the window, all together and by class; `seconds` is the window's length.

    `warm_up` are the requests before it. `from_sent_ms` counts from the actual send time, `slip_ms`
    from the intended to the actual one; `void` says that slip was above its limit. `reasons` counts
    failures by reason, warm-up included, and `first_failures` are the first few. `cpu_s` are CPU
    seconds by process. `held_back` counts requests that had to wait for one of `connections`.
    """

    seconds: float
    classes: dict[str, Tally]
    warm_up: Tally
    reasons: dict[str, int]
    first_failures: tuple[Failure, ...]
    from_sent_ms: Milliseconds
    slip_ms: Milliseconds
    void: bool
    connections: int
    held_back: int
    cpu_s: dict[str, float]
    generator_cpu_s: float

    @classmethod
    def from_recording(cls, recording: Recording) -> Self:
        """Summarise a recording."""
        header, measured = recording.header, recording.measured
        return cls(
            **dict(Tally.of(measured)),
            seconds=header.window_s,
            classes={
                name: Tally.of(measured[measured["klass"] == number])
                for number, name in enumerate(header.classes)
            },
            warm_up=Tally.of(recording.requests[recording.requests["warm"]]),
            reasons=header.reasons,
            first_failures=header.first_failures,
            from_sent_ms=Milliseconds.of(recording.from_sent()),
            slip_ms=Milliseconds.of(recording.slips()),
            void=slip_check([recording]).void,
            connections=header.connections,
            held_back=header.held_back,
            cpu_s=header.cpu,
            generator_cpu_s=header.generator_cpu_s,
        )
