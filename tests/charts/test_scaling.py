"""Does a scaled part have a scaler for its Deployment, and does Helm leave the replicas to it?

The transition of `replicas` is tested in tests/field/operator_api/test_handover.py, on a live
cluster.
"""

import pytest

from borough.shapes import Shape
from borough_operator.kube import spec
from borough_shop.app import APP
from charts.cases import SHAPES
from charts.helm import BOROUGH, Helm, Object, Objects, Values
from charts.objects import named, of_kind, pods

ON = {"enabled": True}
MARK = "scaling.borough.dev/replicas"


def scaled(**parts: Values) -> Values:
    """Values that scale these parts, each with what is given beside `enabled`."""
    return {"parts": {part: {"scaling": {**ON, **own}} for part, own in parts.items()}}


def replicas(objects: Objects) -> dict[str, int | None]:
    """The replicas in each Deployment, if set."""
    return {
        name.removeprefix("borough-"): found["spec"].get("replicas")
        for name, found in named(objects, "Deployment").items()
    }


def stored(scaler: Object) -> Object:
    """A scaler as the API server returns it."""
    return {**scaler, "metadata": {**scaler["metadata"], "namespace": "borough", "uid": "1"}}


def test_parts_without_scaling_have_no_scaler(helm: Helm) -> None:
    """The shop requires neither the operator nor its definition."""
    assert of_kind(helm.objects(BOROUGH), "ServiceScaler") == []


def test_scaled_part_has_a_scaler_and_no_replicas(helm: Helm) -> None:
    """Its scaler sets them; all other Deployments keep theirs."""
    objects = helm.objects(BOROUGH, scaled(payments={}))

    (scaler,) = of_kind(objects, "ServiceScaler")
    assert scaler["spec"]["targetRef"] == {"kind": "Deployment", "name": "borough-payments"}
    every = dict.fromkeys(SHAPES["microservices"].parts, 1)
    assert replicas(objects) == every | {"payments": None}
    notes = named(objects, "Deployment")["borough-payments"]["metadata"]["annotations"]
    assert notes == {MARK: "left-out"}


@pytest.mark.parametrize(("mode", "number"), [("Auto", None), ("Paused", None), ("Advise", 3)])
def test_only_mode_advise_keeps_the_replicas(helm: Helm, mode: str, number: int | None) -> None:
    """In mode Advise no scaler sets them; Paused is between two decisions of the scaler."""
    values = {"parts": {"payments": {"replicas": 3, "scaling": {**ON, "mode": mode}}}}

    assert replicas(helm.objects(BOROUGH, values))["payments"] == number


def test_every_part_of_every_shape_can_be_scaled(helm: Helm, shape: Shape) -> None:
    """With the defaults, all at once; and the operator can parse each scaler."""
    objects = helm.objects(BOROUGH, {"shape": shape.name, "defaults": {"scaling": ON}})

    read = [spec.parse(stored(found)) for found in of_kind(objects, "ServiceScaler")]
    assert {one.target.name for one in read} == {f"borough-{part}" for part in shape.parts}
    assert set(replicas(objects).values()) == {None}


def test_values_of_scaling_are_in_the_scaler(helm: Helm) -> None:
    """Those of a part over the defaults; a list is replaced as a whole, as in all values."""
    goal = {"type": "RequestRate", "perReplica": "40"}
    values = scaled(payments={"replicas": {"max": 6}, "goals": [goal], "manualHold": "5m"})
    (scaler,) = of_kind(helm.objects(BOROUGH, values), "ServiceScaler")

    assert scaler["spec"]["replicas"] == {"min": 1, "max": 6}
    assert scaler["spec"]["goals"] == [goal]
    assert scaler["spec"]["manualHold"] == "5m"
    assert "enabled" not in scaler["spec"]


def test_latency_goal_without_numbers_has_the_objective_of_its_part(helm: Helm) -> None:
    """The objective is declared once, in the application; numbers in the goal have precedence."""
    own = {"type": "Latency", "quantile": "0.5", "objective": "10ms"}
    values = scaled(gateway={"goals": [{"type": "Latency"}]}, payments={"goals": [own]})
    scalers = of_kind(helm.objects(BOROUGH, values), "ServiceScaler")

    goals = {one["spec"]["targetRef"]["name"]: one["spec"]["goals"] for one in scalers}
    latency = APP.objectives_by_name["gateway"].latency
    assert latency is not None
    assert goals == {
        "borough-gateway": [
            {
                "type": "Latency",
                "quantile": f"{latency.ratio:g}",
                "objective": f"{latency.threshold_ms:g}ms",
            }
        ],
        "borough-payments": [own],
    }
    for one in scalers:
        spec.parse(stored(one))  # the operator can parse it


def test_pods_are_scraped_at_their_metrics_port(helm: Helm) -> None:
    """The port by its name, so that a scaler does not depend on the number."""
    objects = helm.objects(BOROUGH, scaled(payments={"source": {"type": "Pods"}}))
    (scaler,) = of_kind(objects, "ServiceScaler")
    (pod,) = (p for p in pods(objects) if p.component == "payments")

    assert scaler["spec"]["source"] == {"type": "Pods", "port": "ops", "path": "/metrics"}
    assert scaler["spec"]["source"]["port"] in pod.ports


def test_scaling_restarts_nothing(helm: Helm) -> None:
    """The annotation is the Deployment's and not its pods'."""
    before, after = (
        {p.owner: p for p in pods(helm.objects(BOROUGH, v))} for v in ({}, scaled(payments={}))
    )
    assert before == after
