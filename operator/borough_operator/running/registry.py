"""The cache of the cluster: scalers, their targets, and the ReplicaSets and pods of these.

Watches and lists fill it; the loop reads it and stores its results. To hold ten thousand scalers,
only the needed fields of an object are kept, and a status as compact JSON.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from borough_operator.decision.model import Decision, History, Mode
from borough_operator.kube import cluster, spec, status, targets
from borough_operator.kube.spec import Scaler, SpecInvalid
from borough_operator.kube.targets import Pod, ReplicaSet, Workload
from borough_operator.running.watched import Name, Watched, identity
from borough_operator.sources.protocol import Target

SCALERS = cluster.SCALERS.plural
DEPLOYMENTS = cluster.DEPLOYMENTS.plural
STATEFUL_SETS = cluster.STATEFUL_SETS.plural
REPLICA_SETS = cluster.REPLICA_SETS.plural
PODS = cluster.PODS.plural
RESOURCES = {kind: resource.plural for kind, resource in cluster.TARGETS.items()}
"""By the kind of a target."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ScalerRecord:
    name: Name
    uid: str
    created: str
    """RFC 3339, so that texts sort by time."""
    generation: int
    scaler: Scaler | None
    """None where the spec is invalid although the schema accepted it."""
    refusal: str
    """Why, as a sentence; empty for a valid spec."""
    status: bytes
    """Compact JSON."""


@dataclass(slots=True)
class Tally:
    """Sums since this process first saw the scaler, in replica-seconds and core-seconds: of the
    scaler's decisions (ours), of the HPA's, and of the maximum all the time (most).
    """

    ours: float = 0.0
    hpa: float = 0.0
    most: float = 0.0
    ours_cores: float = 0.0
    hpa_cores: float = 0.0
    most_cores: float = 0.0
    ups: int = 0
    downs: int = 0
    reversals: int = 0
    _direction: int = 0

    def add_period(self, decision: Decision, most: int, cores: float, seconds: float) -> None:
        """Add `seconds` of this decision. Without an HPA number its own counts for the HPA too."""
        number = decision.final
        if number is None:
            return
        ours = seconds * number
        hpa = seconds * (number if decision.hpa is None else decision.hpa)
        self.ours += ours
        self.hpa += hpa
        self.most += seconds * most
        self.ours_cores += ours * cores
        self.hpa_cores += hpa * cores
        self.most_cores += seconds * most * cores

    def add_change(self, before: int, after: int) -> None:
        direction = 1 if after > before else -1
        self.ups += direction > 0
        self.downs += direction < 0
        self.reversals += direction == -self._direction
        self._direction = direction


@dataclass(slots=True, eq=False)
class Entry:
    record: ScalerRecord
    history: History
    decision: Decision | None = None
    decided: float = 0.0
    """Unix time of the last decision."""
    conditions: Mapping[str, bool] = field(default_factory=dict)
    """Whether each condition of its status is true; unknown ones are left out."""
    tally: Tally = field(default_factory=Tally)


Owned = TypeVar("Owned", ReplicaSet, Pod)


class Registry:
    """The cache. `pods` says whether pods are watched.

    `added` is called with the name of a scaler that is new or has a new spec, `removed` with that
    of a deleted one.
    """

    def __init__(self, *, pods: bool) -> None:
        self.added: Callable[[Name], object] = lambda _: None
        self.removed: Callable[[Name], object] = lambda _: None
        self.entries: dict[Name, Entry] = {}
        self.unreadable: dict[tuple[str, str], str] = {}
        """Why a resource could not be listed, by resource and namespace."""
        self._claims: dict[Target, set[Name]] = {}
        self._replica_sets: dict[str, dict[Name, ReplicaSet]] = {}
        self._pods: dict[str, dict[Name, Pod]] = {}
        self.watched: dict[str, Watched[Any]] = {
            SCALERS: Watched(_record, self._scaler_changed),
            DEPLOYMENTS: Watched(targets.workload),
            STATEFUL_SETS: Watched(targets.workload),
            REPLICA_SETS: Watched(targets.replica_set, _by_owner(self._replica_sets)),
        }
        """By resource."""
        if pods:
            self.watched[PODS] = Watched(targets.pod, _by_owner(self._pods))

    # -- targets

    def workload(self, target: Target) -> Workload | None:
        found: Workload | None = self.watched[RESOURCES[target.kind]].get(
            (target.namespace, target.name)
        )
        return found

    def newest_replica_set(self, workload: Workload) -> ReplicaSet | None:
        """The ReplicaSet of a Deployment's newest template, where known."""
        sets = self._replica_sets.get(workload.uid, {}).values()
        return max(sets, key=lambda each: each.revision, default=None)

    def scaled(self, target: Target, workload: Workload) -> None:
        watched = self.watched[RESOURCES[target.kind]]
        name = target.namespace, target.name
        watched.written(name, int(workload.resource_version), workload)

    def unreadable_reason(self, target: Target) -> str:
        """Why the target, or every object of its kind, cannot be read; empty where it can."""
        resource, namespace = RESOURCES[target.kind], target.namespace
        reason = self.watched[resource].unreadable.get((namespace, target.name), "")
        return self.unreadable.get((resource, namespace), reason)

    def conflicting(self, scaler: Scaler) -> Name | None:
        """The older scaler in mode Auto of the same target; None where there is none."""
        writing = [
            (entry.record.created, entry.record.name)
            for entry in self._of(scaler.target)
            if entry.record.scaler is not None and entry.record.scaler.policy.mode is Mode.AUTO
        ]
        if scaler.policy.mode is not Mode.AUTO or len(writing) < 2:  # noqa: PLR2004  # itself
            return None
        first = min(writing)[1]
        return None if first == (scaler.namespace, scaler.name) else first

    def metrics_urls(self, target: Target) -> Sequence[str]:
        """The metrics URLs of a target's ready pods, by the oldest scaler with source Pods."""
        reading = [
            (entry.record.created, entry.record.name, scaler)
            for entry in self._of(target)
            if (scaler := entry.record.scaler) is not None and scaler.source == "Pods"
        ]
        workload = self.workload(target)
        if workload is None or not reading:
            return ()
        scaler = min(reading)[2]
        sets = self._replica_sets.get(workload.uid, {}).values()
        owners = (workload.uid, *(each.uid for each in sets))
        pods = (pod for owner in owners for pod in self._pods.get(owner, {}).values())
        found = (pod.url(scaler.port, scaler.path) for pod in pods if pod.ready)
        return tuple(url for url in found if url is not None)

    def _of(self, target: Target) -> Iterator[Entry]:
        return (self.entries[name] for name in self._claims.get(target, ()))

    # -- scalers

    def decided(self, entry: Entry, decision: Decision, now: float) -> None:
        """Store a new decision, and add the cost of the last one."""
        scaler = entry.record.scaler
        workload = None if scaler is None else self.workload(scaler.target)
        if entry.decision is not None and scaler is not None and workload is not None:
            seconds, most = now - entry.decided, scaler.policy.max_replicas
            entry.tally.add_period(entry.decision, most, workload.cores, seconds)
        entry.decision, entry.decided, entry.history = decision, now, decision.history

    def status_written(self, scaler: Mapping[str, Any]) -> None:
        """Our write returned the whole scaler, with changes the watch has not delivered yet."""
        self.watched[SCALERS].write_returned(scaler)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self.entries.values()))

    def _scaler_changed(
        self, name: Name, before: ScalerRecord | None, record: ScalerRecord | None
    ) -> None:
        """A scaler was added, changed or deleted; another uid is another scaler."""
        if before is not None and before.scaler is not None:
            self._claims[before.scaler.target].discard(name)
            if not self._claims[before.scaler.target]:
                del self._claims[before.scaler.target]
        if record is None:
            del self.entries[name]
            self.removed(name)
            return
        if record.scaler is not None:
            self._claims.setdefault(record.scaler.target, set()).add(name)
        entry = self.entries.get(name)
        if entry is None or before is None or before.uid != record.uid:
            self.entries[name] = Entry(record, _recovered(record))
            self.added(name)
            return
        entry.record = record
        if before.generation != record.generation:
            self.added(name)


def _record(obj: Mapping[str, Any]) -> ScalerRecord:
    meta = obj["metadata"]
    scaler: Scaler | None = None
    refusal = ""
    try:
        scaler = spec.parse(obj)
    except SpecInvalid as error:
        refusal = str(error)
    return ScalerRecord(
        name=identity(obj)[0],
        uid=meta["uid"],
        created=meta["creationTimestamp"],
        generation=meta["generation"],
        scaler=scaler,
        refusal=refusal,
        status=compact(obj.get("status", {})),
    )


def _recovered(record: ScalerRecord) -> History:
    """The history in its status; an empty one where the status cannot be read."""
    try:
        return status.recover(json.loads(record.status))
    except (LookupError, TypeError, ValueError) as error:
        _log.warning("a status cannot be read", scaler="/".join(record.name), why=str(error))
        return History()


def compact(value: Mapping[str, Any]) -> bytes:
    """JSON without whitespace."""
    return json.dumps(value, separators=(",", ":")).encode()


def _by_owner(
    children: dict[str, dict[Name, Owned]],
) -> Callable[[Name, Owned | None, Owned | None], None]:
    """A callback that keeps `children` by their owner's uid, and none without an owner."""

    def changed(name: Name, before: Owned | None, now: Owned | None) -> None:
        if before is not None and (now is None or now.owner != before.owner):
            siblings = children[before.owner]
            del siblings[name]
            if not siblings:
                del children[before.owner]
        if now is not None:
            children.setdefault(now.owner, {})[name] = now

    return changed
