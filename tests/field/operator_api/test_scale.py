"""Is a decision written to the target it was made for, with the listed rights?"""

import pytest

from borough_operator.decision.model import ForeignWriter
from borough_operator.kube import targets
from borough_operator.kube.api import Api, Conflict, NotFound
from borough_operator.kube.cluster import PODS, WATCHED, Cluster, Events, Subject
from borough_operator.kube.credentials import of_kubeconfig
from borough_operator.sources.protocol import Target
from operator_api.apiserver import OPERATOR, ApiServer, Object
from operator_api.objects import Namespace, scaler, workload

NOW = 1_795_422_600.0
KINDS = ("Deployment", "StatefulSet")


async def scale_as_seen(ours: Cluster, replicas: int, seen: Object) -> str:
    """Scale a target, based on this state of it."""
    metadata = seen["metadata"]
    return await ours.scale(
        Target(metadata["namespace"], seen["kind"], metadata["name"]),
        replicas,
        seen=seen["spec"]["replicas"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_target_is_scaled_under_our_field_manager(
    ours: Cluster, namespace: Namespace, kind: str
) -> None:
    """Through /scale, with no other field changed."""
    before = namespace.create(workload("pay", 3, kind))
    version = await scale_as_seen(ours, 5, before)
    after = namespace.get(kind, "pay")
    assert after["metadata"]["resourceVersion"] == version
    assert after["spec"] == {**before["spec"], "replicas": 5}
    assert targets.workload(after).manager == ""


async def test_number_changed_meanwhile_is_a_conflict(ours: Cluster, namespace: Namespace) -> None:
    """The decision was based on another number."""
    seen = namespace.create(workload("pay", 3))
    namespace.scale("pay", 8)
    with pytest.raises(Conflict):
        await scale_as_seen(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 8


async def test_status_changed_meanwhile_is_no_conflict(ours: Cluster, namespace: Namespace) -> None:
    """Only the number and the uid are compared."""
    seen = namespace.create(workload("pay", 3))
    namespace.report("pay", {"replicas": 3, "readyReplicas": 3})
    await scale_as_seen(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 5


async def test_recreated_target_is_not_scaled(ours: Cluster, namespace: Namespace) -> None:
    """The decision was for the deleted one."""
    seen = namespace.create(workload("pay", 3))
    namespace.delete("Deployment", "pay")
    with pytest.raises(NotFound):
        await scale_as_seen(ours, 5, seen)
    namespace.create(workload("pay", 3))
    with pytest.raises(Conflict):
        await scale_as_seen(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 3


@pytest.mark.parametrize("applied", [True, False])
async def test_later_writer_is_recorded_with_its_manager(
    ours: Cluster, namespace: Namespace, *, applied: bool
) -> None:
    """Also where the target was applied without replicas, so that the number had no owner: the API
    server records no manager of an update then, but it records our apply and what follows.
    """
    seen = _applied(namespace) if applied else namespace.create(workload("pay", 1))
    await scale_as_seen(ours, 5, seen)
    namespace.scale("pay", 7)
    found = targets.observation(
        targets.workload(namespace.get("Deployment", "pay")), None, {}, None, NOW
    )
    assert (found.replicas, found.writer) == (7, ForeignWriter("kubectl", NOW))


async def test_number_without_an_owner_has_an_unknown_writer(namespace: Namespace) -> None:
    """The API server records no manager for a target that was applied without replicas."""
    _applied(namespace)
    namespace.scale("pay", 7)
    seen = targets.workload(namespace.get("Deployment", "pay"))
    assert (seen.replicas, seen.manager, seen.written) == (7, targets.UNKNOWN, None)


async def test_edit_of_the_object_has_a_time(namespace: Namespace) -> None:
    """A write through /scale has none."""
    namespace.create(workload("pay", 3))
    namespace.patch("Deployment", "pay", {"spec": {"replicas": 4}}, "kubectl-edit")
    seen = targets.workload(namespace.get("Deployment", "pay"))
    assert seen.manager == "kubectl-edit"
    assert seen.written is not None


def _applied(namespace: Namespace) -> Object:
    path = namespace.path("Deployment", "pay") + "?fieldManager=helm&force=true"
    applied: Object = namespace.server.ask(
        "PATCH", path, workload("pay", None), "application/apply-patch+yaml"
    )
    return applied


async def test_listed_rights_are_sufficient(server: ApiServer, namespace: Namespace) -> None:
    """With a Role of them every call succeeds, including the second read of /scale."""
    namespace.allow_operator()
    uid = namespace.create(scaler("pay"))["metadata"]["uid"]
    api = Api(of_kubeconfig(server.kubeconfig(OPERATOR)), lambda *_: None)
    allowed = Cluster(api)
    try:
        for kind in KINDS:
            seen = namespace.create(workload("pay", 3, kind))
            namespace.report("pay", {"replicas": 3}, kind)
            await scale_as_seen(allowed, 4, seen)
        await allowed.write_status(namespace.name, "pay", uid, {"reason": "Steady"})
        events = Events(allowed, lambda: NOW)
        for _ in range(2):
            await events.emit(Subject(namespace.name, "pay", uid), "Normal", "ScaledUp", "3 -> 4")
        for resource in (*WATCHED, PODS):
            await allowed.list_all(resource, namespace.name, lambda item: item)
    finally:
        await api.close()
    assert [e["count"] for e in namespace.all("Event")] == [2]
