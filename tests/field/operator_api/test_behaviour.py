"""What does a running operator change, and what does it leave alone?"""

from datetime import UTC, datetime, timedelta

import pytest

from operator_api.apiserver import Object, Refused
from operator_api.objects import Namespace
from operator_api.prometheus import Prometheus
from operator_api.running import Operator
from operator_api.scene import Scene
from waiting import until


@pytest.fixture
def scene(operator: Operator, shared: Namespace, prometheus: Prometheus) -> Scene:
    """Without objects yet."""
    return Scene(shared, prometheus)


def test_overload_raises_the_target(scene: Scene) -> None:
    """Through /scale under the operator's field manager, with an Event and the status."""
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    until(lambda: scene.status().get("appliedReplicas") == scene.replicas())
    fields = scene.target()["metadata"]["managedFields"]
    writers = {entry["manager"] for entry in fields if entry.get("subresource") == "scale"}
    assert writers == {"borough-operator"}
    assert until(lambda: event_reasons(scene)) == ["ScaledUp"]


def event_reasons(scene: Scene) -> list[str]:
    """The reasons of its Events."""
    events = scene.namespace.all("Event")
    return [each["reason"] for each in events if each["involvedObject"]["name"] == scene.name]


def test_removal_follows_the_window_and_keeps_what_the_load_needs(scene: Scene) -> None:
    """A target that is too large shrinks after a whole window."""
    scene.load(120)
    scene.create(9)
    until(lambda: scene.replicas() < 9)
    until(lambda: scene.reason() == "Steady")
    assert scene.replicas() >= 3


def test_stateful_set_is_scaled(scene: Scene) -> None:
    """As a Deployment is."""
    scene.load(400)
    scene.create(kind="StatefulSet")
    assert until(lambda: scene.replicas("StatefulSet") > 8)


def test_manual_scale_is_held_and_then_released(scene: Scene) -> None:
    """The status contains the manager and the end of the hold."""
    scene.load(100)
    scene.create(3, manualHold="4s")
    until(lambda: scene.status().get("appliedReplicas"))
    scene.scale(8)
    hold: Object = until(lambda: scene.status().get("hold", {}))
    assert (hold["manager"], hold["replicas"]) == ("kubectl", 8)
    assert hold["until"] > hold["since"]
    assert scene.condition("ManualHold") == "True"
    assert scene.replicas() == 8
    until(lambda: scene.replicas() < 8)
    until(lambda: "hold" not in scene.status())
    second = timedelta(seconds=1)  # the precision of times in a status
    assert datetime.now(UTC) + second >= datetime.fromisoformat(hold["until"])


def test_annotation_ends_a_hold(scene: Scene) -> None:
    """Before the end of `manualHold`."""
    scene.load(100)
    scene.create(3, manualHold="1h")
    until(lambda: scene.status().get("appliedReplicas"))
    scene.scale(8)
    until(lambda: scene.reason() == "ManualHold")
    now = datetime.now(UTC) + timedelta(seconds=1)
    resume = {"annotations": {"borough.dev/resume": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    scene.namespace.patch("ServiceScaler", scene.name, {"metadata": resume})
    assert until(lambda: scene.replicas() < 8)


def test_advise_writes_nothing_until_the_mode_is_auto(scene: Scene, operator: Operator) -> None:
    """Auto writes the number without a restart."""
    scene.load(400)
    scene.create(mode="Advise")
    advised = until(lambda: scene.status().get("desiredReplicas", 0) > 8)
    assert advised
    assert scene.target()["metadata"]["generation"] == 1
    assert operator.metric("borough_scaler_advised_replicas", scaler=scene.name) > 8
    scene.edit(mode="Auto")
    until(lambda: scene.replicas() > 8)


def test_paused_scaler_changes_nothing(scene: Scene) -> None:
    """Whatever the load, until the mode is changed."""
    scene.load(400)
    scene.create(mode="Paused")
    until(lambda: scene.reason() == "Paused")
    assert scene.target()["metadata"]["generation"] == 1
    scene.edit(mode="Auto")
    until(lambda: scene.replicas() > 8)


def test_missing_target_is_reported_and_scaled_once_it_exists(scene: Scene) -> None:
    """A later deletion is reported too."""
    scene.load(400)
    scene.create_scaler()
    until(lambda: scene.reason() == "TargetMissing")
    scene.create_target()
    until(lambda: scene.replicas() > 8)
    scene.namespace.delete("Deployment", scene.name)
    assert until(lambda: scene.reason() == "TargetMissing")


def test_target_at_zero_stays_there(scene: Scene) -> None:
    """It was switched off by hand."""
    scene.load(400)
    scene.create(0)
    until(lambda: scene.reason() == "ScaledToZero")
    assert scene.replicas() == 0


def test_second_scaler_of_a_target_may_only_advise(scene: Scene) -> None:
    """Two in mode Auto would conflict: the younger one reports the other's name."""
    scene.load(100)
    scene.create(3)
    scene.create_scaler(name=f"{scene.name}-b")
    scene.create_scaler(name=f"{scene.name}-c", mode="Advise")
    until(lambda: scene.reason(f"{scene.name}-b") == "SpecInvalid")
    assert scene.name in scene.status(f"{scene.name}-b")["decision"]["message"]
    until(lambda: scene.status(f"{scene.name}-c").get("desiredReplicas"))
    assert scene.reason(f"{scene.name}-c") != "SpecInvalid"


def test_target_is_contested_after_three_reverts(scene: Scene) -> None:
    """The number of the other controller is left alone."""
    scene.load(400)
    scene.create(2, manualHold="0s")

    def reverted() -> bool:
        if scene.replicas() != 2:
            scene.namespace.patch("Deployment", scene.name, {"spec": {"replicas": 2}}, "argocd")
        return scene.reason() == "Contested"

    until(reverted)
    assert scene.replicas() == 2
    assert "argocd" in scene.status()["decision"]["message"]


def test_unchanged_decision_writes_nothing(scene: Scene, operator: Operator) -> None:
    """Neither status nor target."""
    scene.load(140)
    scene.create(4)
    until(lambda: scene.reason() == "Steady")
    before = [scene.scaler()["metadata"], scene.target()["metadata"]]
    decided = operator.metric("borough_operator_decisions_total")
    until(lambda: operator.metric("borough_operator_decisions_total") >= decided + 3)
    assert [scene.scaler()["metadata"], scene.target()["metadata"]] == before


def test_objects_have_no_finalizer_and_are_deleted_at_once(scene: Scene) -> None:
    """They have no annotation either; the target keeps its number when the scaler is deleted."""
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    for obj in (scene.scaler(), scene.target()):
        assert not {"finalizers", "annotations"} & obj["metadata"].keys()
    scene.namespace.delete("ServiceScaler", scene.name)
    with pytest.raises(Refused, match="not found"):
        scene.scaler()
    assert scene.replicas() > 8
