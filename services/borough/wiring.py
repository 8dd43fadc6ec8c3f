"""The composition root: what calls what, and how the parts of a shape are put together.

Nothing else knows the topology. `CALLS` is the whole system; `build` gives each capability either
the object in this process or a caller over the network, and nobody can tell which they got.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from aiohttp import ClientSession
from fastapi import FastAPI
from starlette.types import ASGIApp

from borough import __version__, shapes
from borough.contracts.capability import Capability
from borough.contracts.errors import BoroughError
from borough.contracts.inventory import Inventory
from borough.contracts.notifications import Notifications
from borough.contracts.orders import Orders
from borough.contracts.payments import Payments
from borough.contracts.profiles import Profiles
from borough.gateway.admission import Admission
from borough.gateway.policy import ApiKeys, RateLimit
from borough.gateway.rest import rest
from borough.inventory.service import InventoryService
from borough.inventory.store import SqlStock
from borough.kit.addresses import Addresses
from borough.kit.client import Http, session
from borough.kit.clock import SystemClock
from borough.kit.config import Settings, WrongSettings
from borough.kit.faults import with_fault
from borough.kit.lifecycle import Part, Tasks
from borough.kit.outbox import Relay
from borough.kit.resilience import RetryBudget
from borough.kit.sql import Database
from borough.kit.telemetry import Export, Telemetry, otlp
from borough.kit.transport import local, mount, remote
from borough.kit.web import make_app
from borough.migrations import is_current
from borough.notifications.service import NotificationsService
from borough.notifications.store import SqlNotifications
from borough.orders.reconcile import Reconcile
from borough.orders.service import OrdersService, Patience
from borough.orders.store import SqlOrders
from borough.payments.service import PaymentsService
from borough.payments.store import SqlVerdicts
from borough.profiles.service import ProfilesService
from borough.profiles.store import SqlProfiles

CALLS: Mapping[str, frozenset[str]] = {
    "gateway": frozenset({"orders", "profiles", "inventory"}),
    "orders": frozenset({"profiles", "inventory", "payments", "notifications"}),
    "payments": frozenset(),
    "profiles": frozenset(),
    "inventory": frozenset(),
    "notifications": frozenset(),
}
"""Who asks whom. Traces, network policies and the chart are compared with this."""

CONTRACTS: Mapping[str, type[Capability]] = {
    contract.name: contract for contract in (Orders, Payments, Profiles, Inventory, Notifications)
}
"""Every capability but the gateway, which fronts them and keeps nothing."""

C = TypeVar("C", bound=Capability)
Loop = Callable[[], Any]


async def build(
    settings: Settings, hosted: Collection[str], *, export: Export | None = None
) -> Part:
    """Put a part together. Raises WrongShape or WrongSettings with a sentence that says why not.

    `export` receives the spans; without it they go to the OTLP endpoint of the settings, if any.
    """
    exposed = _exposed(settings, hosted)
    _check_peers(settings, hosted)
    site = Site(settings, frozenset(hosted), _telemetry(settings, hosted, export), session())
    for capability in ("payments", "profiles", "inventory", "notifications", "orders"):
        if capability in site.hosted:
            site.open(capability)
    return Part(
        name=site.name,
        public=site.watched(site.doors(), "gateway") if "gateway" in site.hosted else None,
        internal=site.watched(site.serve(exposed), site.name) if exposed else None,
        telemetry=site.telemetry,
        tasks=site.tasks,
        loops=tuple(site.loops),
        ready=site.ready,
        close=site.close,
        facts={
            "capabilities": sorted(site.hosted),
            "shape": settings.shape,
            "faults": {k: v.model_dump(exclude_defaults=True) for k, v in settings.faults.items()},
        },
    )


@dataclass(slots=True)
class Site:
    """A part under construction: what it hosts, and what was opened for it."""

    settings: Settings
    hosted: frozenset[str]
    telemetry: Telemetry
    http: ClientSession
    clock: SystemClock = field(default_factory=SystemClock)
    tasks: Tasks = field(default_factory=Tasks)
    retries: RetryBudget = field(default_factory=RetryBudget)
    databases: dict[str, Database] = field(default_factory=dict)
    services: dict[str, Capability] = field(default_factory=dict)
    peers: dict[str, Http] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.settings.part or "-".join(sorted(self.hosted))

    def open(self, capability: str) -> None:
        """Open the store of a capability and start its service on it."""
        settings = self.settings
        database = self.databases[capability] = Database.open(
            settings.store.get_secret_value(),
            capability,
            synchronous=settings.sqlite_synchronous,
            pool_size=settings.pool_size,
        )
        make: Callable[[Database], Capability] = getattr(self, f"_{capability}")
        service = make(database)
        if fault := settings.faults.get(capability):
            service = with_fault(type(service), service, fault)
        self.services[capability] = service

    def _payments(self, database: Database) -> Payments:
        return PaymentsService(
            store=SqlVerdicts(database),
            clock=self.clock,
            telemetry=self.telemetry,
            iterations=self.settings.pbkdf2_iterations,
        )

    def _profiles(self, database: Database) -> Profiles:
        return ProfilesService(store=SqlProfiles(database), clock=self.clock)

    def _inventory(self, database: Database) -> Inventory:
        return InventoryService(
            store=SqlStock(database), clock=self.clock, telemetry=self.telemetry
        )

    def _notifications(self, database: Database) -> Notifications:
        return NotificationsService(
            store=SqlNotifications(database),
            clock=self.clock,
            telemetry=self.telemetry,
            park_after=self.settings.park_after,
        )

    def _orders(self, database: Database) -> Orders:
        settings, store = self.settings, SqlOrders(database)
        relay = Relay(
            outbox=store.outbox,
            deliver=self.ask(Notifications).deliver,
            clock=self.clock,
            telemetry=self.telemetry,
            interval=settings.outbox_interval_s,
            lease=settings.outbox_lease_s,
            retention=settings.outbox_retention_s,
        )
        service = OrdersService(
            store=store,
            profiles=self.ask(Profiles),
            inventory=self.ask(Inventory),
            payments=self.ask(Payments),
            clock=self.clock,
            tasks=self.tasks,
            telemetry=self.telemetry,
            patience=Patience(settings.deadline_ms / 1_000, settings.settle_budget_ms / 1_000),
            on_placed=relay.wake,
        )
        reconcile = Reconcile(
            service=service,
            store=store,
            clock=self.clock,
            horizon=settings.reconcile_horizon_s,
            interval=settings.reconcile_interval_s,
        )
        self.loops += [relay.run, reconcile.run]
        return service

    def ask(self, contract: type[C], *, retries: RetryBudget | None = None) -> C:
        """A capability, as others see it: in this process or over the network."""
        if contract.name in self.services:
            return local(contract, cast(C, self.services[contract.name]), self.telemetry)
        settings = self.settings
        addresses = Addresses(
            contract.name, settings.peers[contract.name], interval=settings.resolve_interval_s
        )
        peer = Http(
            contract.name,
            addresses,
            self.http,
            self.telemetry,
            call_timeout=settings.call_timeout_ms / 1_000,
            read_timeout=settings.read_timeout_ms / 1_000,
            retries=retries,
        )
        self.closers.append(addresses.close)
        if retries is not None:
            self.peers[contract.name] = peer
        return remote(contract, peer)

    def doors(self) -> FastAPI:
        """The public app."""
        settings = self.settings
        app = make_app("Borough", telemetry=self.telemetry, max_body_bytes=settings.max_body_bytes)
        app.include_router(
            rest(
                Admission(
                    keys=ApiKeys(
                        {name: key.get_secret_value() for name, key in settings.api_keys.items()}
                    ),
                    limit=RateLimit(
                        rate=settings.rate_limit_per_s,
                        burst=settings.rate_limit_burst,
                        clock=self.clock.monotonic,
                    ),
                    deadline_ms=settings.deadline_ms,
                    tasks=self.tasks,
                ),
                orders=self.ask(Orders, retries=self.retries),
                profiles=self.ask(Profiles, retries=self.retries),
                inventory=self.ask(Inventory, retries=self.retries),
            )
        )
        return app

    def serve(self, exposed: frozenset[str]) -> FastAPI:
        """The internal app: what other parts call, and nothing else."""
        app = make_app(
            f"Borough, {self.name}",
            telemetry=self.telemetry,
            max_body_bytes=self.settings.max_body_bytes,
            internal=True,
        )
        for name in sorted(exposed):
            mount(app, CONTRACTS[name], self.services[name])
        return app

    def watched(self, app: FastAPI, capability: str) -> ASGIApp:
        """The app with its telemetry around it."""
        return self.telemetry.middleware(app, capability=capability)

    async def ready(self) -> str | None:
        """Why this part cannot work yet: its schemas, and for a gateway its direct peers, once."""
        for capability, database in self.databases.items():
            if not is_current(await database.revision(), capability):
                return f"the schema of {capability} is not migrated: run `borough migrate`"
        for name, peer in list(self.peers.items()):
            try:
                await peer.answers()
            except BoroughError as error:
                return str(error)
            del self.peers[name]
        return None

    async def close(self) -> None:
        """Close what was opened, the network first."""
        for close in self.closers:
            await close()
        await self.http.close()
        for database in self.databases.values():
            await database.close()


def load_shapes(settings: Settings) -> dict[str, shapes.Shape]:
    """Ours, or those of the file the settings name. Raises WrongShape."""
    return shapes.load(CALLS, settings.shapes_file)


def _exposed(settings: Settings, hosted: Collection[str]) -> frozenset[str]:
    """What the internal port serves: what another part of the shape calls. A part that was told no
    shape serves whatever has a caller that it does not host.
    """
    shapes.check_hosted(hosted, CALLS)
    if settings.shape:
        shape = shapes.named(settings.shape, load_shapes(settings), CALLS)
        return shape.served_to_others(shape.part_hosting(hosted), CALLS)
    elsewhere = set(CALLS) - set(hosted)
    return frozenset(c for c in hosted if any(c in CALLS[caller] for caller in elsewhere))


def _check_peers(settings: Settings, hosted: Collection[str]) -> None:
    needed = shapes.needed(hosted, CALLS)
    if missing := sorted(needed - set(settings.peers)):
        raise shapes.WrongShape(
            f"this part calls {', '.join(missing)} and neither hosts it nor has an address of it: "
            f"name it in BOROUGH_PEERS"
        )
    for setting, names in (("PEERS", settings.peers), ("FAULTS", settings.faults)):
        if unknown := sorted(set(names) - set(CONTRACTS)):
            raise WrongSettings(f"BOROUGH_{setting}: there is no capability {', '.join(unknown)}")
    for name in needed:
        try:
            Addresses(name, settings.peers[name], interval=1)
        except ValueError as error:
            raise WrongSettings(f"BOROUGH_PEERS: {error}") from None


def _telemetry(settings: Settings, hosted: Collection[str], export: Export | None) -> Telemetry:
    part = settings.part or "-".join(sorted(hosted))
    if export is None and settings.otlp_endpoint:
        export = otlp(settings.otlp_endpoint)
    build_facts = {
        "version": __version__,
        "shape": settings.shape,
        "capabilities": ",".join(sorted(hosted)),
    }
    return Telemetry(
        part,
        build=build_facts,
        ratio=settings.trace_ratio,
        export=export,
        log_level=settings.log_level,
    )
