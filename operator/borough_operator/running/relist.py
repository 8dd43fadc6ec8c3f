"""Everything is listed before anything is decided, and again every few minutes.

The first lists fill the cache, so that no target counts as missing that merely was not heard of
yet. The later ones repair what a watch lost, and find out whether it still hears (see `watched`).
Each resource of each namespace is listed on its own: what may not be read in one namespace, or
fails, leaves the others alone and says so where it matters.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn

import structlog

from borough_operator.kube.api import NotFound, Refused, Unreachable
from borough_operator.kube.cluster import Cluster, Resource
from borough_operator.running.registry import SCALERS, Registry

AGAIN_S = 5.0
"""After a list that failed."""
AT_ONCE = 2
"""Lists under way: a page of each is in memory."""

_log = structlog.get_logger()


class Relist:
    """Lists these resources of these namespaces, each every `every` seconds or so."""

    def __init__(  # noqa: PLR0913  # what, where and when
        self,
        registry: Registry,
        cluster: Cluster,
        resources: Sequence[Resource],
        namespaces: Sequence[str],
        *,
        every: float,
        clock: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._cluster = cluster
        self._every = every
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._places = [(resource, namespace) for resource in resources for namespace in namespaces]
        self._waiting = set(self._places)
        self._listed: set[tuple[str, str]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.known = asyncio.Event()
        """Set once the API server knows what a ServiceScaler is."""
        self.tried = asyncio.Event()
        """Set once each list was tried."""

    def wrong(self) -> str:
        """A sentence about what could not be listed, or was not yet; empty where all is well."""
        if self._waiting:
            resource, namespace = min(self._waiting, key=str)
            return f"{resource.plural} of namespace {namespace} are not listed yet"
        return next(iter(self._registry.unreadable.values()), "")

    async def run(self) -> NoReturn:
        """List for ever."""
        async with asyncio.TaskGroup() as group:
            for resource, namespace in self._places:
                group.create_task(self._keep_listing(resource, namespace))
        raise AssertionError("none of them ends")

    async def _keep_listing(self, resource: Resource, namespace: str) -> NoReturn:
        while True:
            async with self._turns:
                listed = await self._list(resource, namespace)
            self._waiting.discard((resource, namespace))
            if not self._waiting:
                self.tried.set()
            # a share of chance, so that the lists drift apart
            await self._sleep(self._every * (0.9 + 0.2 * self._chance()) if listed else AGAIN_S)

    async def _list(self, resource: Resource, namespace: str) -> bool:
        watched = self._registry.watched[resource.plural]
        place = resource.plural, namespace
        try:
            with watched.listing():
                names, version = await self._cluster.list_all(
                    resource, namespace, partial(watched.listed, now=self._clock())
                )
                watched.not_listed(namespace, set(names), int(version))
        except Refused as refusal:
            self._failed(place, refusal)
            return False
        self._listed.add(place)
        if self._registry.unreadable.pop(place, ""):
            _log.info("listed again", resource=place[0], namespace=namespace)
        if resource.plural == SCALERS:
            self.known.set()
        return True

    def _failed(self, place: tuple[str, str], refusal: Refused) -> None:
        away = isinstance(refusal, Unreachable)
        if away and place in self._listed:
            return  # the watch goes on by itself, and what it brought still holds
        if self._registry.unreadable.get(place) != str(refusal):
            resource, namespace = place
            _log.warning("a list failed", resource=resource, namespace=namespace, why=str(refusal))
        self._registry.unreadable[place] = str(refusal)
        if place[0] == SCALERS and not away and not isinstance(refusal, NotFound):
            self.known.set()
