"""All that is known of the cluster: scalers, their targets and what belongs to these.

Handlers and lists feed it, the loop reads it and writes back what it has done. Ten thousand scalers
must fit, so of an object only the few fields that matter are kept, and a status as compact JSON.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from borough_operator.decision.model import Decision, History, Mode
from borough_operator.kube import cluster, endpoints, spec, status, targets
from borough_operator.kube.endpoints import Pod  # noqa: TC001  # no cycle to break
from borough_operator.kube.spec import Scaler, SpecInvalid
from borough_operator.kube.targets import ReplicaSet, Workload
from borough_operator.running.tally import Tally
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
class Wanted:
    """A ServiceScaler as it was read last."""

    name: Name
    uid: str
    created: str
    """RFC 3339, so that the order of the texts is that of the times."""
    generation: int
    scaler: Scaler | None
    """None where the spec says something that the schema should have refused:"""
    refusal: str
    """the sentence."""
    status: bytes
    """Compact JSON."""


@dataclass(slots=True, eq=False)
class Entry:
    """One scaler at work: what is wanted, what was decided last, what is remembered."""

    wanted: Wanted
    history: History
    decision: Decision | None = None
    decided: float = 0.0
    """When."""
    conditions: Mapping[str, bool] = field(default_factory=dict)
    """Those of its status that are known, and whether they hold."""
    tally: Tally = field(default_factory=Tally)


def _nobody(name: Name) -> None:
    """Is told, while nobody listens."""


class _Owned(Protocol):
    @property
    def owner(self) -> str: ...


OwnedThing = TypeVar("OwnedThing", bound=_Owned)


class Registry:
    """The cache. `pods` says whether anybody reads pods directly.

    `arrived` is told the name of a scaler that is new or has a new spec, `left` that of one gone.
    """

    def __init__(self, *, pods: bool) -> None:
        self.arrived: Callable[[Name], object] = _nobody
        self.left: Callable[[Name], object] = _nobody
        self.entries: dict[Name, Entry] = {}
        self.unreadable: dict[tuple[str, str], str] = {}
        """Why a resource could not be listed, by resource and namespace."""
        self._claims: dict[Target, set[Name]] = {}
        self._replica_sets: dict[str, dict[Name, ReplicaSet]] = {}
        self._pods: dict[str, dict[Name, Pod]] = {}
        self.watched: dict[str, Watched[Any]] = {
            SCALERS: Watched(_wanted, self._scaler_changed),
            DEPLOYMENTS: Watched(targets.workload),
            STATEFUL_SETS: Watched(targets.workload),
            REPLICA_SETS: Watched(targets.replica_set, _by_owner(self._replica_sets)),
        }
        """By resource."""
        if pods:
            self.watched[PODS] = Watched(endpoints.pod, _by_owner(self._pods))

    # -- of targets

    def workload(self, target: Target) -> Workload | None:
        """None where there is no such object."""
        found: Workload | None = self.watched[RESOURCES[target.kind]].get(
            (target.namespace, target.name)
        )
        return found

    def newest(self, workload: Workload) -> ReplicaSet | None:
        """The ReplicaSet of a Deployment's newest template, where it is known."""
        sets = self._replica_sets.get(workload.uid, {}).values()
        return max(sets, key=lambda each: each.revision, default=None)

    def scaled(self, target: Target, workload: Workload) -> None:
        """Our own write left it so."""
        watched = self.watched[RESOURCES[target.kind]]
        name = target.namespace, target.name
        watched.wrote(name, int(workload.resource_version), workload)

    def why_unreadable(self, target: Target) -> str:
        """A sentence where it, or all objects of its kind, cannot be read, else empty."""
        resource, namespace = RESOURCES[target.kind], target.namespace
        itself = self.watched[resource].unreadable.get((namespace, target.name), "")
        return self.unreadable.get((resource, namespace), itself)

    def rival(self, scaler: Scaler) -> Name | None:
        """The scaler that scales this one's target already: two must not. Those that only advise,
        or are paused, may be many.
        """
        acting = [
            (entry.wanted.created, entry.wanted.name)
            for entry in self._of(scaler.target)
            if entry.wanted.scaler is not None and entry.wanted.scaler.policy.mode is Mode.AUTO
        ]
        if scaler.policy.mode is not Mode.AUTO or len(acting) < 2:  # noqa: PLR2004  # itself
            return None
        first = min(acting)[1]
        return None if first == (scaler.namespace, scaler.name) else first

    def addresses(self, target: Target) -> Sequence[str]:
        """Where the ready pods of a target tell their metrics: a URL each. Of several scalers that
        read them, the oldest says at which port.
        """
        reading = [
            (entry.wanted.created, entry.wanted.name, scaler)
            for entry in self._of(target)
            if (scaler := entry.wanted.scaler) is not None and scaler.source == "Pods"
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
        """The scalers of a target."""
        return (self.entries[name] for name in self._claims.get(target, ()))

    # -- of scalers

    def decided(self, entry: Entry, decision: Decision, now: float) -> None:
        """Another decision was made about it; the last one stood until now."""
        scaler = entry.wanted.scaler
        workload = None if scaler is None else self.workload(scaler.target)
        if entry.decision is not None and scaler is not None and workload is not None:
            lasted = now - entry.decided
            entry.tally.lasted(entry.decision, scaler.policy.max_replicas, workload.cores, lasted)
        entry.decision, entry.decided, entry.history = decision, now, decision.history

    def reported(self, scaler: Mapping[str, Any]) -> None:
        """Our own write of its status was answered with the whole scaler. What somebody else wrote
        just before, which no watch has told of yet, is in it.
        """
        self.watched[SCALERS].answered(scaler)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self.entries.values()))

    def _scaler_changed(self, name: Name, before: Wanted | None, wanted: Wanted | None) -> None:
        """A scaler came, changed or went; one that has another uid is another scaler."""
        if before is not None and before.scaler is not None:
            self._claims[before.scaler.target].discard(name)
            if not self._claims[before.scaler.target]:
                del self._claims[before.scaler.target]
        if wanted is None:
            del self.entries[name]
            self.left(name)
            return
        if wanted.scaler is not None:
            self._claims.setdefault(wanted.scaler.target, set()).add(name)
        known = self.entries.get(name)
        if known is None or before is None or before.uid != wanted.uid:
            self.entries[name] = Entry(wanted, _recovered(wanted))
            self.arrived(name)
            return
        known.wanted = wanted
        if before.generation != wanted.generation:
            self.arrived(name)


def _wanted(obj: Mapping[str, Any]) -> Wanted:
    meta = obj["metadata"]
    scaler: Scaler | None = None
    refusal = ""
    try:
        scaler = spec.parse(obj)
    except SpecInvalid as error:
        refusal = str(error)
    return Wanted(
        name=identity(obj)[0],
        uid=meta["uid"],
        created=meta["creationTimestamp"],
        generation=meta["generation"],
        scaler=scaler,
        refusal=refusal,
        status=compact(obj.get("status", {})),
    )


def _recovered(wanted: Wanted) -> History:
    """What its status remembers; nothing, where somebody wrote there what we never would."""
    try:
        return status.recover(json.loads(wanted.status))
    except (LookupError, TypeError, ValueError) as error:
        _log.warning("a status cannot be read", scaler="/".join(wanted.name), why=str(error))
        return History()


def compact(value: Mapping[str, Any]) -> bytes:
    """JSON in the fewest bytes."""
    return json.dumps(value, separators=(",", ":")).encode()


def _by_owner(
    children: dict[str, dict[Name, OwnedThing]],
) -> Callable[[Name, OwnedThing | None, OwnedThing | None], None]:
    """Keeps `children` by the uid of whom they belong to; what belongs to nobody is not kept."""

    def changed(name: Name, before: OwnedThing | None, now: OwnedThing | None) -> None:
        if before is not None and (now is None or now.owner != before.owner):
            siblings = children[before.owner]
            del siblings[name]
            if not siblings:
                del children[before.owner]
        if now is not None:
            children.setdefault(now.owner, {})[name] = now

    return changed
