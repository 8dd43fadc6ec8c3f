"""A part under construction: what it hosts, what it can ask, and what was opened for it.

Knows settings and how to reach a capability; which capability needs which is `wiring`'s business.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, cast

from fastapi import FastAPI
from starlette.types import ASGIApp

from borough import signals
from borough.capability import Capability
from borough.clock import SystemClock
from borough.config import Settings
from borough.errors import BoroughError
from borough.serving.lifecycle import Loop, Tasks
from borough.serving.runtime import watch_store
from borough.serving.web import make_app
from borough.stores.sql import Database
from borough.transport.addresses import Addresses
from borough.transport.calls import local, mount, remote
from borough.transport.client import Http
from borough.transport.faults import with_fault
from borough.transport.resilience import Breaker, RetryBudget
from borough.transport.wire import Pool
from borough_telemetry import Telemetry

C = TypeVar("C", bound=Capability)


def open_store(settings: Settings, capability: str) -> Database:
    """The database of one capability, as the settings say. Raises WrongSettings."""
    return Database.open(
        settings.store.get_secret_value(),
        capability,
        synchronous=settings.sqlite_synchronous,
        pool_size=settings.pool_size,
    )


class Site:
    """One per part. Needs a running loop; `close` gives everything back."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings = settings
        self.telemetry = telemetry
        self.clock = SystemClock()
        self.tasks = Tasks()
        self.loops: list[Loop] = []
        self.services: dict[str, Capability] = {}
        self._databases: dict[str, Database] = {}
        self.wire = Pool()
        self._retries = RetryBudget()
        self._awaited: dict[str, Http] = {}
        self._peers: dict[str, tuple[Addresses, Breaker]] = {}

    def host(self, capability: str, make: Callable[["Site", Database], Any]) -> None:
        """Open the store of a capability and start its service on it, faults included."""
        settings = self.settings
        database = self._databases[capability] = open_store(settings, capability)
        watch_store(self.telemetry, database)
        service = make(self, database)
        if fault := settings.faults.get(capability):
            service = with_fault(type(service), service, fault)
        self.services[capability] = service

    def ask(self, contract: type[C], *, from_door: bool = False) -> C:
        """A capability, as others see it: in this process or over the network.

        Only the door repeats what failed, and waits for its peers before it opens.
        """
        if contract.name in self.services:
            return self.near(contract, cast(C, self.services[contract.name]))
        return self.far(contract, from_door=from_door)

    # -- how a boundary is crossed; the ladder puts others in their place

    def near(self, contract: type[C], service: C) -> C:
        """A capability of this part, as its neighbours ask it."""
        return local(contract, service, self.telemetry)

    def far(self, contract: type[C], *, from_door: bool) -> C:
        """A capability of another part."""
        return remote(contract, self.peer(contract.name, self.telemetry, from_door=from_door))

    def watched(self, app: ASGIApp, part: str) -> ASGIApp:
        """What other parts reach of the internal app."""
        return self.telemetry.middleware(app, capability=part, trusted=True)

    def peer(self, name: str, telemetry: Telemetry, *, from_door: bool) -> Http:
        """The way over the network; all ways to one peer share its addresses and its breaker."""
        settings = self.settings
        if name not in self._peers:
            urls = settings.peers[name]
            known = Addresses(name, urls, interval=settings.resolve_interval_s), Breaker()
            self._peers[name] = known
        addresses, breaker = self._peers[name]
        self.telemetry.watch(signals.BREAKER_OPEN, partial(getattr, breaker, "open"), peer=name)
        peer = Http(
            name,
            addresses,
            self.wire,
            telemetry,
            call_timeout=settings.call_timeout_ms / 1_000,
            read_timeout=settings.read_timeout_ms / 1_000,
            retries=self._retries if from_door else None,
            breaker=breaker,
        )
        if from_door:
            self._awaited[name] = peer
            left = partial(getattr, self._retries, "left")
            self.telemetry.watch(signals.RETRY_BUDGET, left)
        return peer

    def app(self, title: str, *, internal: bool = False) -> FastAPI:
        """An empty app."""
        return make_app(
            title,
            telemetry=self.telemetry,
            max_body_bytes=self.settings.max_body_bytes,
            internal=internal,
        )

    def inner(self, part: str, contracts: Iterable[type[Capability]]) -> ASGIApp:
        """The internal app: what other parts call, and nothing else."""
        app = self.app(f"Borough, {part}", internal=True)
        for contract in contracts:
            mount(app, contract, self.services[contract.name])
        return self.watched(app, part)

    async def unready(self, is_current: Callable[[str | None, str], bool]) -> str | None:
        """Why this part cannot work yet: its schemas; for a door its direct peers, once each."""
        for capability, database in self._databases.items():
            if not is_current(await database.revision(), capability):
                return f"the schema of {capability} is not migrated: run `borough migrate`"
        for name, peer in list(self._awaited.items()):
            try:
                await peer.answers()
            except BoroughError as error:
                return str(error)
            self._awaited.pop(name, None)
        return None

    async def close(self) -> None:
        """Close what was opened, the network first."""
        for addresses, _ in self._peers.values():
            await addresses.close()
        await self.wire.close()
        for database in self._databases.values():
            await database.close()
