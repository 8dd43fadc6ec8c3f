"""The queue of all ready pods: M/M/c, with a backlog where capacity was exceeded.

The ready pods are one queue before `ready x concurrency` servers with exponential service, as with
a load balancer that knows idle pods. Below capacity a second is scored by the stationary formula,
as if its load lasted; above it the excess becomes a backlog for later seconds, up to the requests
that give up. All policies are scored by this alone.

Formulas: Erlang (1917) as in Gross and Harris, *Fundamentals of Queueing Theory*, section 2.3.
"""

import math
from dataclasses import dataclass

from borough_operator.simulator.pods import Model


def erlang_c(servers: int, offered: float) -> float:
    """Erlang's C: the probability that a request waits, for a load `offered` in erlangs below
    `servers`.

    By the recursion of Erlang's B, which is numerically stable.
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


@dataclass(frozen=True, slots=True)
class Second:
    """One second of all ready pods."""

    load: float
    """New requests."""
    ready: int
    initial_backlog: float
    """Backlog from the second before, in requests."""
    served: float
    """Completed requests."""
    backlog: float
    """Backlog for the next second, in requests."""
    busy: float
    """Share of the servers' time, 0 to 1."""
    in_flight: float
    """Requests in service or waiting, on average."""
    violated: bool
    """Whether the objective was missed."""


class Station:
    """The pods as a queue. Results are cached, since a trace has few different seconds."""

    def __init__(self, model: Model) -> None:
        self.pod, self.objective = model.pod, model.objective
        self._waiting: dict[tuple[float, int], float] = {}
        self._without_backlog: dict[tuple[float, int], Second] = {}
        self._above: dict[Second, tuple[float, ...]] = {}
        self._needed: dict[float, int] = {}

    def tail(self, load: float, ready: int, seconds: float) -> float:
        """The share of requests that take longer than `seconds`, in the steady state with `load`
        per second.

        P(T > t) = e^(-mt) (1 + C (1 - e^(-mt(c-1-a))) / (c-1-a)), with the rate m of one server,
        the offered load a and Erlang's C.
        """
        servers, offered = ready * self.pod.concurrency, load * self.pod.service_s
        if offered >= servers or seconds < 0.0:
            return 1.0
        elapsed, free = seconds / self.pod.service_s, servers - 1.0 - offered
        # (1 - e^-xf) / f tends to x where f, the servers free but one, tends to 0
        spread = elapsed if abs(free) < 1e-9 else -math.expm1(-elapsed * free) / free  # noqa: PLR2004  # 0 but for rounding
        return math.exp(-elapsed) * (1.0 + self._wait(load, ready) * spread)

    def shares_above(self, bounds: tuple[float, ...], second: Second) -> tuple[float, ...]:
        """The shares of a second's requests that take longer than each bound, as a histogram
        measures them.

        At full capacity there is no steady state; then each request waits for the backlog before
        it.
        """
        known = self._above.get(second)
        if known is None:
            known = tuple(self._slower(second, bound) for bound in bounds)
            self._above[second] = known
        return known

    def _slower(self, second: Second, bound: float) -> float:
        if not second.ready:
            return 1.0
        capacity = second.ready * self.pod.capacity
        if second.load < capacity:
            return self.tail(second.load, second.ready, bound - second.initial_backlog / capacity)
        wait = (second.initial_backlog + second.backlog) / 2.0 / capacity
        return math.exp(min(0.0, wait - bound) / self.pod.service_s)

    def quantile(self, load: float, ready: int, backlog: float) -> float:
        """The objective's quantile of the duration in seconds; infinite at full capacity."""
        if load * self.pod.service_s >= ready * self.pod.concurrency:
            return math.inf
        share, low, high = 1.0 - self.objective.quantile, 0.0, self.pod.service_s
        while self.tail(load, ready, high) > share:
            low, high = high, 2.0 * high
        while high - low > 1e-4:  # noqa: PLR2004  # a tenth of a millisecond
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.tail(load, ready, middle) > share else (low, middle)
        return high + backlog / (ready * self.pod.capacity)

    def pods_needed(self, load: float) -> int:
        """The fewest ready pods that meet the objective at `load` requests per second."""
        if load not in self._needed:
            ready = max(1, math.ceil(load / self.pod.capacity))
            while self._violated(load, ready, 0.0):
                ready += 1
            self._needed[load] = ready
        return self._needed[load]

    def second(self, load: float, ready: int, backlog: float) -> Second:
        """The second with `load` new requests on top of a backlog."""
        if backlog:
            return self._second(load, ready, backlog)
        known = self._without_backlog.get((load, ready))
        if known is None:
            known = self._without_backlog[load, ready] = self._second(load, ready, 0.0)
        return known

    def _second(self, load: float, ready: int, backlog: float) -> Second:
        capacity, servers = ready * self.pod.capacity, ready * self.pod.concurrency
        served = min(capacity, backlog + load)
        left = min(backlog + load - served, capacity * self.pod.patience_s)
        busy = served / capacity if capacity else 0.0
        if left > 0.0 or not servers:
            in_flight = servers + (backlog + left) / 2.0
        else:
            in_flight = busy * servers + backlog / 2.0 + self._queue(load, ready)
        violated = self._violated(load, ready, backlog)
        return Second(load, ready, backlog, served, left, busy, in_flight, violated)

    def _violated(self, load: float, ready: int, backlog: float) -> bool:
        if not ready:
            return load + backlog > 0.0
        left = self.objective.latency_s - backlog / (ready * self.pod.capacity)
        return self.tail(load, ready, left) > 1.0 - self.objective.quantile

    def _queue(self, load: float, ready: int) -> float:
        """Waiting requests: Erlang's mean, limited to the arrivals of one second."""
        servers, offered = ready * self.pod.concurrency, load * self.pod.service_s
        if offered >= servers:
            return 0.0
        return min(load, self._wait(load, ready) * offered / (servers - offered))

    def _wait(self, load: float, ready: int) -> float:
        known = self._waiting.get((load, ready))
        if known is None:
            servers, offered = ready * self.pod.concurrency, load * self.pod.service_s
            known = self._waiting[load, ready] = erlang_c(servers, offered)
        return known
