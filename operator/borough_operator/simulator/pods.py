"""The pod model, read from the one file that every policy of the leaderboard shares."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Pod:
    """What one replica is and does."""

    start_s: float
    service_ms: float
    concurrency: int
    patience_s: float
    cores: float

    @property
    def service_s(self) -> float:
        """Mean seconds of work of a request."""
        return self.service_ms / 1e3

    @property
    def capacity(self) -> float:
        """Requests a second of a pod that is always busy."""
        return self.concurrency / self.service_s


@dataclass(frozen=True, slots=True)
class Objective:
    """What users are promised."""

    quantile: float
    latency_ms: float

    @property
    def latency_s(self) -> float:
        """Seconds within which the share `quantile` of requests is to be answered."""
        return self.latency_ms / 1e3


@dataclass(frozen=True, slots=True)
class CpuPath:
    """How CPU usage reaches the HorizontalPodAutoscaler."""

    kubelet_s: int
    scrape_s: int
    before_look_s: int


@dataclass(frozen=True, slots=True)
class PrometheusPath:
    """How a pod's counters reach whoever asks Prometheus."""

    scrape_s: int
    window_s: int
    before_look_s: int


@dataclass(frozen=True, slots=True)
class DirectPath:
    """How a pod's counters reach whoever asks the pod."""

    before_look_s: int


@dataclass(frozen=True, slots=True)
class Model:
    """The world of the simulation."""

    pod: Pod
    objective: Objective
    cpu: CpuPath
    prometheus: PrometheusPath
    direct: DirectPath


@cache
def model() -> Model:
    """The committed model, `pods.toml` beside this module, with the reason for each figure."""
    told = tomllib.loads((files(__package__) / "pods.toml").read_text())
    return Model(
        Pod(**told["pod"]),
        Objective(**told["objective"]),
        CpuPath(**told["cpu"]),
        PrometheusPath(**told["prometheus"]),
        DirectPath(**told["direct"]),
    )
