"""The whole platform on a cluster: all charts, installed at once into empty namespaces."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from borough_bill.targets.attribution import busy_seconds
from e2e.cluster import ROOT, kubectl, namespace, one_at_a_time, wait_until
from e2e.release import CUSTOMERS, Release, Values, customers

SHOP, OBSERVABILITY = "borough-e2e", "borough-e2e-observability"
OPERATOR = "borough-e2e-operator"
DEFINITION = "servicescalers.borough.dev"
CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything there is, ready; `keys` are API keys by customer; `ready_s` is how long it took
    from nothing until all was ready, `cpu_s` the CPU seconds that its pods used for it, and `idle`
    the share of this machine's CPU that no process wanted meanwhile.
    """

    shop: Release
    observability: Release
    operator: Release
    keys: dict[str, str]
    ready_s: float
    cpu_s: float
    idle: float


@dataclass(frozen=True, slots=True)
class Journey:
    """An order journey that has been: the order, and when it began and ended, in Unix time."""

    order_id: str
    began: float
    ended: float


@contextmanager
def installed() -> Iterator[Platform]:
    """Microservices with PostgreSQL, collector, Prometheus and Jaeger, and the operator, while the
    context lasts. Raises NotInTime, with what the pods say.
    """
    charts = ROOT / "charts"
    with namespace(OBSERVABILITY), namespace(SHOP), namespace(OPERATOR):
        shop = Release("borough", SHOP)
        observability = Release("observability", OBSERVABILITY, charts / "observability")
        operator = Release("borough-operator", OPERATOR, charts / "borough-operator")
        keys = customers(SHOP, "ada", "grace")
        began, busy = time.monotonic(), machine_busy_s()
        install_operator(operator, OBSERVABILITY, SHOP)
        observability.install(observability_values(shop, operator), wait=False)
        shop.install(shop_values(), wait=False)
        for release in (shop, observability, operator):
            wait_ready(release)
        ready_s, used = time.monotonic() - began, machine_busy_s() - busy
        yield Platform(
            shop, observability, operator, keys,
            ready_s=ready_s,
            cpu_s=cpu_seconds(SHOP, OBSERVABILITY, OPERATOR),
            idle=1 - used / ready_s / CORES,
        )  # fmt: skip  # what it is, then what it took


def machine_busy_s() -> float:
    """How long the cores of this machine did anything so far; 0 where that cannot be read."""
    return sum(busy_seconds(core) or 0.0 for core in range(CORES))


def cpu_seconds(*namespaces: str) -> float:
    """What the pods there have used by now, once the kubelets have counted it: they look every ten
    seconds or so.
    """
    now, names = time.time(), "jsonpath={.items[*].metadata.uid}"
    which = ("--field-selector", "status.phase=Running", "--output", names)

    def counted() -> float | None:
        asked = [kubectl("get", "pods", "--namespace", one, *which) for one in namespaces]
        running = set(" ".join(asked).split())
        nodes = kubectl("get", "nodes", "--output", "jsonpath={.items[*].metadata.name}").split()
        paths = [f"/api/v1/nodes/{node}/proxy/stats/summary" for node in nodes]
        pods = [pod for path in paths for pod in json.loads(kubectl("get", "--raw", path))["pods"]]
        cpus = [pod["cpu"] for pod in pods if "cpu" in pod and pod["podRef"]["uid"] in running]
        if len(cpus) < len(running) or any(unix_time(cpu["time"]) < now for cpu in cpus):
            return None
        return float(sum(cpu["usageCoreNanoSeconds"] for cpu in cpus) / 1e9)

    return wait_until("the CPU of every pod", counted, within=120)


def unix_time(text: str) -> float:
    """Of RFC 3339, as the kubelet writes it."""
    return datetime.fromisoformat(text).timestamp()


def shop_values() -> Values:
    """Microservices with PostgreSQL are what the chart gives by itself. A scaler advises on
    payments, and changes nothing.
    """
    return {
        "customers": {"existingSecret": CUSTOMERS},
        "parts": {"payments": {"scaling": {"enabled": True, "mode": "Advise"}}},
        "networkPolicy": {
            "observability": {"namespace": OBSERVABILITY},
            "operator": {"namespace": OPERATOR},
        },
        "telemetry": {"endpoint": f"http://observability-collector.{OBSERVABILITY}:4318"},
    }


def observability_values(shop: Release, operator: Release) -> Values:
    """All of it but Grafana, whose image is not to be had everywhere tests run."""
    return {
        "grafana": {"enabled": False},
        "scrape": [{"release": shop.name, "namespace": shop.namespace}],
        "operators": [{"release": operator.name, "namespace": operator.namespace}],
    }


def install_operator(operator: Release, observability: str, *watched: str) -> None:
    """One that serves these namespaces, and may ask their pods and the Prometheus of another. It
    need not be ready when this returns, but its definition is known.
    """
    values: Values = {
        "watch": {"namespaces": list(watched)},
        "pods": {"enabled": True},
        "prometheus": {"url": f"http://observability-prometheus.{observability}:9090"},
        "networkPolicy": {"observability": {"namespace": observability}},
    }
    with one_at_a_time("definition"):
        crds = {"install": _brings_definition(operator)}
        operator.install({**values, "crds": crds}, wait=False)
    kubectl("wait", "--for", "condition=Established", f"crd/{DEFINITION}", "--timeout", "30s")


def _brings_definition(operator: Release) -> bool:
    """Whether the definition is this release's to bring: a cluster has one, and helm refuses what
    another release has brought.
    """
    found = kubectl("get", "crd", DEFINITION, "--ignore-not-found", "--output", "json")
    if not found:
        return True
    of = json.loads(found)["metadata"].get("annotations", {})
    owner = [of.get(f"meta.helm.sh/release-{word}") for word in ("name", "namespace")]
    return owner == [operator.name, operator.namespace]


def wait_ready(release: Release) -> None:
    """Raises NotInTime, with what the pods say."""
    try:
        wait_until(f"release {release.name}, ready", lambda: not release.unready(), within=180)
    except AssertionError as error:
        raise type(error)(f"{error}\n{release.explain()}") from None
