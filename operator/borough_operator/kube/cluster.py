"""The only writer: the few calls to the API server that change anything, and the paged list.

What this operator may do stands here beside where it does it, in `RULES`; the chart's Role is
compared with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from borough_operator.kube.api import TRIES, Api, Conflict, Expired
from borough_operator.kube.targets import MANAGER
from borough_operator.sources.protocol import Target

Object = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done to one resource of the watched namespaces."""

    group: str
    resource: str
    verbs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Resource:
    """What is listed and watched."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str, *rest: str) -> str:
        """Where its objects live, or one of them."""
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
    Rule(EVENTS.group, "events", frozenset({"create", "patch"})),  # events.Events
)
"""The rights this operator needs in each watched namespace."""
POD_RULES = (Rule(PODS.group, PODS.plural, _WATCH),)
"""What it needs beside them where the Pods source is on."""

PAGE = 500
"""Objects of one answer to a list."""
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"


class Cluster:
    """What this operator does to a cluster, and what it lists."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def scale(
        self, target: Target, replicas: int, *, seen: int, uid: str, resource_version: str
    ) -> str:
        """Give the target that many replicas, if it still has those on which this was decided.

        By server-side apply: the API server keeps no record of who wrote by other means a number
        that nobody owned before. Answers the target's new resourceVersion. Raises Refused.
        """
        path = TARGETS[target.kind].path(target.namespace, target.name, "scale")
        try:
            return await self._apply_scale(path, target, replicas, resource_version)
        except Conflict:
            now = await self._api.call("get", path)  # its status has moved, or more than that
            if now["spec"].get("replicas", 0) != seen or now["metadata"]["uid"] != uid:
                raise
            return await self._apply_scale(
                path, target, replicas, now["metadata"]["resourceVersion"]
            )

    async def _apply_scale(self, path: str, target: Target, replicas: int, version: str) -> str:
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "namespace": target.namespace,
                "name": target.name,
                "resourceVersion": version,
            },
            "spec": {"replicas": replicas},
        }
        query = {"fieldManager": MANAGER, "force": "true"}
        answer = await self._api.call("patch", path, scale, _APPLY, query)
        return str(answer["metadata"]["resourceVersion"])

    async def write_status(self, namespace: str, name: str, uid: str, status: Object) -> Object:
        """Replace a scaler's status. Answers the scaler as it is since. Raises Refused; Conflict
        where it is another scaler of the same name by now.

        Nobody else writes it, so it is replaced whole, whatever the object's version.
        """
        change = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = SCALERS.path(namespace, name, "status")
        answer: Object = await self._api.call(
            "patch", path, change, _JSON_PATCH, {"fieldManager": MANAGER}
        )
        return answer

    async def create_event(self, namespace: str, event: Object) -> None:
        """Store a new Event. Raises Refused."""
        await self._api.call("create", EVENTS.path(namespace), event)

    async def patch_event(self, namespace: str, name: str, change: Object) -> None:
        """Merge a change into an Event. Raises Refused; Gone where it has been cleared away."""
        await self._api.call("patch", EVENTS.path(namespace, name), change, _MERGE)

    async def list_all(
        self, resource: Resource, namespace: str, keep: Callable[[Object], T]
    ) -> tuple[list[T], str]:
        """Of every object what `keep` keeps of it, and the list's resourceVersion. Raises Refused.

        An object is dropped as soon as it is kept, so that a long list needs the memory of a page.
        """
        path = resource.path(namespace)
        for _ in range(TRIES):
            try:
                return await self._pages(path, keep)
            except Expired:  # its pages are of a moment that the server has forgotten: once more
                continue
        raise Expired(f"{path} changed too fast to be read to its end")

    async def _pages(self, path: str, keep: Callable[[Object], T]) -> tuple[list[T], str]:
        kept: list[T] = []
        query = {"limit": str(PAGE)}
        while True:
            page = await self._api.call("list", path, query=query)
            kind = page["kind"].removesuffix("List")  # the items of a list do not say it
            kept.extend(keep({"kind": kind, **item}) for item in page["items"])
            if not (rest := page["metadata"].get("continue")):
                return kept, page["metadata"]["resourceVersion"]
            query["continue"] = rest
