"""The releases on one cluster, beside other clients, for the tests of allowed connections."""

from collections.abc import Iterable

from charts.helm import BOROUGH, OBSERVABILITY, OPERATOR, RELEASE, Helm, Values
from charts.network import Cluster, Edge, Place
from charts.objects import pods

HERE, THERE, SCALER = (RELEASE[chart] for chart in (BOROUGH, OBSERVABILITY, OPERATOR))
PUBLIC, INTERNAL, OPS, DATABASE, OTLP, NAMES = 8080, 8081, 9090, 5432, 4318, 53
COLLECTOR = f"http://observability-collector.{THERE}:{OTLP}"
ADDRESSES = {
    "http://observer2": 80,
    "https://observer-0": 443,
    "http://10.0.0.5": 80,
    "https://10.0.0.5:9443/here": 9443,
    "http://[fd00::5]": 80,
    "http://[fd00::5]:9090": 9090,
}
"""Addresses of sources, and the port of each."""
UNUSED_PORT = 22
"""A port without a listener: a policy without ports would allow it."""

DNS = Place("dns", "kube-system", {"k8s-app": "kube-dns"})
SAME_NAMESPACE = Place("same namespace", HERE, {"app.kubernetes.io/name": "another"})
OTHER_NAMESPACE = Place("other namespace", "elsewhere", {"app.kubernetes.io/name": "borough"})
INTERNET = Place("internet", address="203.0.113.7")
API_SERVER = Place("API server", address="198.18.0.1")
OTHERS = (DNS, SAME_NAMESPACE, OTHER_NAMESPACE, INTERNET)


def cluster(helm: Helm, values: Values) -> Cluster:
    """The shop with these values, observability, and other clients."""
    values = {"telemetry": {"endpoint": COLLECTOR}, **values}
    releases = {HERE: helm.objects(BOROUGH, values), THERE: helm.objects(OBSERVABILITY)}
    return Cluster(releases, OTHERS)


def ports(place: Cluster) -> set[int]:
    """The ports on which any pod listens, and one more."""
    known = {
        p
        for objects in place.releases.values()
        for pod in pods(objects)
        for p in pod.ports.values()
    }
    return known | {NAMES, UNUSED_PORT}


def between(found: Iterable[Edge], port: int) -> set[tuple[str, str]]:
    """The two ends of the edges on a port."""
    return {(edge.source, edge.target) for edge in found if edge.port == port}


OPERATING = {
    "watch": {"namespaces": [HERE]},
    "telemetry": {"endpoint": COLLECTOR},
    "networkPolicy": {"apiServer": {"cidr": f"{API_SERVER.address}/32", "ports": [6443]}},
}
"""An operator for the shop, on a cluster whose API server has one address."""


def platform(helm: Helm, shop: Values, operator: Values) -> Cluster:
    """All three releases."""
    place = cluster(helm, shop)
    objects = helm.objects(OPERATOR, {**OPERATING, **operator})
    return Cluster({**place.releases, SCALER: objects}, (*OTHERS, API_SERVER))
