"""Two shops under the same load, side by side: our operator scales payments of the one, and a
HorizontalPodAutoscaler, the cluster's own, payments of the other.

The goals are set so that of the first shop only payments has too much to do when orders multiply.
Beside the scaler that acts stand some that only advise, with other phases of their ticks: one step
of the load then tells how soon decisions follow it, and not how soon one did. Some read the pods,
some Prometheus.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.cluster import ROOT, apply, namespace
from e2e.installed import install_operator, wait_ready
from e2e.load import Load, open_loop, turn
from e2e.release import CUSTOMERS, Release, Values, customers

OURS, RIVAL = "borough-e2e-scaled", "borough-e2e-hpa"
OPERATOR, OBSERVABILITY = "borough-e2e-scaler", "borough-e2e-scaler-metrics"
TARGET = "borough-payments"
"""In both shops."""
RATE = 16
CALM, BUSY = 0.15, 0.6
"""Requests a second, always, and the share of orders in them before and after the step."""
MOST = 4
INTERVAL_S, WINDOW_S, HOLD_S = 5, 45, 20
ADVISERS = 20
"""Of each kind of source."""
BEHAVIOR = {"interval": f"{INTERVAL_S}s", "down": {"window": f"{WINDOW_S}s", "maxPercent": 50}}
GOAL = {"type": "RequestRate", "perReplica": "7"}
IDLE = {"type": "RequestRate", "perReplica": "500"}
WORK: Values = {
    "customers": {"existingSecret": CUSTOMERS},
    "settings": {"pbkdf2_iterations": 15_000, "deadline_ms": 8_000},
    "networkPolicy": {
        "operator": {"namespace": OPERATOR},
        "observability": {"namespace": OBSERVABILITY},
    },
}
"""Of both shops; a charge costs enough for an HPA to notice. An order has more than the usual 2 s:
whether scaling fails one is asked, and not how fast two cores are that start pods for other tests.
"""
PART, SCALED, TOWN = ({"requests": {"cpu": cpu}} for cpu in ("60m", "40m", "200m"))
"""A part; payments of the other shop, so small that an HPA sees it busy; and the part of that shop
that does all other work. A node that has too little shares it by these: new pods, that take all
there is to start, leave the rest to the others.
"""


def ours() -> Values:
    """Every part is scaled; notifications would be too, but its scaler only advises."""
    common = {"replicas": {"min": 1, "max": MOST}, "behavior": BEHAVIOR, "manualHold": f"{HOLD_S}s"}
    scaling = {"enabled": True, "source": {"type": "Pods"}, **common}
    eager = {"mode": "Advise", "goals": [{**GOAL, "perReplica": "1"}]}
    return {
        **WORK,
        "defaults": {"resources": PART, "scaling": {**scaling, "goals": [IDLE]}},
        "parts": {
            "payments": {"scaling": {"goals": [GOAL]}},
            "notifications": {"scaling": eager},
        },
    }


def rivals() -> Values:
    """Payments is a part of its own, and all else another."""
    return {
        **WORK, "shape": "extract-payments", "defaults": {"resources": TOWN},
        "parts": {"payments": {"resources": SCALED}},
    }  # fmt: skip  # one glance


def hpa(name: str = "payments") -> dict[str, Any]:
    """A HorizontalPodAutoscaler on CPU with the same bounds and its own defaults."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": TARGET},
            "minReplicas": 1,
            "maxReplicas": MOST,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def scaler(name: str, source: str, mode: str = "Auto") -> dict[str, Any]:
    """A ServiceScaler of payments with the goal that makes it grow."""
    return {
        "apiVersion": "borough.dev/v1alpha1",
        "kind": "ServiceScaler",
        "metadata": {"name": name},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": TARGET},
            "mode": mode,
            "replicas": {"min": 1, "max": MOST},
            "goals": [GOAL],
            "behavior": BEHAVIOR,
            "source": {"type": source, "port": "ops"},
        },
    }


def advisers() -> Iterator[dict[str, Any]]:
    """As many of each kind of source as tell a p95."""
    for source in ("Pods", "Prometheus"):
        for number in range(ADVISERS):
            yield scaler(f"{source.lower()}-{number:02}", source, "Advise")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything there is, ready."""

    ours: Release
    rival: Release
    operator: Release
    observability: Release

    def load(self, share: float, seconds: float) -> tuple[Load, Load]:
        """The same load for both shops: so many requests a second, that share of them orders. They
        leave at a constant pace: what is to be seen is the step, and not chance.
        """

        def one(shop: Release, values: Values, door: str) -> Load:
            words = (f"order={share}",)
            return open_loop(
                shop, values, door=door, rate=RATE, seconds=seconds, workload="shop", shares=words,
                arrivals="constant",
            )  # fmt: skip  # one glance

        return one(self.ours, ours(), "gateway"), one(self.rival, rivals(), "app")


@contextmanager
def stage() -> Iterator[Stage]:
    """Both shops, a Prometheus and the operator, while the context lasts. Raises NotInTime."""
    with (
        namespace(OBSERVABILITY), namespace(OURS), namespace(RIVAL), namespace(OPERATOR),
    ):  # fmt: skip  # one glance
        charts = ROOT / "charts"
        built = Stage(
            ours=Release("borough", OURS),
            rival=Release("borough", RIVAL),
            operator=Release("borough-operator", OPERATOR, charts / "borough-operator"),
            observability=Release("observability", OBSERVABILITY, charts / "observability"),
        )
        for shop in (OURS, RIVAL):
            customers(shop, "ada", "grace")
        with turn():  # two shops that start are a load, too
            install_operator(built.operator, OBSERVABILITY, OURS, RIVAL)
            built.ours.install(ours(), wait=False)
            built.rival.install(rivals(), wait=False)
            built.observability.install(prometheus_alone(built), wait=False)
            apply(RIVAL, hpa())
            apply(OURS, *advisers())
            for release in (built.observability, built.ours, built.rival, built.operator):
                wait_ready(release)
        yield built


def prometheus_alone(stage: Stage) -> Values:
    """Of all that observes, only what an operator asks."""
    off: Mapping[str, Any] = {"enabled": False}
    places = [{"release": r.name, "namespace": r.namespace} for r in (stage.ours, stage.rival)]
    operator = {"release": stage.operator.name, "namespace": stage.operator.namespace}
    return {
        "collector": off, "jaeger": off, "grafana": off, "scrape": places, "operators": [operator],
    }  # fmt: skip  # one glance
