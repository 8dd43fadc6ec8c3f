"""Are status and Events stored as written, for the right scaler only?"""

import pytest

from borough_operator.decision.model import (
    Clamp,
    Decision,
    Freshness,
    History,
    Hold,
    Observation,
    Proposal,
    Reason,
)
from borough_operator.kube.api import Conflict, NotFound
from borough_operator.kube.cluster import SERIES_S, Cluster, Events, Subject
from borough_operator.kube.status import render
from operator_api.apiserver import Object
from operator_api.objects import Namespace, scaler

NOW = 1_795_422_600.0


# -- status


def full_status(seen: Observation, previous: Object) -> Object:
    """A status with every field."""
    decision = Decision(
        replicas=5,
        reason=Reason.AT_MAX,
        message="RequestRate asks for 7 and 5 is the most.",
        history=History(4, Hold("kubectl", 4, NOW, NOW + 900), (NOW - 60, NOW)),
        proposals=(
            Proposal("RequestRate", Freshness.FRESH, 7, 331.25, 1.0, "ceil(...) = 7"),
            Proposal("Latency", Freshness.ERROR, None, detail="it did not answer"),
        ),
        binding="RequestRate",
        raw=7,
        clamps=(Clamp(Reason.AT_MAX, 7, 5),),
        hpa=6,
        write=True,
    )
    return render(decision, generation=1, mode="Auto", observation=seen, previous=previous, now=NOW)


async def test_status_is_stored_as_written(ours: Cluster, namespace: Namespace) -> None:
    """The schema has every field and drops none."""
    stored = namespace.create(scaler("pay"))
    status = full_status(Observation(replicas=4, ready=3, readings={}), {})
    uid = stored["metadata"]["uid"]
    answer = await ours.write_status(namespace.name, "pay", uid, status)
    found = namespace.get("ServiceScaler", "pay")
    assert found["status"] == status
    assert answer == found
    assert found["metadata"]["generation"] == 1
    assert "finalizers" not in found["metadata"]


async def test_status_is_replaced_as_a_whole(ours: Cluster, namespace: Namespace) -> None:
    """An ended hold leaves no field."""
    uid = namespace.create(scaler("pay"))["metadata"]["uid"]
    await ours.write_status(namespace.name, "pay", uid, {"bindingGoal": "RequestRate"})
    await ours.write_status(namespace.name, "pay", uid, {"reason": "Steady"})
    assert namespace.get("ServiceScaler", "pay")["status"] == {"reason": "Steady"}


async def test_response_to_a_status_write_has_earlier_spec_changes(
    ours: Cluster, namespace: Namespace
) -> None:
    """A watch or list may show nothing newer than our write."""
    stored = namespace.create(scaler("pay"))
    namespace.patch("ServiceScaler", "pay", {"spec": {"mode": "Paused"}})
    uid = stored["metadata"]["uid"]
    answer = await ours.write_status(namespace.name, "pay", uid, {"reason": "Steady"})
    assert (answer["spec"]["mode"], answer["metadata"]["generation"]) == ("Paused", 2)
    assert answer["status"] == {"reason": "Steady"}


async def test_status_of_a_recreated_scaler_is_not_written(
    ours: Cluster, namespace: Namespace
) -> None:
    """The decision was for the deleted one."""
    with pytest.raises(NotFound):
        await ours.write_status(namespace.name, "pay", "gone", {"reason": "Steady"})
    namespace.create(scaler("pay"))
    with pytest.raises(Conflict):
        await ours.write_status(namespace.name, "pay", "gone", {"reason": "Steady"})


# -- events


async def test_events_of_one_reason_are_counted_together(
    ours: Cluster, namespace: Namespace
) -> None:
    """`kubectl describe` shows one line for each reason, with a count and the newest message."""
    uid = namespace.create(scaler("pay"))["metadata"]["uid"]
    clock = [NOW]
    events = Events(ours, lambda: clock[0])
    subject = Subject(namespace.name, "pay", uid)
    for message in ("3 -> 4", "4 -> 6"):
        await events.emit(subject, "Normal", "ScaledUp", message)
    await events.emit(subject, "Warning", "MetricsError", "no answer")
    clock[0] += SERIES_S + 1
    await events.emit(subject, "Normal", "ScaledUp", "6 -> 7")
    found = {(e["reason"], e["count"], e["message"]) for e in namespace.all("Event")}
    assert found == {
        ("ScaledUp", 2, "4 -> 6"),
        ("ScaledUp", 1, "6 -> 7"),
        ("MetricsError", 1, "no answer"),
    }
    assert {e["involvedObject"]["uid"] for e in namespace.all("Event")} == {uid}


async def test_expired_event_starts_a_new_one(ours: Cluster, namespace: Namespace) -> None:
    """The next one is created again."""
    uid = namespace.create(scaler("pay"))["metadata"]["uid"]
    events = Events(ours, lambda: NOW)
    subject = Subject(namespace.name, "pay", uid)
    await events.emit(subject, "Normal", "ScaledUp", "1")
    namespace.delete("Event", namespace.all("Event")[0]["metadata"]["name"])
    await events.emit(subject, "Normal", "ScaledUp", "2")
    await events.emit(subject, "Normal", "ScaledUp", "3")
    assert [e["message"] for e in namespace.all("Event")] == ["3"]
