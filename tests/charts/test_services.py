"""Does every Service select the pods it is for, and no other?"""

import pytest

from borough.shapes import Shape, load
from borough_shop.app import APP
from charts.cases import SHAPES
from charts.helm import BOROUGH, Helm, Object, Objects
from charts.objects import Pod, behind, named, of_kind, pods


def hosting(shape: Shape, capability: str) -> set[str]:
    """The Deployments of the parts that serve the capability to others."""
    return {
        f"Deployment/borough-{part}"
        for part in shape.parts
        if capability in shape.served_to_others(part, APP.calls)
    }


def with_door(shape: Shape) -> set[str]:
    """The Deployments that host the gateway."""
    return {f"Deployment/borough-{part}" for part in shape.parts if "gateway" in shape.parts[part]}


def owners(service: Object, objects: Objects) -> set[str]:
    """The owners of the pods behind a Service."""
    return {pod.owner for pod in behind(service, pods(objects))}


@pytest.fixture
def objects(helm: Helm, shape: Shape) -> Objects:
    """The rendered objects of the shape."""
    return helm.objects(BOROUGH, {"shape": shape.name})


def test_each_capability_has_a_service_where_another_part_calls_it(
    shape: Shape, objects: Objects
) -> None:
    """Headless, so that the caller balances its calls; callers do not depend on the shape, so it
    exists in every shape, also where no part calls it.
    """
    services = named(objects, "Service")
    for capability in APP.contracts:
        service = services[f"borough-{capability}"]
        assert service["spec"]["clusterIP"] == "None"
        assert ports(service) == {8081: "internal"}
        assert owners(service, objects) == hosting(shape, capability)


def test_service_of_the_door_selects_the_parts_with_a_gateway(
    shape: Shape, objects: Objects
) -> None:
    """All of them at one address, and each at its own."""
    services = named(objects, "Service")
    assert owners(services["borough"], objects) == with_door(shape)
    assert ports(services["borough"]) == {80: "public"}
    for part in shape.parts:
        if f"Deployment/borough-{part}" in with_door(shape):
            service = services[door_of(part)]
            assert owners(service, objects) == {f"Deployment/borough-{part}"}
            assert ports(service) == {80: "public"}
            assert service["spec"].get("clusterIP") != "None"


def door_of(part: str) -> str:
    """The name of the Service of a part's own door."""
    return f"borough-{part}"


def test_every_part_can_be_scraped_pod_by_pod(shape: Shape, objects: Objects) -> None:
    """Also while it is not ready, when its metrics are of interest."""
    services = named(objects, "Service")
    for part in shape.parts:
        service = services[f"borough-{part}-ops"]
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert ports(service) == {9090: "ops"}
        assert owners(service, objects) == {f"Deployment/borough-{part}"}


def ports(service: Object) -> dict[int, str | int]:
    """The port of the pod behind each port of the Service."""
    return {p["port"]: p.get("targetPort", p["port"]) for p in service["spec"]["ports"]}


def test_every_service_selects_a_pod_with_its_port(shape: Shape, objects: Objects) -> None:
    """But for capabilities that no other part calls."""
    for service in of_kind(objects, "Service"):
        found = behind(service, pods(objects))
        name = service["metadata"]["name"].removeprefix("borough-")
        assert found or not hosting(shape, name), name
        for pod in found:
            assert set(ports(service).values()) <= reachable(pod), (name, pod.owner)


def reachable(pod: Pod) -> set[str | int]:
    """The ports of a pod, by name and by number."""
    return {*pod.ports, *pod.ports.values()}


STEPS = [
    ("monolith", "microservices"),
    ("microservices", "monolith"),
    ("roles", "microservices"),
    ("extract:gateway", "microservices"),  # the door is a part of both shapes
]


@pytest.mark.parametrize(("old", "new"), STEPS)
def test_change_of_shape_keeps_both_until_the_new_one_is_ready(
    helm: Helm, old: str, new: str
) -> None:
    """First all parts of both with the door unchanged, then the new alone: the door is switched at
    once, to parts that are ready.
    """
    first = helm.objects(BOROUGH, {"shape": new, "retiring": old})
    then = helm.objects(BOROUGH, {"shape": new})

    both = {f"borough-{part}" for name in (old, new) for part in SHAPES[name].parts}
    assert set(named(first, "Deployment")) == both
    assert owners(named(first, "Service")["borough"], first) == with_door(SHAPES[old])
    assert owners(named(then, "Service")["borough"], then) == with_door(SHAPES[new])


def test_part_of_both_shapes_is_one_deployment(helm: Helm) -> None:
    """Of the new shape, with the labels of what it serves to others."""
    values = {"shape": "microservices", "retiring": "extract:payments"}
    objects = helm.objects(BOROUGH, values)

    assert set(named(objects, "Deployment")) == {
        "borough-app", *(f"borough-{part}" for part in SHAPES["microservices"].parts)
    }  # fmt: skip  # as a table
    payments = named(objects, "ConfigMap")["borough-payments"]
    assert payments["data"]["BOROUGH_SHAPE"] == "microservices"


@pytest.mark.parametrize("name", [*load(APP.calls, APP.shapes), "extract:gateway"])
def test_routes_by_path_lead_to_their_parts(helm: Helm, name: str) -> None:
    """As in the shape; the rest goes to the last part with a door, or to the only one."""
    shape = SHAPES[name]
    values = {
        "shape": name,
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gate"}]},
        "ingress": {"enabled": True},
    }
    objects = helm.objects(BOROUGH, values)
    last = [part for part, hosted in shape.parts.items() if "gateway" in hosted][-1]
    wanted = {path: f"borough-{part}" for part, paths in shape.doors.items() for path in paths}
    wanted["/"] = f"borough-{last}"

    (route,) = of_kind(objects, "HTTPRoute")
    assert {
        match["path"]["value"]: backend["name"]
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
        for backend in rule["backendRefs"]
    } == wanted
    (ingress,) = of_kind(objects, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert {
        path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]
    } == wanted
    assert set(wanted.values()) <= set(named(objects, "Service"))
