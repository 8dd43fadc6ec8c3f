"""A Deployment or StatefulSet as little more than its numbers, and what can be seen of it.

Ten thousand of them are remembered, so a workload is a handful of slots. Its ready replicas are
those of the newest template alone: surge pods and the pods of an old version are leaving, and are
no capacity to reckon with.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from borough_operator.decision.model import ForeignWriter, Need, Observation, Reading, Rollout
from borough_operator.moments import parse_time

MANAGER = "borough-operator"
"""The field manager under which this operator writes."""
STUCK = 120.0
"""Seconds without progress after which a rollout of which nothing serves yet counts as failing. The
Deployment controller says so itself only after `progressDeadlineSeconds`, by default 600."""
UNKNOWN = "unknown"
"""Whoever wrote a number that nobody owns: the API server records an update of /scale only where an
owner stands already, and a Deployment that was applied without replicas has none."""
REVISION = "deployment.kubernetes.io/revision"

Object = Mapping[str, Any]

_UNDER_WAY = frozenset({"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"})
"""Reasons of a Deployment's condition Progressing until the rollout is complete. Scaling does not
bring them back: that says NewReplicaSetAvailable until the template changes."""
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_UNITS |= {letter: 1e3**power for power, letter in enumerate("kMGTPE", 1)}
_UNITS |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)}
"""Every suffix that a quantity may have. The server writes `cpu: 1000`, meant as 1000m, as 1k."""


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
    """What is kept of a target."""

    uid: str
    resource_version: str
    replicas: int
    """Asked for, by its spec."""
    ready: int
    """Of any template."""
    total: int
    """Pods that exist, of any template."""
    updated: int
    """Those of the newest."""
    rollout: Rollout
    """What its own status says of it."""
    progressed: float | None
    """When an unfinished rollout last progressed, where that is known."""
    manager: str
    """Who, beside us, gave it the present number; empty where we alone did."""
    written: float | None
    """When, where that is known: nothing records it of a write through /scale."""
    cores: float
    """CPU requested by one replica."""
    revision: int = 0
    """The Deployment's; its newest ReplicaSet has the same."""


def workload(obj: Object) -> Workload:
    """What is kept of a Deployment or StatefulSet."""
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    stateful = obj["kind"] == "StatefulSet"
    rollout, updated, progressed = _stateful(obj) if stateful else _deployed(status)
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
    """What is kept of a ReplicaSet; None of one that no Deployment owns."""
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
    """The uid of the object that controls this one, say a pod's ReplicaSet."""
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
    """A target at this moment. `newest` is its ReplicaSet of the greatest revision, where known.

    Where nothing records when somebody else wrote the number, it was written now, at every look: a
    hold that it begins keeps its own beginning.
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
    """Ready pods of the newest template.

    Its ReplicaSet knows. Without one, as for every StatefulSet, the least that the target's own
    status allows: of all that are ready, at most as many are old as old ones exist.
    """
    if newest is not None and newest.revision >= seen.revision:
        return newest.ready
    return max(0, seen.ready - max(0, seen.total - seen.updated))


def rollout_of(seen: Workload, newest: ReplicaSet | None, now: float) -> Rollout:
    """How its newest template fares.

    Failing is what its controller calls so, and sooner: that pods of the newest template are wanted
    and none of them is ready, while older ones serve, for `STUCK` seconds without progress.
    """
    if seen.rollout is not Rollout.PROGRESSING or seen.progressed is None:
        return seen.rollout
    wanted = newest is None or newest.replicas > 0
    none_serves = wanted and ready_of_newest(seen, newest) == 0 < seen.ready
    stuck = none_serves and now - seen.progressed >= STUCK
    return Rollout.FAILING if stuck else Rollout.PROGRESSING


def _deployed(status: Object) -> tuple[Rollout, int, float | None]:
    updated = status.get("updatedReplicas", 0)
    progressing: Object = next(
        (c for c in status.get("conditions") or () if c["type"] == "Progressing"), {}
    )
    progressed = _moment(progressing.get("lastUpdateTime"))
    if progressing.get("status") == "False":
        return Rollout.FAILING, updated, progressed
    old = status.get("replicas", 0) > updated
    under_way = old or progressing.get("reason") in _UNDER_WAY
    return Rollout.PROGRESSING if under_way else Rollout.STABLE, updated, progressed


def _stateful(obj: Object) -> tuple[Rollout, int, float | None]:
    """Pods that `partition` keeps on the old template are wanted there, and count as newest. So are
    all of them under `OnDelete`: they stay until somebody deletes them.
    """
    status = obj.get("status") or {}
    total = status.get("replicas", 0)
    strategy = obj["spec"].get("updateStrategy") or {}
    at_rest = status.get("currentRevision") == status.get("updateRevision")
    if at_rest or strategy.get("type") == "OnDelete":
        return Rollout.STABLE, total, None
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated = min(total, status.get("updatedReplicas", 0) + partition)
    rollout = Rollout.PROGRESSING if updated < total else Rollout.STABLE
    return rollout, updated, _status_written(obj)


def _status_written(obj: Object) -> float | None:
    """When the status last changed: a StatefulSet has no condition that would say so."""
    entries = obj["metadata"].get("managedFields") or ()
    times = (_moment(e.get("time")) for e in entries if "f:status" in (e.get("fieldsV1") or {}))
    return max((time for time in times if time is not None), default=None)


def _writer(entries: Any) -> tuple[str, float | None]:
    """Who owns the number of replicas beside us, and since when, as `Workload` has them.

    Several owners gave the same number; whoever's time is known and last stands for them.
    """
    owners = [
        (_moment(entry.get("time")), entry["manager"])
        for entry in entries
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    if not owners:
        return UNKNOWN, None
    others = (owner for owner in owners if owner[1] != MANAGER)
    written, manager = max(others, key=lambda owner: owner[0] or 0.0, default=(None, ""))
    return manager, written


def _cores(pod: Object) -> float:
    beside = (c for c in pod.get("initContainers") or () if c.get("restartPolicy") == "Always")
    requests = (
        ((c.get("resources") or {}).get("requests") or {}).get("cpu", "0")
        for c in (*(pod.get("containers") or ()), *beside)
    )
    return sum(map(cores_of, requests))


def cores_of(quantity: str) -> float:
    """Cores of a CPU quantity such as "250m" or "1.5". Raises ValueError."""
    text = str(quantity)
    number = text.rstrip(string.ascii_letters)  # of "1e3" it takes nothing
    unit = _UNITS.get(text[len(number) :])
    if unit is None:
        raise ValueError(f"{text!r} is no quantity such as 250m or 1.5")
    return float(number) * unit


def _revision(metadata: Object) -> int:
    text = (metadata.get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def _moment(text: str | None) -> float | None:
    return None if text is None else parse_time(text)
