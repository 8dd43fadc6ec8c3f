"""Do the policies allow the connections that the operator needs, and no other?"""

import pytest

from charts.clusters import (
    ADDRESSES,
    HERE,
    NAMES,
    OPS,
    OTLP,
    PUBLIC,
    SCALER,
    THERE,
    platform,
    ports,
)
from charts.helm import OBSERVABILITY, Helm
from charts.network import Cluster, Edge


def test_operator_reaches_its_sources_and_nothing_else(helm: Helm) -> None:
    """The API server, Prometheus, the collector; Prometheus scrapes it, and its test connects
    to it.
    """
    place = platform(helm, {"parts": {"payments": {"scaling": {"enabled": True}}}}, {})
    found = place.edges(
        SCALER, {*ports(place), 443, 6443} - {PUBLIC}
    )  # the shop has a test pod too

    assert {e for e in found if e.target != "dns"} == {
        Edge("operator", "API server", 6443),
        Edge("operator", "prometheus", 9090),
        Edge("operator", "collector", OTLP),
        Edge("prometheus", "operator", OPS),
        Edge("test", "operator", OPS),
    }
    assert {(e.source, e.port) for e in found if e.target == "dns"} == {
        (source, NAMES) for source in ("operator", "test")
    }


@pytest.mark.parametrize("setting", ["prometheus.url", "telemetry.endpoint"])
def test_sources_are_reached_on_the_port_of_their_address(helm: Helm, setting: str) -> None:
    """Also for a host that ends in a digit; without a port it is the default of the scheme."""
    group, name = setting.split(".")
    other = {"prometheus": {"url": ""}, "telemetry": {"endpoint": ""}}
    for address, port in ADDRESSES.items():
        place = platform(helm, {}, {**other, group: {name: address}})
        found = place.only("egress").edges(SCALER, {*ADDRESSES.values(), 0, 2, 5})
        asked = {e.port for e in found if (e.source, e.target) == ("operator", "collector")}
        assert asked == {port}, address


def test_operator_reaches_the_pods_of_parts_with_source_pods(helm: Helm) -> None:
    """Both ends must allow it: the operator by pods.enabled, the part by its scaler's source."""
    asking = {"source": {"type": "Pods"}, "enabled": True}
    shop = {"parts": {"payments": {"scaling": asking}, "orders": {"scaling": {"enabled": True}}}}
    both = platform(helm, shop, {"pods": {"enabled": True}})
    neither = platform(helm, shop, {})

    assert asked_by_operator(both) == {("operator", "payments")}
    assert asked_by_operator(neither) == set()


def asked_by_operator(place: Cluster) -> set[tuple[str, str]]:
    """The parts that it reaches, on any port."""
    found = place.edges(HERE, ports(place))
    return {(e.source, e.target) for e in found if e.source == "operator"}


def test_restricted_prometheus_is_reachable_by_the_operator(helm: Helm) -> None:
    """The rule for the peers of its pages does not apply to the operator."""
    closed = helm.objects(OBSERVABILITY, {"networkPolicy": {"ui": {"from": []}}})
    place = platform(helm, {}, {})
    place = Cluster({**place.releases, THERE: closed}, place.others)

    assert Edge("operator", "prometheus", 9090) in place.edges(THERE, [9090])
