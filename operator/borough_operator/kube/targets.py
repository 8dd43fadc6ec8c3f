"""A Deployment or StatefulSet, reduced to the fields that a decision needs, and a pod as a scrape
target.

Ten thousand of them are kept in memory. Ready replicas are those of the newest template: surge pods
and pods of an old version will be removed and are not capacity.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from borough_operator.decision.model import ForeignWriter, Need, Observation, Reading, Rollout
from borough_operator.moments import parse_time

MANAGER = "borough-operator"
"""The field manager of this operator's writes."""
STUCK = 120.0
"""Seconds without progress after which a rollout without any ready pod of the newest template
counts as failing. The Deployment controller reports it after `progressDeadlineSeconds`, 600 by
default."""
UNKNOWN = "unknown"
"""The manager of a number without a recorded owner: the API server records an update of /scale only
where the number has an owner already, and a Deployment applied without replicas has none."""
REVISION = "deployment.kubernetes.io/revision"

Object = Mapping[str, Any]

_IN_PROGRESS = frozenset({"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"})
"""Reasons of a Deployment's condition Progressing until its rollout is complete. Scaling alone does
not set them."""
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_UNITS |= {letter: 1e3**power for power, letter in enumerate("kMGTPE", 1)}
_UNITS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)}
"""Every suffix of a quantity. The server stores `cpu: 1000`, meant as 1000m, as 1k."""


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """The pods of one template of a Deployment."""

    uid: str
    owner: str
    """The uid of the Deployment."""
    revision: int
    """The newest template has the greatest, also after a rollback."""
    replicas: int
    ready: int


@dataclass(frozen=True, slots=True)
class Workload:
    uid: str
    resource_version: str
    replicas: int
    """Of its spec."""
    ready: int
    """Of any template."""
    total: int
    """Existing pods of any template."""
    updated: int
    """Existing pods of the newest template."""
    rollout: Rollout
    """The rollout state by its own status."""
    progressed: float | None
    """When an unfinished rollout last progressed, where known."""
    manager: str
    """The other field manager that owns the number; empty where only this operator does."""
    written: float | None
    """When that manager wrote it, where known: of a write through /scale no time is recorded."""
    cores: float
    """CPU requested by one replica."""
    revision: int = 0
    """The Deployment's revision; its newest ReplicaSet has the same."""


def workload(obj: Object) -> Workload:
    """What is kept of a Deployment or StatefulSet."""
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    stateful = obj["kind"] == "StatefulSet"
    rollout, updated, progressed = (
        _stateful_set_rollout(obj) if stateful else _deployment_rollout(status)
    )
    manager, written = _writer(metadata.get("managedFields") or ())
    return Workload(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        total=status.get("replicas", 0),
        updated=updated,
        rollout=rollout,
        progressed=progressed,
        manager=manager,
        written=written,
        cores=_cores(spec["template"]["spec"]),
        revision=_revision(metadata),
    )


def replica_set(obj: Object) -> ReplicaSet | None:
    """What is kept of a ReplicaSet; None without a Deployment."""
    owner = controller(obj)
    if owner is None:
        return None
    metadata = obj["metadata"]
    return ReplicaSet(
        uid=metadata["uid"],
        owner=owner,
        revision=_revision(metadata),
        replicas=obj["spec"].get("replicas", 1),
        ready=(obj.get("status") or {}).get("readyReplicas", 0),
    )


def controller(obj: Object) -> str | None:
    """The uid of the object that controls this one, such as a pod's ReplicaSet."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            uid: str = owner["uid"]
            return uid
    return None


def observation(
    seen: Workload,
    newest: ReplicaSet | None,
    readings: Mapping[Need, Reading],
    resume: float | None,
    now: float,
) -> Observation:
    """The observation of a target. `newest` is its ReplicaSet of the greatest revision, where
    known.

    Where no time of a foreign write is recorded it is `now`, at every decision; a hold keeps the
    time at which it began.
    """
    written = now if seen.written is None else seen.written
    return Observation(
        replicas=seen.replicas,
        ready=ready_of_newest(seen, newest),
        readings=readings,
        rollout=rollout_of(seen, newest, now),
        writer=ForeignWriter(seen.manager, written) if seen.manager else None,
        resume=resume,
        cores=seen.cores,
    )


def ready_of_newest(seen: Workload, newest: ReplicaSet | None) -> int:
    """Ready pods of the newest template, by its ReplicaSet.

    Without one, as for every StatefulSet, the least that the status allows: as many ready pods may
    be old as old ones exist.
    """
    if newest is not None and newest.revision >= seen.revision:
        return newest.ready
    return max(0, seen.ready - max(0, seen.total - seen.updated))


def rollout_of(seen: Workload, newest: ReplicaSet | None, now: float) -> Rollout:
    """The rollout state of the newest template.

    Failing where its controller reports it, or earlier: pods of the newest template are wanted and
    none is ready, while older ones are, for `STUCK` seconds without progress.
    """
    if seen.rollout is not Rollout.PROGRESSING or seen.progressed is None:
        return seen.rollout
    wanted = newest is None or newest.replicas > 0
    none_ready = wanted and ready_of_newest(seen, newest) == 0 < seen.ready
    stuck = none_ready and now - seen.progressed >= STUCK
    return Rollout.FAILING if stuck else Rollout.PROGRESSING


def _deployment_rollout(status: Object) -> tuple[Rollout, int, float | None]:
    updated = status.get("updatedReplicas", 0)
    progressing: Object = next(
        (c for c in status.get("conditions") or () if c["type"] == "Progressing"), {}
    )
    progressed = _time(progressing.get("lastUpdateTime"))
    if progressing.get("status") == "False":
        return Rollout.FAILING, updated, progressed
    old = status.get("replicas", 0) > updated
    in_progress = old or progressing.get("reason") in _IN_PROGRESS
    return Rollout.PROGRESSING if in_progress else Rollout.STABLE, updated, progressed


def _stateful_set_rollout(obj: Object) -> tuple[Rollout, int, float | None]:
    """Pods that `partition` keeps on the old template are wanted there and count as newest; so are
    all pods under `OnDelete`, which stay until they are deleted.
    """
    status = obj.get("status") or {}
    total = status.get("replicas", 0)
    strategy = obj["spec"].get("updateStrategy") or {}
    complete = status.get("currentRevision") == status.get("updateRevision")
    if complete or strategy.get("type") == "OnDelete":
        return Rollout.STABLE, total, None
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated = min(total, status.get("updatedReplicas", 0) + partition)
    rollout = Rollout.PROGRESSING if updated < total else Rollout.STABLE
    return rollout, updated, _status_written(obj)


def _status_written(obj: Object) -> float | None:
    """When the status last changed, since a StatefulSet has no condition with that time."""
    entries = obj["metadata"].get("managedFields") or ()
    times = (_time(e.get("time")) for e in entries if "f:status" in (e.get("fieldsV1") or {}))
    return max((time for time in times if time is not None), default=None)


def _writer(entries: Any) -> tuple[str, float | None]:
    """The other owner of the number and when it wrote, as in `Workload`.

    Several owners wrote the same number; the one with the latest known time is returned.
    """
    owners = [
        (_time(entry.get("time")), entry["manager"])
        for entry in entries
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    if not owners:
        return UNKNOWN, None
    others = (owner for owner in owners if owner[1] != MANAGER)
    written, manager = max(others, key=lambda owner: owner[0] or 0.0, default=(None, ""))
    return manager, written


def _cores(pod: Object) -> float:
    sidecars = (c for c in pod.get("initContainers") or () if c.get("restartPolicy") == "Always")
    requests = (
        ((c.get("resources") or {}).get("requests") or {}).get("cpu", "0")
        for c in (*(pod.get("containers") or ()), *sidecars)
    )
    return sum(map(cores_of, requests))


def cores_of(quantity: str) -> float:
    """Cores of a CPU quantity such as "250m" or "1.5". Raises ValueError."""
    text = str(quantity)
    number = text.rstrip(string.ascii_letters)  # "1e3" has none
    unit = _UNITS.get(text[len(number) :])
    if unit is None:
        raise ValueError(f"{text!r} is not a quantity such as 250m or 1.5")
    return float(number) * unit


def _revision(metadata: Object) -> int:
    text = (metadata.get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def _time(text: str | None) -> float | None:
    return None if text is None else parse_time(text)


@dataclass(frozen=True, slots=True)
class Pod:
    owner: str
    """The uid of its ReplicaSet or StatefulSet."""
    ready: bool
    """Ready and not being deleted."""
    host: str
    """Its IP in the form of a URL; empty while it has none."""
    ports: tuple[tuple[str, int], ...]
    """Its named ports."""

    def url(self, port: str, path: str) -> str | None:
        """The URL of its metrics, by a port's name or number; None where it has no such port or no
        address yet.
        """
        number = int(port) if port.isdigit() else dict(self.ports).get(port)
        if number is None or not self.host:
            return None
        return f"http://{self.host}:{number}{path}"


def pod(obj: Mapping[str, Any]) -> Pod | None:
    """What is kept of a pod; None without a controller."""
    owner = controller(obj)
    if owner is None:
        return None
    status = obj.get("status") or {}
    true = {c["type"] for c in status.get("conditions", ()) if c["status"] == "True"}
    address = status.get("podIP", "")
    containers = obj["spec"].get("containers", ())
    ports = (port for container in containers for port in container.get("ports", ()))
    return Pod(
        owner=owner,
        ready="Ready" in true and "deletionTimestamp" not in obj["metadata"],
        host=f"[{address}]" if ":" in address else address,
        ports=tuple((port["name"], port["containerPort"]) for port in ports if "name" in port),
    )
