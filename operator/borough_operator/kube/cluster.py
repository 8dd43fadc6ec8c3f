"""The calls that change the cluster, Kubernetes Events among them, and paged lists.

`RULES` lists the rights that they need; a test compares the chart's Role with it.
"""

import asyncio
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from borough_operator.kube.api import TRIES, Api, Conflict, Expired, Refused
from borough_operator.kube.targets import MANAGER
from borough_operator.moments import format_time
from borough_operator.sources.protocol import Target

Object = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    group: str
    resource: str
    verbs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Resource:
    group: str
    version: str
    plural: str

    def path(self, namespace: str, *rest: str) -> str:
        root = f"apis/{self.group}" if self.group else "api"
        return "/".join(("", root, self.version, "namespaces", namespace, self.plural, *rest))


SCALERS = Resource("borough.dev", "v1alpha1", "servicescalers")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
TARGETS = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFUL_SETS}
WATCHED = (SCALERS, DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS)

_WATCH = frozenset({"list", "watch"})
RULES = (
    *(Rule(resource.group, resource.plural, _WATCH) for resource in WATCHED),
    Rule(SCALERS.group, "servicescalers/status", frozenset({"patch"})),  # write_status
    Rule(DEPLOYMENTS.group, "deployments/scale", frozenset({"get", "patch"})),  # scale
    Rule(STATEFUL_SETS.group, "statefulsets/scale", frozenset({"get", "patch"})),  # scale
    Rule(EVENTS.group, "events", frozenset({"create", "patch"})),  # Events
)
"""The rights that the operator needs in each watched namespace."""
POD_RULES = (Rule(PODS.group, PODS.plural, _WATCH),)
"""Further rights where the source Pods is enabled."""

PAGE = 500
"""Objects in one page of a list."""
SERIES_S = 600.0
"""Seconds within which an Event of the same reason increments the one before."""
TIMEOUT = 3.0
"""Seconds after which an Event is dropped; its scaler waits so long."""
MAX_SERIES = 1000
"""Maximum series remembered; the oldest is dropped."""
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"


class Cluster:
    def __init__(self, api: Api) -> None:
        self.api = api

    async def scale(
        self, target: Target, replicas: int, *, seen: int, uid: str, resource_version: str
    ) -> str:
        """Write the number of replicas, if the target still has the number and uid on which it was
        decided.

        By server-side apply: of other writes to /scale the API server records no owner where the
        number had none before. Returns the target's new resourceVersion. Raises Refused.
        """
        path = TARGETS[target.kind].path(target.namespace, target.name, "scale")
        try:
            return await self._apply_scale(path, target, replicas, resource_version)
        except Conflict:
            now = await self.api.call("get", path)  # perhaps only its status has changed
            if now["spec"].get("replicas", 0) != seen or now["metadata"]["uid"] != uid:
                raise
            version = now["metadata"]["resourceVersion"]
            return await self._apply_scale(path, target, replicas, version)

    async def _apply_scale(self, path: str, target: Target, replicas: int, version: str) -> str:
        name = {"namespace": target.namespace, "name": target.name}
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {**name, "resourceVersion": version},
            "spec": {"replicas": replicas},
        }
        query = {"fieldManager": MANAGER, "force": "true"}
        response = await self.api.call("patch", path, scale, _APPLY, query)
        return str(response["metadata"]["resourceVersion"])

    async def write_status(self, namespace: str, name: str, uid: str, status: Object) -> Object:
        """Replace a scaler's status. Returns the scaler as stored. Raises Refused; Conflict where
        the uid is another's.

        It is replaced as a whole, whatever the object's version, since it has no other writer.
        """
        change = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = SCALERS.path(namespace, name, "status")
        query = {"fieldManager": MANAGER}
        stored: Object = await self.api.call("patch", path, change, _JSON_PATCH, query)
        return stored

    async def list_all(
        self, resource: Resource, namespace: str, keep: Callable[[Object], T]
    ) -> tuple[list[T], str]:
        """What `keep` returns for every object, and the list's resourceVersion. Raises Refused.

        Each object is dropped after `keep`, so that a long list needs the memory of one page.
        """
        path = resource.path(namespace)
        for _ in range(TRIES):
            try:
                return await self._pages(path, keep)
            except Expired:  # the snapshot of its pages expired: start again
                continue
        raise Expired(f"{path} changed too fast to be read completely")

    async def _pages(self, path: str, keep: Callable[[Object], T]) -> tuple[list[T], str]:
        kept: list[T] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self.api.call("list", path, query=query)
            kind = page["kind"].removesuffix("List")  # items of a list have no kind
            kept.extend(keep({"kind": kind, **item}) for item in page["items"])
            if not (rest := page["metadata"].get("continue")):
                return kept, page["metadata"]["resourceVersion"]
            query["continue"] = rest


@dataclass(frozen=True, slots=True)
class Subject:
    namespace: str
    name: str
    uid: str


class Events:
    """Writes Events of scalers, for `kubectl describe`: one a change, equal reasons counted
    together. They are best effort: one that is not written within `TIMEOUT` seconds is dropped.
    `clock` is Unix time.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._api = cluster.api
        self._clock = clock
        self._series: dict[tuple[str, str], tuple[str, int, float]] = {}
        """Name, count and last time of an Event by the scaler's uid and the reason."""

    async def emit(self, subject: Subject, kind: str, reason: str, message: str) -> None:
        """Write an Event of type `kind`, Normal or Warning. Refusals are ignored."""
        now, key = self._clock(), (subject.uid, reason)
        name, count, last = self._series.pop(key, ("", 0, -math.inf))
        event = {"count": count + 1, "message": message, "lastTimestamp": format_time(now)}
        try:
            async with asyncio.timeout(TIMEOUT):
                if now - last > SERIES_S:
                    name, count = f"{subject.name}.{uuid.uuid4().hex[:16]}", 0
                    event |= {"count": 1, **self._first(subject, name, kind, reason, now)}
                    await self._api.call("create", EVENTS.path(subject.namespace), event)
                else:
                    path = EVENTS.path(subject.namespace, name)
                    await self._api.call("patch", path, event, _MERGE)
        except (Refused, TimeoutError):  # it may have expired: the next one starts a new series
            return
        self._series[key] = name, count + 1, now
        while len(self._series) > MAX_SERIES:
            del self._series[next(iter(self._series))]  # the oldest

    @staticmethod
    def _first(subject: Subject, name: str, kind: str, reason: str, now: float) -> dict[str, Any]:
        """The fields of the first Event of a series, beside those that change."""
        place = {"namespace": subject.namespace}
        of = {"apiVersion": "borough.dev/v1alpha1", "kind": "ServiceScaler", "uid": subject.uid}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {**place, "name": name},
            "involvedObject": {**of, **place, "name": subject.name},
            "type": kind,
            "reason": reason,
            "firstTimestamp": format_time(now),
            "source": {"component": MANAGER},
            "reportingComponent": MANAGER,
        }
