"""Does a part that is scaled get a scaler for what it is, and Helm let go of its number?

How the number changes hands is asked in tests/field/operator_api/test_handover.py, of a live
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
    """Values that scale these parts, each by what is given beside `enabled`."""
    return {"parts": {part: {"scaling": {**ON, **own}} for part, own in parts.items()}}


def replicas(objects: Objects) -> dict[str, int | None]:
    """What each Deployment says, if it does."""
    return {
        name.removeprefix("borough-"): found["spec"].get("replicas")
        for name, found in named(objects, "Deployment").items()
    }


def stored(scaler: Object) -> Object:
    """A scaler as the API server gives it back."""
    return {**scaler, "metadata": {**scaler["metadata"], "namespace": "borough", "uid": "1"}}


def test_parts_without_scaling_have_no_scaler(helm: Helm) -> None:
    """The shop needs no operator, and no definition of its objects."""
    assert of_kind(helm.objects(BOROUGH), "ServiceScaler") == []


def test_a_scaled_part_has_a_scaler_and_no_number(helm: Helm) -> None:
    """Its number is the scaler's; all others keep theirs."""
    objects = helm.objects(BOROUGH, scaled(payments={}))

    (scaler,) = of_kind(objects, "ServiceScaler")
    assert scaler["spec"]["targetRef"] == {"kind": "Deployment", "name": "borough-payments"}
    every = dict.fromkeys(SHAPES["microservices"].parts, 1)
    assert replicas(objects) == every | {"payments": None}
    notes = named(objects, "Deployment")["borough-payments"]["metadata"]["annotations"]
    assert notes == {MARK: "left-out"}


@pytest.mark.parametrize(("mode", "number"), [("Auto", None), ("Paused", None), ("Advise", 3)])
def test_advice_takes_no_number_away(helm: Helm, mode: str, number: int | None) -> None:
    """Nobody else gives one then; a pause is between two decisions of the scaler."""
    values = {"parts": {"payments": {"replicas": 3, "scaling": {**ON, "mode": mode}}}}

    assert replicas(helm.objects(BOROUGH, values))["payments"] == number


def test_every_part_of_every_shape_can_be_scaled(helm: Helm, shape: Shape) -> None:
    """By the defaults, at once; and each scaler is one that the operator understands."""
    objects = helm.objects(BOROUGH, {"shape": shape.name, "defaults": {"scaling": ON}})

    read = [spec.parse(stored(found)) for found in of_kind(objects, "ServiceScaler")]
    assert {one.target.name for one in read} == {f"borough-{part}" for part in shape.parts}
    assert set(replicas(objects).values()) == {None}


def test_values_of_scaling_are_in_the_scaler(helm: Helm) -> None:
    """A part's own over the defaults; a list is replaced as a whole, as in all values."""
    goal = {"type": "RequestRate", "perReplica": "40"}
    values = scaled(payments={"replicas": {"max": 6}, "goals": [goal], "manualHold": "5m"})
    (scaler,) = of_kind(helm.objects(BOROUGH, values), "ServiceScaler")

    assert scaler["spec"]["replicas"] == {"min": 1, "max": 6}
    assert scaler["spec"]["goals"] == [goal]
    assert scaler["spec"]["manualHold"] == "5m"
    assert "enabled" not in scaler["spec"]


def test_a_latency_goal_without_figures_has_the_objective_of_its_part(helm: Helm) -> None:
    """It is typed once, in the application; figures of the goal's own are left as they are."""
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
        spec.parse(stored(one))  # the operator understands it


def test_pods_are_scraped_at_their_metrics_port(helm: Helm) -> None:
    """The port by its name, so that a scaler need not know the number."""
    objects = helm.objects(BOROUGH, scaled(payments={"source": {"type": "Pods"}}))
    (scaler,) = of_kind(objects, "ServiceScaler")
    (pod,) = (p for p in pods(objects) if p.component == "payments")

    assert scaler["spec"]["source"] == {"type": "Pods", "port": "ops", "path": "/metrics"}
    assert scaler["spec"]["source"]["port"] in pod.ports


def test_scaling_restarts_nothing(helm: Helm) -> None:
    """The mark is the Deployment's and not its pods'."""
    before, after = (
        {p.owner: p for p in pods(helm.objects(BOROUGH, v))} for v in ({}, scaled(payments={}))
    )
    assert before == after
