"""Lists everything before the first decision, and again every few minutes.

The first lists fill the cache, so that a target which was not delivered yet does not count as
missing. Later ones repair what a watch lost and show whether it still works (see `watched`). Each
resource of each namespace is listed separately: one that is forbidden or fails does not affect the
others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from itertools import product
from typing import NoReturn

import structlog

from borough_operator.kube.api import NotFound, Refused, Unreachable
from borough_operator.kube.cluster import Cluster, Resource
from borough_operator.running.registry import SCALERS, Registry

RETRY_S = 5.0
"""Seconds between a failed list and its retry."""
MAX_IN_FLIGHT = 2
"""Maximum concurrent lists, each with a page in memory."""

_log = structlog.get_logger()


@dataclass(eq=False)
class Relist:
    """Lists these resources of these namespaces, each about every `every` seconds."""

    registry: Registry
    cluster: Cluster
    resources: Sequence[Resource]
    namespaces: Sequence[str]
    _: KW_ONLY
    every: float
    clock: Callable[[], float]
    chance: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self._places = [*product(self.resources, self.namespaces)]
        self._not_tried = set(self._places)
        self._listed: set[tuple[str, str]] = set()
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self.crd_known = asyncio.Event()
        """Set once the API server knows the ServiceScaler resource."""
        self.all_tried = asyncio.Event()
        """Set once each list was tried."""

    def problem(self) -> str:
        """What could not be listed, or was not yet, as a sentence; empty where there is nothing."""
        if self._not_tried:
            resource, namespace = min(self._not_tried, key=str)
            return f"{resource.plural} of namespace {namespace} are not listed yet"
        return next(iter(self.registry.unreadable.values()), "")

    async def run(self) -> NoReturn:
        async with asyncio.TaskGroup() as group:
            for resource, namespace in self._places:
                group.create_task(self._keep_listing(resource, namespace))
        raise AssertionError("none of them ends")

    async def _keep_listing(self, resource: Resource, namespace: str) -> NoReturn:
        while True:
            async with self._slots:
                listed = await self._list(resource, namespace)
            self._not_tried.discard((resource, namespace))
            if not self._not_tried:
                self.all_tried.set()
            # randomised, so that the lists do not coincide
            await self.sleep(self.every * (0.9 + 0.2 * self.chance()) if listed else RETRY_S)

    async def _list(self, resource: Resource, namespace: str) -> bool:
        watched = self.registry.watched[resource.plural]
        place = resource.plural, namespace
        try:
            with watched.listing():
                names, version = await self.cluster.list_all(
                    resource, namespace, partial(watched.listed, now=self.clock())
                )
                watched.list_complete(namespace, set(names), int(version))
        except Refused as refusal:
            self._failed(place, refusal)
            return False
        self._listed.add(place)
        if self.registry.unreadable.pop(place, ""):
            _log.info("listed again", resource=place[0], namespace=namespace)
        if resource.plural == SCALERS:
            self.crd_known.set()
        return True

    def _failed(self, place: tuple[str, str], refusal: Refused) -> None:
        unreachable = isinstance(refusal, Unreachable)
        if unreachable and place in self._listed:
            return  # the cache is kept, and the watch reconnects
        if self.registry.unreadable.get(place) != str(refusal):
            resource, namespace = place
            _log.warning("a list failed", resource=resource, namespace=namespace, why=str(refusal))
        self.registry.unreadable[place] = str(refusal)
        if place[0] == SCALERS and not unreachable and not isinstance(refusal, NotFound):
            self.crd_known.set()
