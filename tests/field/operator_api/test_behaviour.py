"""What does a running operator do to real objects, and what does it leave alone?"""

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
    """Nothing yet."""
    return Scene(shared, prometheus)


def test_load_that_its_replicas_cannot_carry_raises_the_target(scene: Scene) -> None:
    """The target gets more replicas through /scale under the operator's own name, and an Event and
    the status say so.
    """
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    until(lambda: scene.status().get("appliedReplicas") == scene.replicas())
    fields = scene.target()["metadata"]["managedFields"]
    writers = {entry["manager"] for entry in fields if entry.get("subresource") == "scale"}
    assert writers == {"borough-operator"}
    assert until(lambda: told(scene)) == ["ScaledUp"]


def told(scene: Scene) -> list[str]:
    """The reasons of its Events."""
    events = scene.namespace.all("Event")
    return [each["reason"] for each in events if each["involvedObject"]["name"] == scene.name]


def test_replicas_go_after_the_window_and_not_below_what_the_load_needs(scene: Scene) -> None:
    """A target that is too large shrinks, once a whole window was seen."""
    scene.load(120)
    scene.create(9)
    until(lambda: scene.replicas() < 9)
    until(lambda: scene.reason() == "Steady")
    assert scene.replicas() >= 3


def test_a_stateful_set_is_scaled_as_a_deployment_is(scene: Scene) -> None:
    """The other kind of target works alike."""
    scene.load(400)
    scene.create(kind="StatefulSet")
    assert until(lambda: scene.replicas("StatefulSet") > 8)


def test_a_persons_scale_is_held_for_its_time_and_then_released(scene: Scene) -> None:
    """`kubectl scale` is left alone, with who and until when in the status, and ends by itself."""
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
    second = timedelta(seconds=1)  # which times in a status are rounded to
    assert datetime.now(UTC) + second >= datetime.fromisoformat(hold["until"])


def test_an_annotation_ends_a_hold(scene: Scene) -> None:
    """Whoever held a number can give it back before its time."""
    scene.load(100)
    scene.create(3, manualHold="1h")
    until(lambda: scene.status().get("appliedReplicas"))
    scene.scale(8)
    until(lambda: scene.reason() == "ManualHold")
    now = datetime.now(UTC) + timedelta(seconds=1)
    resume = {"annotations": {"borough.dev/resume": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    scene.namespace.patch("ServiceScaler", scene.name, {"metadata": resume})
    assert until(lambda: scene.replicas() < 8)


def test_advice_writes_nothing_and_becomes_deed_when_the_mode_changes(
    scene: Scene, operator: Operator
) -> None:
    """Advise says a number and leaves the target alone; Auto then gives it, without a restart."""
    scene.load(400)
    scene.create(mode="Advise")
    advised = until(lambda: scene.status().get("desiredReplicas", 0) > 8)
    assert advised
    assert scene.target()["metadata"]["generation"] == 1
    assert operator.metric("borough_scaler_advised_replicas", scaler=scene.name) > 8
    scene.edit(mode="Auto")
    until(lambda: scene.replicas() > 8)


def test_a_paused_scaler_asks_for_nothing(scene: Scene) -> None:
    """Paused leaves the target alone whatever the load, until it is switched on."""
    scene.load(400)
    scene.create(mode="Paused")
    until(lambda: scene.reason() == "Paused")
    assert scene.target()["metadata"]["generation"] == 1
    scene.edit(mode="Auto")
    until(lambda: scene.replicas() > 8)


def test_a_target_may_come_later_and_go(scene: Scene) -> None:
    """Without a target the scaler says so; it begins when there is one, and tells when it went."""
    scene.load(400)
    scene.create_scaler()
    until(lambda: scene.reason() == "TargetMissing")
    scene.create_target()
    until(lambda: scene.replicas() > 8)
    scene.namespace.delete("Deployment", scene.name)
    assert until(lambda: scene.reason() == "TargetMissing")


def test_a_target_at_zero_stays_there(scene: Scene) -> None:
    """Who scaled a target to zero wants it off."""
    scene.load(400)
    scene.create(0)
    until(lambda: scene.reason() == "ScaledToZero")
    assert scene.replicas() == 0


def test_a_second_scaler_of_a_target_may_advise_and_not_act(scene: Scene) -> None:
    """Two that act on one target would fight: the younger is told whose it is."""
    scene.load(100)
    scene.create(3)
    scene.create_scaler(name=f"{scene.name}-b")
    scene.create_scaler(name=f"{scene.name}-c", mode="Advise")
    until(lambda: scene.reason(f"{scene.name}-b") == "SpecInvalid")
    assert scene.name in scene.status(f"{scene.name}-b")["decision"]["message"]
    until(lambda: scene.status(f"{scene.name}-c").get("desiredReplicas"))
    assert scene.reason(f"{scene.name}-c") != "SpecInvalid"


def test_another_controller_that_undoes_every_write_is_left_the_field(scene: Scene) -> None:
    """After three flips the operator says Contested and takes its hands off."""
    scene.load(400)
    scene.create(2, manualHold="0s")

    def undone() -> bool:
        if scene.replicas() != 2:
            scene.namespace.patch("Deployment", scene.name, {"spec": {"replicas": 2}}, "argocd")
        return scene.reason() == "Contested"

    until(undone)
    assert scene.replicas() == 2
    assert "argocd" in scene.status()["decision"]["message"]


def test_nothing_is_written_for_what_does_not_change(scene: Scene, operator: Operator) -> None:
    """Decisions that repeat the last one write neither status nor target."""
    scene.load(140)
    scene.create(4)
    until(lambda: scene.reason() == "Steady")
    before = [scene.scaler()["metadata"], scene.target()["metadata"]]
    decided = operator.metric("borough_operator_decisions_total")
    until(lambda: operator.metric("borough_operator_decisions_total") >= decided + 3)
    assert [scene.scaler()["metadata"], scene.target()["metadata"]] == before


def test_objects_bear_nothing_of_the_operator_and_go_at_once(scene: Scene) -> None:
    """There is no finalizer and no annotation: a deleted scaler is gone, and its target stays as
    it was scaled.
    """
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    for obj in (scene.scaler(), scene.target()):
        assert not {"finalizers", "annotations"} & obj["metadata"].keys()
    scene.namespace.delete("ServiceScaler", scene.name)
    with pytest.raises(Refused, match="not found"):
        scene.scaler()
    assert scene.replicas() > 8
