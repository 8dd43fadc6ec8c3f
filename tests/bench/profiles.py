"""How an application is started and asked: all that a commit may name in its own way, as data.

A commit is started by the first profile whose entry its tree has. When a name changes, the profile
of the new name is put before the one of the old, which goes on starting the older commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bench.harness import ROOT, BenchFailed


@dataclass(frozen=True, slots=True)
class Profile:
    """Commands, settings and paths by what they are for.

    `settings` are the names of variables by what the bench means: one that is missing is not set.
    `shapes` prints as JSON which capabilities are in which part of which shape; without it there is
    one part and one shape.
    """

    entry: str
    """A file of the tree."""
    module: str
    settings: Mapping[str, str]
    delivered: str
    """The counter of the outbox at /metrics; of its `result="sent"`."""
    dropped: str = ""
    """The counter of lost spans, by reason; empty where there is none."""
    shapes: tuple[str, ...] = ()
    migrate: tuple[str, ...] = ("migrate",)
    seed: tuple[str, ...] = ("seed",)
    serve: tuple[str, ...] = ("serve",)
    audit: tuple[str, ...] = ("audit", "--json")
    orders: str = "/v1/orders"
    profile: str = "/v1/profile"
    ready: str = "/readyz"
    metrics: str = "/metrics"
    hop: str = ""
    """The module whose command `hop` measures one call between two parts."""
    instrument: str = ""
    """The module that has `instrument`, the telemetry of a foreign app."""
    path: str = ""
    """A folder of the tree for PYTHONPATH, where the module is not installed."""


BOROUGH = Profile(
    entry="kit/borough/__main__.py",
    module="borough",
    settings=MappingProxyType(
        {
            "part": "BOROUGH_PART",
            "shape": "BOROUGH_SHAPE",
            "peers": "BOROUGH_PEERS",
            "public": "BOROUGH_PUBLIC_PORT",
            "internal": "BOROUGH_INTERNAL_PORT",
            "ops": "BOROUGH_OPS_PORT",
            "store": "BOROUGH_STORE",
            "keys": "BOROUGH_API_KEYS",
            "drain": "BOROUGH_DRAIN_S",
            "otlp": "BOROUGH_OTLP_ENDPOINT",
            "iterations": "BOROUGH_PBKDF2_ITERATIONS",
            "deadline": "BOROUGH_DEADLINE_MS",
            "faults": "BOROUGH_FAULTS",
            "relay_interval": "BOROUGH_OUTBOX_INTERVAL_S",
            "relay_lease": "BOROUGH_OUTBOX_LEASE_S",
        }
    ),
    delivered="borough_outbox_deliveries_total",
    dropped="borough_spans_dropped_total",
    shapes=("shapes", "--json"),
    hop="borough_shop.experiments.rungs",
    instrument="borough_telemetry",
)
BEFORE_THE_KIT = replace(
    BOROUGH,
    entry="services/borough/__main__.py",
    hop="borough.testing.rungs",
    instrument="borough.kit.telemetry",
)
"""When the kit and the shop were one package."""
COMMON = Profile(
    entry="tests/bench/common/__main__.py",
    module="bench.common",
    settings=MappingProxyType(
        {
            "public": "COMMON_PUBLIC_PORT",
            "ops": "COMMON_OPS_PORT",
            "store": "COMMON_STORE",
            "keys": "COMMON_API_KEYS",
            "otlp": "COMMON_OTLP_ENDPOINT",
            "iterations": "COMMON_PBKDF2_ITERATIONS",
            "deadline": "COMMON_DEADLINE_MS",
        }
    ),
    delivered="common_outbox_deliveries_total",
    path="tests",
)
"""The order as most would write it."""
PROFILES = (BOROUGH, BEFORE_THE_KIT)
"""Of commits; the newest first."""
PREFIXES = ("BOROUGH_", "COMMON_", "OTEL_")
"""What the environment of the bench must not tell a side."""


def profile_of(tree: Path = ROOT) -> Profile:
    """How the code of this tree is started. Raises BenchFailed where no profile fits."""
    for profile in PROFILES:
        if (tree / profile.entry).exists():
            return profile
    entries = ", ".join(profile.entry for profile in PROFILES)
    raise BenchFailed(f"nothing in {tree} is known to start: there is no {entries}")
