"""Is a target given what was decided, on what was seen, within the rights that are named?"""

import pytest

from borough_operator.decision.model import ForeignWriter
from borough_operator.kube import targets
from borough_operator.kube.api import Api, Conflict, NotFound
from borough_operator.kube.cluster import PODS, WATCHED, Cluster
from borough_operator.kube.credentials import of_kubeconfig
from borough_operator.kube.events import Events, Subject
from borough_operator.sources.protocol import Target
from operator_api.apiserver import OPERATOR, ApiServer, Object
from operator_api.objects import Namespace, scaler, workload

NOW = 1_795_422_600.0
KINDS = ("Deployment", "StatefulSet")


async def give(ours: Cluster, replicas: int, seen: Object) -> str:
    """Scale a target on what was seen of it."""
    metadata = seen["metadata"]
    return await ours.scale(
        Target(metadata["namespace"], seen["kind"], metadata["name"]),
        replicas,
        seen=seen["spec"]["replicas"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_a_target_is_given_its_number(ours: Cluster, namespace: Namespace, kind: str) -> None:
    """Through /scale, under our name, and nothing else of it is touched."""
    before = namespace.create(workload("pay", 3, kind))
    version = await give(ours, 5, before)
    after = namespace.get(kind, "pay")
    assert after["metadata"]["resourceVersion"] == version
    assert after["spec"] == {**before["spec"], "replicas": 5}
    assert targets.workload(after).manager == ""


async def test_a_number_that_somebody_changed_meanwhile_is_left_alone(
    ours: Cluster, namespace: Namespace
) -> None:
    """A decision on what is no longer so is none."""
    seen = namespace.create(workload("pay", 3))
    namespace.scale("pay", 8)
    with pytest.raises(Conflict):
        await give(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 8


async def test_a_status_that_moved_meanwhile_is_no_conflict(
    ours: Cluster, namespace: Namespace
) -> None:
    """Pods start and stop all the time; only the number counts."""
    seen = namespace.create(workload("pay", 3))
    namespace.report("pay", {"replicas": 3, "readyReplicas": 3})
    await give(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 5


async def test_another_target_of_the_same_name_is_left_alone(
    ours: Cluster, namespace: Namespace
) -> None:
    """It was decided for one that is gone."""
    seen = namespace.create(workload("pay", 3))
    namespace.delete("Deployment", "pay")
    with pytest.raises(NotFound):
        await give(ours, 5, seen)
    namespace.create(workload("pay", 3))
    with pytest.raises(Conflict):
        await give(ours, 5, seen)
    assert namespace.get("Deployment", "pay")["spec"]["replicas"] == 3


@pytest.mark.parametrize("applied", [True, False])
async def test_whoever_scales_after_us_is_known_by_name(
    ours: Cluster, namespace: Namespace, *, applied: bool
) -> None:
    """Also where the target was applied without replicas, so that nobody owned the number: of an
    update the API server then records nothing, of our apply it does, and of what follows it too.
    """
    seen = _applied(namespace) if applied else namespace.create(workload("pay", 1))
    await give(ours, 5, seen)
    namespace.scale("pay", 7)
    found = targets.observation(
        targets.workload(namespace.get("Deployment", "pay")), None, {}, None, NOW
    )
    assert (found.replicas, found.writer) == (7, ForeignWriter("kubectl", NOW))


async def test_a_number_that_nobody_owns_was_written_by_nobody_known(namespace: Namespace) -> None:
    """The API server does not say who scaled a target that was applied without replicas."""
    _applied(namespace)
    namespace.scale("pay", 7)
    seen = targets.workload(namespace.get("Deployment", "pay"))
    assert (seen.replicas, seen.manager, seen.written) == (7, targets.UNKNOWN, None)


async def test_an_edit_of_the_whole_object_says_when(namespace: Namespace) -> None:
    """Other than a write through /scale, of which no time is kept."""
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


async def test_the_rights_that_are_named_are_enough(
    server: ApiServer, namespace: Namespace
) -> None:
    """With a Role made of them every call succeeds, the second look at /scale included."""
    namespace.allow_operator()
    uid = namespace.create(scaler("pay"))["metadata"]["uid"]
    api = Api(of_kubeconfig(server.kubeconfig(OPERATOR)), lambda *_: None)
    allowed = Cluster(api)
    try:
        for kind in KINDS:
            seen = namespace.create(workload("pay", 3, kind))
            namespace.report("pay", {"replicas": 3}, kind)
            await give(allowed, 4, seen)
        await allowed.write_status(namespace.name, "pay", uid, {"reason": "Steady"})
        events = Events(allowed, lambda: NOW)
        for _ in range(2):
            await events.emit(Subject(namespace.name, "pay", uid), "Normal", "ScaledUp", "3 -> 4")
        for resource in (*WATCHED, PODS):
            await allowed.list_all(resource, namespace.name, lambda item: item)
    finally:
        await api.close()
    assert [e["count"] for e in namespace.all("Event")] == [2]
