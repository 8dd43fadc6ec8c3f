"""The model of pods: their values, read from pods.toml, and the queue of all ready ones.

The ready pods are one M/M/c queue before `ready x concurrency` servers, as with a load balancer
that knows idle pods. Below capacity a second is scored by the stationary formula, as if its load
lasted; above it the excess becomes a backlog for later seconds, up to the requests that give up.
All policies are scored by this alone.

Formulas: Erlang (1917) as in Gross and Harris, *Fundamentals of Queueing Theory*, section 2.3.
"""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Pod:
    start_s: float
    service_ms: float
    concurrency: int
    patience_s: float
    cores: float

    @property
    def service_s(self) -> float:
        """Mean service time of a request in seconds."""
        return self.service_ms / 1e3

    @property
    def capacity(self) -> float:
        """Requests per second of a pod that is always busy."""
        return self.concurrency / self.service_s


@dataclass(frozen=True, slots=True)
class Objective:
    quantile: float
    latency_ms: float

    @property
    def latency_s(self) -> float:
        """Seconds within which the share `quantile` of requests is to complete."""
        return self.latency_ms / 1e3


@dataclass(frozen=True, slots=True)
class Path:
    """How a metric reaches an autoscaler. Seconds; 0 for a step that the path does not have."""

    age_s: int
    """Age of the newest values at an evaluation."""
    scrape_s: int = 0
    kubelet_s: int = 0
    window_s: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    pod: Pod
    objective: Objective
    cpu: Path
    prometheus: Path
    direct: Path


@cache
def model() -> Model:
    """The committed model, `pods.toml` beside this module, with the reason for each value."""
    values = tomllib.loads((files(__package__) / "pods.toml").read_text())
    paths = (Path(**values[name]) for name in ("cpu", "prometheus", "direct"))
    return Model(Pod(**values["pod"]), Objective(**values["objective"]), *paths)


@cache
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
        self.pods_needed = cache(self._pods_needed)
        """The fewest ready pods that meet the objective at some requests per second."""
        self.shares_above = cache(self._shares_above)
        """The shares of a second's requests that take longer than each of some bounds."""
        self._without_backlog = cache(self._second)

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
        return math.exp(-elapsed) * (1.0 + erlang_c(servers, offered) * spread)

    def second(self, load: float, ready: int, backlog: float) -> Second:
        """The second with `load` new requests on top of a backlog."""
        return (self._second if backlog else self._without_backlog)(load, ready, backlog)

    def _shares_above(self, bounds: tuple[float, ...], second: Second) -> tuple[float, ...]:
        """As a histogram measures them. At full capacity there is no steady state; then each
        request waits for the backlog before it.
        """
        if not second.ready:
            return (1.0,) * len(bounds)
        capacity, behind = second.ready * self.pod.capacity, second.initial_backlog
        if second.load < capacity:
            waits = (bound - behind / capacity for bound in bounds)
            return tuple(self.tail(second.load, second.ready, wait) for wait in waits)
        wait = (behind + second.backlog) / 2.0 / capacity
        return tuple(math.exp(min(0.0, wait - each) / self.pod.service_s) for each in bounds)

    def _pods_needed(self, load: float) -> int:
        ready = max(1, math.ceil(load / self.pod.capacity))
        while self._violated(load, ready, 0.0):
            ready += 1
        return ready

    def _second(self, load: float, ready: int, backlog: float) -> Second:
        capacity, servers = ready * self.pod.capacity, ready * self.pod.concurrency
        served = min(capacity, backlog + load)
        left = min(backlog + load - served, capacity * self.pod.patience_s)
        busy = served / capacity if capacity else 0.0
        if left > 0.0 or not servers:
            in_flight = servers + (backlog + left) / 2.0
        else:
            in_flight = busy * servers + backlog / 2.0 + self._queue(load, servers)
        violated = self._violated(load, ready, backlog)
        return Second(load, ready, backlog, served, left, busy, in_flight, violated)

    def _violated(self, load: float, ready: int, backlog: float) -> bool:
        if not ready:
            return load + backlog > 0.0
        left = self.objective.latency_s - backlog / (ready * self.pod.capacity)
        return self.tail(load, ready, left) > 1.0 - self.objective.quantile

    def _queue(self, load: float, servers: int) -> float:
        """Waiting requests: Erlang's mean, limited to the arrivals of one second."""
        offered = load * self.pod.service_s
        if offered >= servers:
            return 0.0
        return min(load, erlang_c(servers, offered) * offered / (servers - offered))
