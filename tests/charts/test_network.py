"""Do the policies allow the connections of the call graph, and no other?

Computed from the rendered policies as the cluster would decide: between every two pods of both
charts and of other clients, on every port that any pod has and on one that none has.
"""

from collections.abc import Iterable, Iterator

import pytest

from borough.app import GATEWAY
from borough.shapes import Shape, needed
from borough_shop.app import APP
from charts.cases import CASES, OTHERS, SHAPES
from charts.clusters import (
    ADDRESSES,
    DATABASE,
    DNS,
    HERE,
    INTERNAL,
    NAMES,
    OPS,
    OTLP,
    PUBLIC,
    THERE,
    UNUSED_PORT,
    between,
    cluster,
    ports,
)
from charts.helm import BOROUGH, OBSERVABILITY, RELEASE, Helm, Object, Values
from charts.network import Cluster, Direction, Edge, Place, Policies
from charts.objects import Pod, of_kind, pods


def calls(shape: Shape) -> set[tuple[str, str]]:
    """The parts that each part calls."""
    return {
        (caller, callee)
        for caller, hosted in shape.parts.items()
        for callee in shape.parts
        if caller != callee
        if needed(hosted, APP.calls) & shape.served_to_others(callee, APP.calls)
    }


@pytest.fixture(scope="module")
def edges(helm: Helm, shape: Shape) -> set[Edge]:
    """Of the shop in that shape, with the load Job, which is applied separately."""
    place = cluster(helm, {"shape": shape.name, "load": {"enabled": True}})
    return place.edges(HERE, ports(place))


def test_parts_are_connected_where_one_calls_the_other(shape: Shape, edges: set[Edge]) -> None:
    """The edges of the internal ports are those of the shape."""
    assert between(edges, INTERNAL) == calls(shape)


def test_shape_of_one_capability_a_part_has_the_edges_of_the_call_graph(helm: Helm) -> None:
    """The edges of `APP.calls`, computed from the policies."""
    found = cluster(helm, {"shape": "microservices"}).edges(HERE, [INTERNAL])

    assert between(found, INTERNAL) == {
        (caller, callee) for caller, callees in APP.calls.items() for callee in callees
    }


@pytest.mark.parametrize("name", OTHERS)
def test_policies_of_another_application_follow_its_call_graph(helm: Helm, name: str) -> None:
    """Its calls, its door, its stores, and no rule of the shop."""
    case = CASES[f"borough/{name}"]
    place = cluster(helm, case.values)
    found = place.edges(HERE, ports(place))

    assert between(found, INTERNAL) == {
        (caller, callee) for caller, callees in case.app.calls.items() for callee in callees
    }
    assert {target for _, target in between(found, PUBLIC)} == {GATEWAY}
    assert between(found, DATABASE) == {
        (source, "postgres") for source in {*case.app.contracts, "migrate", "audit"}
    }


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_policies_of_each_end_alone_allow_the_same_connections(
    helm: Helm, direction: Direction
) -> None:
    """An error in the policy of one end allows no connection."""
    shape = SHAPES["microservices"]
    place = cluster(helm, {"load": {"enabled": True}}).only(direction)
    ours = set(place.places(HERE))
    found = {e for e in place.edges(HERE, [INTERNAL, DATABASE]) if {e.source, e.target} <= ours}

    keepers = {*shape.parts, "migrate", "audit"} - {"gateway"}
    assert between(found, INTERNAL) == calls(shape)
    assert between(found, DATABASE) - {("postgres", "postgres")} == {
        (keeper, "postgres") for keeper in keepers
    }


def test_only_parts_with_stores_reach_the_database(shape: Shape, edges: set[Edge]) -> None:
    """And the Jobs that migrate or audit it."""
    keepers = {part for part, hosted in shape.parts.items() if set(hosted) - {"gateway"}}

    assert between(edges, DATABASE) == {
        (source, "postgres") for source in keepers | {"migrate", "audit"}
    }


def test_only_the_port_of_the_door_is_open_to_all(shape: Shape, edges: set[Edge]) -> None:
    """Within the release only to the pods of tests and load."""
    doors = {part for part, hosted in shape.parts.items() if "gateway" in hosted}
    guests = {"load", "test", "dns", "same namespace", "other namespace"}

    found = between(edges, PUBLIC)
    assert found - {("internet", door) for door in doors} == {(g, d) for g in guests for d in doors}


def test_only_prometheus_scrapes(shape: Shape, edges: set[Edge]) -> None:
    """Every part, and no other pod of the shop."""
    assert between(edges, OPS) == {("prometheus", part) for part in shape.parts}


def test_no_other_connection_is_allowed(shape: Shape, edges: set[Edge]) -> None:
    """But DNS and the export of spans; no other address is reachable from the shop."""
    others = {e for e in edges if e.port not in {PUBLIC, INTERNAL, OPS, DATABASE}}
    look_up = {source for source, target in between(others, NAMES)}

    assert between(others, OTLP) == {(part, "collector") for part in shape.parts}
    assert {*shape.parts, "migrate", "audit", "test", "load"} <= look_up
    assert {(e.target, e.port) for e in others} == {("dns", NAMES), ("collector", OTLP)}


def test_spans_go_to_the_port_of_the_address(helm: Helm) -> None:
    """Also for a host that ends in a digit; without a port it is the default of the scheme."""
    for address, port in ADDRESSES.items():
        place = cluster(helm, {"telemetry": {"endpoint": address}})
        found = place.only("egress").edges(HERE, {*ADDRESSES.values(), 0, 2, 5})
        asked = {e.port for e in found if (e.source, e.target) == ("orders", "collector")}
        assert asked == {port}, address


def test_dns_is_allowed_over_both_protocols(helm: Helm) -> None:
    """A long answer comes over TCP."""
    place = cluster(helm, {})
    for namespace, objects in place.releases.items():
        let = Policies(namespace, tuple(of_kind(objects, "NetworkPolicy")))
        for pod in place.places(namespace).values():
            over = {p for p in ("UDP", "TCP") if let.passing(pod, DNS, [NAMES], p)}
            assert over in (set(), {"UDP", "TCP"}), pod.name


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_denied_first_and_then_allowed(helm: Helm, name: str) -> None:
    """The default deny selects it for both directions, and other policies allow connections."""
    case = CASES[name]
    objects = helm.objects(case.chart, case.values)
    release = RELEASE[case.chart]
    let = Policies(release, tuple(of_kind(objects, "NetworkPolicy")))
    if not let.policies:
        assert case.values["networkPolicy"]["enabled"] is False
        return
    for pod in Cluster({release: objects}).places(release).values():
        found = [p["metadata"]["name"] for p in let.of(pod)]
        assert f"{release}-default-deny" in found, pod.name
        assert len(found) >= 2, pod.name
    (deny,) = (p["spec"] for p in let.policies if p["metadata"]["name"].endswith("-default-deny"))
    assert sorted(deny["policyTypes"]) == ["Egress", "Ingress"]
    assert not deny.get("ingress")
    assert not deny.get("egress")


def test_both_shapes_are_connected_during_a_change_of_shape(helm: Helm) -> None:
    """The host of a caller reaches, in either shape, every host of what it calls."""
    old, new = SHAPES["apis"], SHAPES["microservices"]
    found = cluster(helm, {"shape": new.name, "retiring": old.name}).edges(HERE, [INTERNAL])

    parts = [(shape, part) for shape in (old, new) for part in shape.parts]
    assert between(found, INTERNAL) == {
        (caller, callee)
        for one, caller in parts
        for other, callee in parts
        if caller != callee
        for hosted in one.parts[caller]
        if APP.calls[hosted] & other.served_to_others(callee, APP.calls)
    }


def test_part_of_a_retiring_shape_keeps_its_policies(helm: Helm) -> None:
    """Helm deletes what is no longer rendered while the last pods of the old shape settle orders:
    the policies that allow it must exist afterwards too.
    """
    old, new = SHAPES["microservices"], SHAPES["monolith"]
    before = helm.objects(BOROUGH, {"shape": new.name, "retiring": old.name})
    after = helm.objects(BOROUGH, {"shape": new.name})
    leaving = [pod for pod in pods(before) if pod.component in old.parts]
    place = Cluster({HERE: (*after, *as_objects(leaving))})

    assert len(leaving) == len(old.parts)
    assert between(place.edges(HERE, [INTERNAL]), INTERNAL) >= calls(old)
    keepers = set(old.parts) - {"gateway"}
    assert between(place.edges(HERE, [DATABASE]), DATABASE) >= {(p, "postgres") for p in keepers}


def as_objects(those: Iterable[Pod]) -> Iterator[Object]:
    """Pods that remain when their Deployment is deleted."""
    for pod in those:
        metadata = {"name": pod.component, "labels": pod.labels}
        yield {"kind": "Pod", "metadata": metadata, "spec": pod.spec}


def test_external_database_is_reached_at_its_address(helm: Helm) -> None:
    """By the parts with stores, at its address and port; other addresses are not reachable."""
    inside, beside = (Place(a, address=a) for a in ("10.20.3.4", "10.21.3.4"))
    values = {
        "store": {"kind": "external", "existingSecret": "shop"},
        "networkPolicy": {"externalStore": {"cidr": "10.20.0.0/16", "port": 6432}},
    }
    objects = helm.objects(BOROUGH, values)
    found = Cluster({HERE: objects}, (inside, beside)).edges(HERE, [6432, DATABASE])

    outward = {e for e in found if e.target in {inside.name, beside.name}}
    keepers = {*APP.contracts, "migrate", "audit"}
    assert outward == {Edge(keeper, inside.name, 6432) for keeper in keepers}


def test_door_can_be_restricted_to_peers(helm: Helm) -> None:
    """And to the pods of tests and load, which are in the release."""
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}
    place = cluster(helm, {"networkPolicy": {"door": {"from": [only]}}, "load": {"enabled": True}})

    assert between(place.edges(HERE, [PUBLIC]), PUBLIC) == {
        (guest, "gateway") for guest in ("other namespace", "load", "test")
    }


def test_observability_reaches_its_targets_and_nothing_else(helm: Helm) -> None:
    """Its pages are open to the cluster; its OTLP ports to the shop alone."""
    place = cluster(helm, {"shape": "monolith"})
    found = place.edges(THERE, ports(place))
    pages = {("prometheus", 9090), ("jaeger", 16686), ("grafana", 3000)}
    visitors = {"dns", "same namespace", "other namespace"}

    assert {e for e in found if e.target != "dns"} == {
        Edge("app", "collector", OTLP),
        *(Edge("same namespace", "collector", port) for port in (OTLP, 4317)),
        Edge("collector", "jaeger", OTLP),
        Edge("prometheus", "app", OPS),
        *(Edge("prometheus", to, 8888) for to in ("collector", "jaeger")),
        Edge("prometheus", "grafana", 3000),
        Edge("grafana", "prometheus", 9090),
        Edge("grafana", "jaeger", 16686),
        *(Edge(visitor, page, port) for visitor in visitors for page, port in pages),
    }
    assert {(e.source, e.port) for e in found if e.target == "dns"} == {
        (source, NAMES) for source in ("collector", "prometheus", "grafana")
    }


def test_without_policies_every_connection_is_allowed(helm: Helm) -> None:
    """No pod is selected, so Kubernetes denies nothing."""
    place = cluster(helm, {"networkPolicy": {"enabled": False}})

    assert Edge("payments", "postgres", UNUSED_PORT) in place.edges(HERE, [UNUSED_PORT])


@pytest.mark.parametrize("service", ["NodePort", "LoadBalancer", "ClusterIP"])
def test_node_that_publishes_a_port_reaches_that_port_only(helm: Helm, service: str) -> None:
    """A packet that comes by a port of a node has the node's address, so that address is allowed:
    to Grafana, and to a door that is restricted.
    """
    node, another = (Place(a, address=a) for a in ("172.18.0.3", "172.18.0.4"))
    nodes = ["172.18.0.3/32"]
    inside: Values = {"namespaceSelector": {}}
    shop = {
        "service": {"type": service},
        "networkPolicy": {"nodes": nodes, "door": {"from": [inside]}},
    }
    observability = {"grafana": {"service": {"type": service}}, "networkPolicy": {"nodes": nodes}}
    releases = {
        HERE: helm.objects(BOROUGH, shop),
        THERE: helm.objects(OBSERVABILITY, observability),
    }
    place = Cluster(releases, (node, another))

    found = place.edges(HERE, ports(place)) | place.edges(THERE, ports(place))
    published = {Edge(node.name, "gateway", PUBLIC), Edge(node.name, "grafana", 3000)}
    assert {edge for edge in found if edge.source in {node.name, another.name}} == (
        set() if service == "ClusterIP" else published
    )
