"""The pod model that every policy of the leaderboard shares, read from pods.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica."""

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
    """The promised latency."""

    quantile: float
    latency_ms: float

    @property
    def latency_s(self) -> float:
        """Seconds within which the share `quantile` of requests is to complete."""
        return self.latency_ms / 1e3


@dataclass(frozen=True, slots=True)
class CpuPath:
    """How CPU usage reaches the HorizontalPodAutoscaler."""

    kubelet_s: int
    scrape_s: int
    age_s: int


@dataclass(frozen=True, slots=True)
class PrometheusPath:
    """How a pod's counters are read from Prometheus."""

    scrape_s: int
    window_s: int
    age_s: int


@dataclass(frozen=True, slots=True)
class DirectPath:
    """How a pod's counters are read from the pod."""

    age_s: int


@dataclass(frozen=True, slots=True)
class Model:
    """The model of the simulation."""

    pod: Pod
    objective: Objective
    cpu: CpuPath
    prometheus: PrometheusPath
    direct: DirectPath


@cache
def model() -> Model:
    """The committed model, `pods.toml` beside this module, with the reason for each value."""
    values = tomllib.loads((files(__package__) / "pods.toml").read_text())
    return Model(
        Pod(**values["pod"]),
        Objective(**values["objective"]),
        CpuPath(**values["cpu"]),
        PrometheusPath(**values["prometheus"]),
        DirectPath(**values["direct"]),
    )
