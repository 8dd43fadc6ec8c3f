"""Are the rendered parts those of the shape, each with its capabilities and the addresses of its
peers?
"""

import json
import os
from typing import Any

import pytest

from borough.app import App
from borough.compose import build
from borough.config import PREFIX, Settings, load
from borough.shapes import Shape, needed
from borough_shop.app import APP
from charts.cases import Case
from charts.helm import BOROUGH, Helm, Objects
from charts.objects import CAPABILITY, SHAPE_OF_DOOR, Pod, environment, named, pods


@pytest.fixture
def objects(helm: Helm, shape: Shape) -> Objects:
    """The rendered objects of the shape."""
    return helm.objects(BOROUGH, {"shape": shape.name})


def parts(objects: Objects) -> dict[str, Pod]:
    """The pods of parts by the name of their Deployment."""
    return {p.owner.removeprefix("Deployment/"): p for p in pods(objects) if is_part(p)}


def is_part(pod: Pod) -> bool:
    """Only parts are Deployments in this chart."""
    return pod.owner.startswith("Deployment/")


def hosted(pod: Pod) -> list[str]:
    """The capabilities in its environment."""
    verb, of, *capabilities = pod.main["args"]
    assert (verb, of.partition("=")[0]) == ("serve", "--app")
    return list(capabilities)


def settings_of(pod: Pod, objects: Objects, monkeypatch: pytest.MonkeyPatch, app: App = APP) -> Any:
    """The settings as the part will read them. Raises WrongSettings."""
    for name in [n for n in os.environ if n.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment(pod, objects).items():
        monkeypatch.setenv(name, value)
    return load(app.settings)


def test_each_part_has_a_deployment_and_no_other_exists(shape: Shape, objects: Objects) -> None:
    """With the capabilities of the shape."""
    assert {name: sorted(hosted(pod)) for name, pod in parts(objects).items()} == {
        f"borough-{part}": sorted(capabilities) for part, capabilities in shape.parts.items()
    }
    assert {name: pod.component for name, pod in parts(objects).items()} == {
        f"borough-{part}": part for part in shape.parts
    }


def test_part_gets_its_shape_and_the_addresses_that_it_calls(
    shape: Shape, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variable is an existing setting, with a valid value."""
    for part, pod in ((pod.component, pod) for pod in parts(objects).values()):
        settings = settings_of(pod, objects, monkeypatch)
        assert (settings.part, settings.shape) == (part, shape.name)
        assert settings.peers == {
            capability: (f"http://borough-{capability}:8081",)
            for capability in needed(shape.parts[part], APP.calls)
        }


async def test_wiring_accepts_every_part(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be built from the environment of the pod, and opens the ports that the pod names."""
    for pod in parts(objects).values():
        settings = settings_of(pod, objects, monkeypatch)
        built = await build(APP, settings, hosted(pod))
        try:
            named_ports = {"ops": settings.ops_port}
            if built.public is not None:
                named_ports["public"] = settings.public_port
            if built.internal is not None:
                named_ports["internal"] = settings.internal_port
            assert pod.ports == named_ports, pod.owner
            assert settings.host == "0.0.0.0"  # noqa: S104  # of the pod
        finally:
            await built.close()


def test_part_is_labelled_with_the_capabilities_that_other_parts_call(
    shape: Shape, objects: Objects
) -> None:
    """Only what its internal port serves: callers find it by these labels."""
    for pod in parts(objects).values():
        borne = {key.removeprefix(CAPABILITY) for key in pod.labels if key.startswith(CAPABILITY)}
        assert borne == shape.served_to_others(pod.component, APP.calls), pod.owner


def test_part_with_a_door_is_labelled_with_its_shape(shape: Shape, objects: Objects) -> None:
    """At a change of shape the door is switched by this label."""
    for pod in parts(objects).values():
        door = shape.name.replace(":", ".") if "gateway" in shape.parts[pod.component] else None
        assert pod.labels.get(SHAPE_OF_DOOR) == door, pod.owner


def test_probes_use_routes_of_the_part(objects: Objects) -> None:
    """Liveness: its event loop runs; readiness: everything it needs is available."""
    for pod in parts(objects).values():
        asked = {probe: pod.main[f"{probe}Probe"]["httpGet"] for probe in PROBES}
        assert asked == {probe: {"path": path, "port": "ops"} for probe, path in PROBES.items()}


PROBES = {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_every_part_may_be_drained_one_pod_at_a_time(objects: Objects) -> None:
    """Its budget selects its pods and never keeps a node from being drained."""
    budgets = named(objects, "PodDisruptionBudget")
    deployments = named(objects, "Deployment")

    assert set(budgets) == set(deployments)
    for name, budget in budgets.items():
        assert budget["spec"]["selector"] == deployments[name]["spec"]["selector"]
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_part_has_time_to_drain(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet waits for the pause before SIGTERM, the drain, and the longest request in
    progress.
    """
    for pod in parts(objects).values():
        settings = settings_of(pod, objects, monkeypatch)
        pause = pod.main["lifecycle"]["preStop"]["sleep"]["seconds"]
        longest = (settings.deadline_ms + settings.settle_budget_ms) / 1_000
        assert pause >= settings.resolve_interval_s, "peers go on to ask an address that is gone"
        assert pod.spec["terminationGracePeriodSeconds"] > pause + settings.drain_s + longest


def test_roll_out_never_has_fewer_pods_than_before(objects: Objects) -> None:
    """A new pod is ready before an old one ends."""
    for deployment in named(objects, "Deployment").values():
        assert deployment["spec"]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }


async def test_wiring_accepts_the_parts_of_every_example(
    helm: Helm, example: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the values have their own settings, stores, images or application."""
    if example.chart != BOROUGH:
        pytest.skip("it has no parts")
    objects = helm.objects(BOROUGH, example.values)

    assert parts(objects)
    for pod in parts(objects).values():
        settings = settings_of(pod, objects, monkeypatch, example.app)
        built = await build(example.app, settings, hosted(pod))
        await built.close()


def test_customers_of_a_default_installation_are_known(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part with a door reads the keys; one without does not."""
    for pod in parts(objects).values():
        keys = environment(pod, objects).get("BOROUGH_API_KEYS")
        assert (keys is not None) == ("gateway" in hosted(pod)), pod.owner
        assert keys is None or all(json.loads(keys).values())


def test_lost_dns_query_is_repeated_within_the_drain_time(
    objects: Objects,
) -> None:
    """A caller looks the addresses up at an interval; where the answer is lost, the next one comes
    before the pod gets SIGTERM.
    """
    for pod in parts(objects).values():
        options = {one["name"]: float(one["value"]) for one in pod.spec["dnsConfig"]["options"]}
        served_s = pod.main["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert options["attempts"] > 1
        assert Settings().resolve_interval_s + options["timeout"] < served_s
