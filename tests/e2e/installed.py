"""The whole platform on a cluster: both charts, installed at once into empty namespaces."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.cluster import ROOT, namespace, wait_until
from e2e.release import CUSTOMERS, Release, Values, customers

SHOP, OBSERVABILITY = "borough-e2e", "borough-e2e-observability"


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything there is, ready; `keys` are API keys by customer; `ready_s` is how long it took
    from nothing until all was ready.
    """

    shop: Release
    observability: Release
    keys: dict[str, str]
    ready_s: float


@dataclass(frozen=True, slots=True)
class Journey:
    """An order journey that has been: the order, and when it began and ended, in Unix time."""

    order_id: str
    began: float
    ended: float


@contextmanager
def installed() -> Iterator[Platform]:
    """Microservices with PostgreSQL, collector, Prometheus and Jaeger, while the context lasts.
    Raises NotInTime, with what the pods say.
    """
    with namespace(OBSERVABILITY), namespace(SHOP):
        shop = Release("borough", SHOP)
        observability = Release("observability", OBSERVABILITY, ROOT / "charts" / "observability")
        keys = customers(SHOP, "ada", "grace")
        began = time.monotonic()
        observability.install(observability_values(shop), wait=False)
        shop.install(shop_values(), wait=False)
        for release in (shop, observability):
            wait_ready(release)
        yield Platform(shop, observability, keys, time.monotonic() - began)


def shop_values() -> Values:
    """Microservices with PostgreSQL are what the chart gives by itself."""
    return {
        "customers": {"existingSecret": CUSTOMERS},
        "networkPolicy": {"observability": {"namespace": OBSERVABILITY}},
        "telemetry": {"endpoint": f"http://observability-collector.{OBSERVABILITY}:4318"},
    }


def observability_values(shop: Release) -> Values:
    """All of it but Grafana, whose image is not to be had everywhere tests run."""
    return {
        "grafana": {"enabled": False},
        "scrape": [{"release": shop.name, "namespace": shop.namespace}],
    }


def wait_ready(release: Release) -> None:
    """Raises NotInTime, with what the pods say."""
    try:
        wait_until(f"release {release.name}, ready", lambda: not release.unready(), within=180)
    except AssertionError as error:
        raise type(error)(f"{error}\n{release.explain()}") from None
