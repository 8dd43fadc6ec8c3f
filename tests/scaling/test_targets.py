"""Are Deployments and StatefulSets, and the writer of their number, observed correctly?"""

from typing import Any

import pytest

from borough_operator.decision.model import ForeignWriter, Rollout
from borough_operator.kube.targets import (
    STUCK,
    ReplicaSet,
    Workload,
    cores_of,
    observation,
    ready_of_newest,
    replica_set,
    rollout_of,
    workload,
)
from borough_operator.moments import format_time

NOW = 1_795_422_600.0
Entry = dict[str, Any]


def owner(manager: str, time: float | None = None, *, field: str = "f:replicas") -> Entry:
    """An entry of managedFields; of a write through /scale it has no time."""
    entry: Entry = {"manager": manager, "fieldsV1": {"f:spec": {field: {}}}}
    return entry if time is None else {**entry, "time": format_time(time)}


def deployment(status: Entry | None = None, fields: Any = (), revision: int = 0) -> Workload:
    containers = [{"name": "a", "resources": {"requests": {"cpu": "250m"}}}, {"name": "b"}]
    annotations = {"deployment.kubernetes.io/revision": str(revision)} if revision else {}
    return workload(
        {
            "kind": "Deployment",
            "metadata": {
                "uid": "d",
                "resourceVersion": "7",
                "annotations": annotations,
                "managedFields": list(fields),
            },
            "spec": {"replicas": 4, "template": {"spec": {"containers": containers}}},
            "status": status or {},
        }
    )


def stateful(
    status: Entry, partition: int = 0, written: float | None = None, strategy: Entry | None = None
) -> Workload:
    entry = {"manager": "kube-controller-manager", "fieldsV1": {"f:status": {}}}
    fields = [] if written is None else [{**entry, "time": format_time(written)}]
    return workload(
        {
            "kind": "StatefulSet",
            "metadata": {"uid": "s", "resourceVersion": "7", "managedFields": fields},
            "spec": {
                "replicas": 4,
                "updateStrategy": strategy or {"rollingUpdate": {"partition": partition}},
                "template": {"spec": {"containers": []}},
            },
            "status": status,
        }
    )


def progressing(status: str, reason: str, since: float) -> Entry:
    condition = {"type": "Progressing", "status": status, "reason": reason}
    return {"conditions": [{**condition, "lastUpdateTime": format_time(since)}]}


IN_PROGRESS = progressing("True", "ReplicaSetUpdated", NOW - 10)
COMPLETE = progressing("True", "NewReplicaSetAvailable", NOW - 10_000)


# -- ready


def test_ready_replicas_are_those_of_the_newest_replica_set() -> None:
    """Surge pods and those of an old version are not capacity."""
    seen = deployment({"replicas": 6, "updatedReplicas": 2, "readyReplicas": 4}, revision=2)
    assert ready_of_newest(seen, ReplicaSet("r", "d", revision=2, replicas=2, ready=1)) == 1


def test_ready_without_a_replica_set_is_the_certain_minimum() -> None:
    """All old pods may be among the ready ones."""
    seen = deployment({"replicas": 6, "updatedReplicas": 4, "readyReplicas": 5})
    assert ready_of_newest(seen, None) == 3


def test_outdated_replica_set_is_not_used() -> None:
    """The Deployment's revision shows that a newer one exists."""
    seen = deployment({"replicas": 6, "updatedReplicas": 2, "readyReplicas": 4}, revision=3)
    assert ready_of_newest(seen, ReplicaSet("r", "d", revision=2, replicas=4, ready=4)) == 0


def test_stateful_set_without_a_rollout_counts_all_ready_pods() -> None:
    """Also where its controller leaves `updatedReplicas` out."""
    seen = stateful(
        {"replicas": 4, "readyReplicas": 3, "currentRevision": "a", "updateRevision": "a"}
    )
    assert ready_of_newest(seen, None) == 3
    assert seen.rollout is Rollout.STABLE


def test_stateful_set_in_a_rollout_counts_the_certain_minimum() -> None:
    """max(0, ready - (replicas - updated))."""
    status = {"replicas": 4, "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "b"}
    seen = [stateful({**status, "readyReplicas": ready}) for ready in (4, 3, 1)]
    assert [ready_of_newest(each, None) for each in seen] == [2, 1, 0]
    assert seen[0].rollout is Rollout.PROGRESSING


def test_pods_kept_by_a_partition_count_as_newest() -> None:
    """A canary at its partition is not a rollout in progress."""
    status = {"replicas": 4, "readyReplicas": 4, "currentRevision": "a", "updateRevision": "b"}
    resting = stateful({**status, "updatedReplicas": 1}, partition=3)
    assert (resting.rollout, ready_of_newest(resting, None)) == (Rollout.STABLE, 4)


def test_pods_under_on_delete_count_as_newest() -> None:
    """Under OnDelete an old pod stays until it is deleted by hand."""
    status = {"replicas": 5, "readyReplicas": 5, "currentRevision": "a", "updateRevision": "b"}
    seen = stateful(status, written=NOW - 2 * STUCK, strategy={"type": "OnDelete"})
    assert rollout_of(seen, None, NOW) is Rollout.STABLE
    assert ready_of_newest(seen, None) == 5


# -- rollout


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Rollout.STABLE),
        ({"replicas": 4, "updatedReplicas": 4, "readyReplicas": 1, **COMPLETE}, Rollout.STABLE),
        ({"replicas": 5, "updatedReplicas": 1, **COMPLETE}, Rollout.PROGRESSING),
        ({"replicas": 4, "updatedReplicas": 4, **IN_PROGRESS}, Rollout.PROGRESSING),
        (progressing("False", "ProgressDeadlineExceeded", NOW), Rollout.FAILING),
        (progressing("Unknown", "DeploymentPaused", NOW), Rollout.STABLE),
    ],
)
def test_rollout_state_follows_the_controllers_status(status: Entry, expected: Rollout) -> None:
    """Scaling alone is not a rollout: its pods start, and the rollout stays complete."""
    assert rollout_of(deployment(status), None, NOW) is expected


def _crashing(since: float) -> Workload:
    counts = {"replicas": 5, "updatedReplicas": 1, "readyReplicas": 4}
    return deployment({**counts, **progressing("True", "ReplicaSetUpdated", since)}, revision=2)


def test_rollout_without_a_ready_pod_fails_after_two_minutes() -> None:
    """Earlier than Kubernetes' default deadline of ten minutes."""
    none_ready = ReplicaSet("r", "d", revision=2, replicas=1, ready=0)
    assert rollout_of(_crashing(NOW - STUCK + 1), none_ready, NOW) is Rollout.PROGRESSING
    assert rollout_of(_crashing(NOW - STUCK), none_ready, NOW) is Rollout.FAILING


def test_slow_rollout_with_a_ready_pod_is_not_failing() -> None:
    """One ready pod shows that the template works."""
    one_ready = ReplicaSet("r", "d", revision=2, replicas=1, ready=1)
    assert rollout_of(_crashing(NOW - 10 * STUCK), one_ready, NOW) is Rollout.PROGRESSING


def test_stateful_set_without_progress_fails_after_two_minutes() -> None:
    """It has no condition, so the last change of its status counts."""
    status = {"replicas": 4, "readyReplicas": 3, "currentRevision": "a", "updateRevision": "b"}
    crashing = {**status, "updatedReplicas": 1}
    assert rollout_of(stateful(crashing, written=NOW - 1), None, NOW) is Rollout.PROGRESSING
    assert rollout_of(stateful(crashing, written=NOW - STUCK), None, NOW) is Rollout.FAILING


# -- the writer


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([owner("borough-operator")], None),
        ([owner("kubectl")], ForeignWriter("kubectl", NOW)),
        ([owner("kubectl-edit", NOW - 60)], ForeignWriter("kubectl-edit", NOW - 60)),
        ([owner("borough-operator"), owner("helm", NOW - 9)], ForeignWriter("helm", NOW - 9)),
        ([owner("a", NOW - 9), owner("b", NOW - 5)], ForeignWriter("b", NOW - 5)),
        ([owner("kubectl", NOW, field="f:template")], ForeignWriter("unknown", NOW)),
        ([], ForeignWriter("unknown", NOW)),
    ],
)
def test_foreign_writer_is_the_other_owner_of_the_number(
    fields: list[Entry], expected: ForeignWriter | None
) -> None:
    """Without a recorded time it is now; without an owner the manager is unknown."""
    seen = observation(deployment(fields=fields), None, {}, None, NOW)
    assert seen.writer == expected


# -- the rest


def test_observation_has_every_input_of_a_decision() -> None:
    """Numbers, cores of a replica, and the time of the annotation."""
    seen = observation(deployment({"replicas": 4, "updatedReplicas": 4}), None, {}, NOW, NOW)
    assert (seen.replicas, seen.ready, seen.cores, seen.resume) == (4, 0, 0.25, NOW)


@pytest.mark.parametrize(
    ("quantity", "cores"),
    [
        ("250m", 0.25), ("2", 2.0), ("1.5", 1.5), ("500u", 0.0005), ("7n", 7e-9), (1, 1.0),
        ("1k", 1e3), ("2M", 2e6), ("3G", 3e9), ("4T", 4e12), ("5P", 5e15), ("6E", 6e18),
        ("1Ki", 1024), ("2Mi", 2**21), ("1Gi", 2**30), ("1Ti", 2**40), ("1Pi", 2**50),
        ("1Ei", 2**60), ("1e3", 1e3), ("2E2", 200), ("-1", -1),
    ],
)  # fmt: skip  # one glance
def test_cpu_quantities_are_parsed(quantity: Any, cores: float) -> None:
    """Every suffix and exponent: `cpu: 1000` is stored as 1k."""
    assert cores_of(quantity) == pytest.approx(cores)


@pytest.mark.parametrize("quantity", ["", "many", "1 core", "1K", "1ki", "m"])
def test_invalid_cpu_quantity_is_refused(quantity: str) -> None:
    """With ValueError."""
    with pytest.raises(ValueError, match=r"quantity|could not convert"):
        cores_of(quantity)


def test_invalid_revision_counts_as_none() -> None:
    """Also where the annotation has digits that are not decimal."""
    metadata: Entry = {
        "uid": "r",
        "annotations": {"deployment.kubernetes.io/revision": "²"},
        "ownerReferences": [{"uid": "d", "controller": True}],
    }
    found = replica_set({"metadata": metadata, "spec": {}})
    assert found is not None
    assert found.revision == 0


def test_sidecar_counts_and_init_container_does_not() -> None:
    """A sidecar is an init container that restarts always."""
    request = {"resources": {"requests": {"cpu": "1"}}}
    pod = {
        "containers": [request],
        "initContainers": [request, {**request, "restartPolicy": "Always"}],
    }
    metadata = {"uid": "d", "resourceVersion": "1"}
    obj = {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}}}
    assert workload(obj).cores == 2.0


def test_replica_set_belongs_to_its_controller() -> None:
    """By uid; one without a controller is left out."""
    metadata: Entry = {
        "uid": "r",
        "annotations": {"deployment.kubernetes.io/revision": "12"},
        "ownerReferences": [{"uid": "x"}, {"uid": "d", "controller": True}],
    }
    obj = {"metadata": metadata, "spec": {"replicas": 3}, "status": {"readyReplicas": 2}}
    assert replica_set(obj) == ReplicaSet("r", "d", revision=12, replicas=3, ready=2)
    assert replica_set({**obj, "metadata": {"uid": "r"}}) is None
