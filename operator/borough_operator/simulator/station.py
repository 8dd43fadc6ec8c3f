"""How a second feels to those who ask: M/M/c, with a backlog where pods were too few.

The ready pods are one queue before `ready x concurrency` servers with exponential service, which is
what a balancer that knows who is idle comes to. While the load is below capacity a second is judged
by the stationary formula, as though its load lasted; above capacity the excess stays as a backlog
that later seconds have to work off, as far as those who wait do not give up. No policy is judged by
anything else.

Formulas: Erlang (1917) as in Gross and Harris, *Fundamentals of Queueing Theory*, section 2.3.
"""

import math
from dataclasses import dataclass

from borough_operator.simulator.pods import Model


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a request has to wait, for fewer erlangs offered than there are servers.

    By the recursion of Erlang's B, which neither overflows nor cancels.
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
    before: float
    """Requests left by the second before."""
    served: float
    """Requests answered."""
    backlog: float
    """Requests left for the next second."""
    busy: float
    """Share of the servers' time, 0 to 1."""
    in_flight: float
    """Requests being answered or waiting, on average."""
    violated: bool
    """Whether the objective was missed."""


class Station:
    """The pods as a queue; results are kept, since a trace has few different seconds."""

    def __init__(self, model: Model) -> None:
        self.pod, self.objective = model.pod, model.objective
        self._waiting: dict[tuple[float, int], float] = {}
        self._calm: dict[tuple[float, int], Second] = {}
        self._above: dict[Second, tuple[float, ...]] = {}
        self._needs: dict[float, int] = {}

    def tail(self, load: float, ready: int, seconds: float) -> float:
        """The share of requests that take longer than this, in the long run of `load` a second.

        P(T > t) = e^(-mt) (1 + C (1 - e^(-mt(c-1-a))) / (c-1-a)), m being one server's rate, a the
        offered load and C Erlang's probability of waiting.
        """
        servers, offered = ready * self.pod.concurrency, load * self.pod.service_s
        if offered >= servers or seconds < 0.0:
            return 1.0
        turns, free = seconds / self.pod.service_s, servers - 1.0 - offered
        # (1 - e^-xf) / f tends to x where f, the servers free but one, tends to 0
        spread = turns if abs(free) < 1e-9 else -math.expm1(-turns * free) / free  # noqa: PLR2004  # nothing
        return math.exp(-turns) * (1.0 + self._wait(load, ready) * spread)

    def above(self, bounds: tuple[float, ...], second: Second) -> tuple[float, ...]:
        """The shares of a second's requests that take longer than each bound, as users measure it.

        At full capacity the long run has no answer; then each request waits for the backlog before
        it, and is worked on.
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
            return self.tail(second.load, second.ready, bound - second.before / capacity)
        wait = (second.before + second.backlog) / 2.0 / capacity
        return math.exp(min(0.0, wait - bound) / self.pod.service_s)

    def quantile(self, load: float, ready: int, backlog: float) -> float:
        """Seconds that the objective's share of requests stays under; infinite at full capacity."""
        if load * self.pod.service_s >= ready * self.pod.concurrency:
            return math.inf
        share, low, high = 1.0 - self.objective.quantile, 0.0, self.pod.service_s
        while self.tail(load, ready, high) > share:
            low, high = high, 2.0 * high
        while high - low > 1e-4:  # noqa: PLR2004  # a tenth of a millisecond
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.tail(load, ready, middle) > share else (low, middle)
        return high + backlog / (ready * self.pod.capacity)

    def need(self, load: float) -> int:
        """The fewest ready pods that hold the objective at `load` requests a second."""
        if load not in self._needs:
            ready = max(1, math.ceil(load / self.pod.capacity))
            while self._late(load, ready, 0.0):
                ready += 1
            self._needs[load] = ready
        return self._needs[load]

    def second(self, load: float, ready: int, backlog: float) -> Second:
        """What a second with `load` new requests, on top of a backlog, comes to."""
        if backlog:
            return self._second(load, ready, backlog)
        calm = self._calm.get((load, ready))
        if calm is None:
            calm = self._calm[load, ready] = self._second(load, ready, 0.0)
        return calm

    def _second(self, load: float, ready: int, backlog: float) -> Second:
        capacity, servers = ready * self.pod.capacity, ready * self.pod.concurrency
        served = min(capacity, backlog + load)
        left = min(backlog + load - served, capacity * self.pod.patience_s)
        busy = served / capacity if capacity else 0.0
        if left > 0.0 or not servers:
            in_flight = servers + (backlog + left) / 2.0
        else:
            in_flight = busy * servers + backlog / 2.0 + self._queue(load, ready)
        late = self._late(load, ready, backlog)
        return Second(load, ready, backlog, served, left, busy, in_flight, late)

    def _late(self, load: float, ready: int, backlog: float) -> bool:
        if not ready:
            return load + backlog > 0.0
        left = self.objective.latency_s - backlog / (ready * self.pod.capacity)
        return self.tail(load, ready, left) > 1.0 - self.objective.quantile

    def _queue(self, load: float, ready: int) -> float:
        """Requests waiting: Erlang's mean, but no more than one second can have brought."""
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
