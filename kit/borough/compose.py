"""The one composition: how the capabilities of a part are put together.

Production, simulations, planted mistakes, rungs and baselines all use it. They differ in their
subclass of `Composition`, which defines where rows are stored and how another part is called.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from fastapi import FastAPI
from starlette.types import ASGIApp

from borough import shapes, signals
from borough.app import GATEWAY, App, Definition
from borough.capability import Capability
from borough.clock import Clock
from borough.config import Settings, WrongSettings
from borough.errors import BoroughError
from borough.events import Delivered, Event
from borough.outbox import Outbox, Relay, SqlOutbox
from borough.serving.lifecycle import Part, Tasks, watch_store
from borough.serving.web import make_app
from borough.stores.revisions import is_current
from borough.stores.sql import Database
from borough.transport.addresses import Addresses
from borough.transport.calls import local, mount, remote
from borough.transport.client import Http
from borough.transport.faults import with_fault
from borough.transport.resilience import NO_RETRIES, Breaker, RetryBudget
from borough.transport.wire import Limits, Pool
from borough_telemetry import OtlpExporter, Telemetry

C = TypeVar("C", bound=Capability)
S = TypeVar("S")


class Loop(Protocol):
    """Work in the background: `run` without end, or `once` for one round."""

    async def run(self) -> object: ...
    async def once(self) -> object: ...


class Composition(ABC):
    """The capabilities of one part. The `make` of a service gets from it other capabilities
    (`ask`), the clock, the telemetry, the settings, and background loops.
    """

    def __init__(
        self, app: App, settings: Settings, telemetry: Telemetry, clock: Clock, tasks: Tasks
    ) -> None:
        self.app = app
        self.settings = settings
        self.telemetry = telemetry
        self.clock = clock
        self.tasks = tasks
        self.stores: dict[str, Any] = {}
        self.services: dict[str, Capability] = {}
        self.loops: dict[str, Loop] = {}
        self._relays: list[Relay] = []

    # -- what a subclass decides

    @abstractmethod
    def store_of(self, definition: Definition) -> Any:
        """The store of a capability."""

    @abstractmethod
    def remote(self, contract: type[C], *, from_door: bool) -> C:
        """A capability of another part."""

    def local(self, contract: type[C], service: C) -> C:
        """A capability of this part, as other capabilities of the part call it."""
        return local(contract, service, self.telemetry)

    def hosted(self, definition: Definition, service: Capability) -> Capability:
        """The service as the part hosts it."""
        return service

    # -- what the `make` of a service may use

    def ask(self, contract: type[C], *, from_door: bool = False) -> C:
        """A capability, in this part or in another. Only a door repeats failed calls, and is not
        ready before its peers respond.
        """
        if contract.name in self.services:
            return self.local(contract, cast(C, self.services[contract.name]))
        return self.remote(contract, from_door=from_door)

    def own(self, settings: type[S]) -> S:
        """The settings, with the fields that the capability declared."""
        return cast(S, self.settings)

    def background(self, name: str, loop: Loop) -> None:
        """Run a loop while the part runs."""
        self.loops[name] = loop

    def repeat(
        self, name: str, once: Callable[[], Coroutine[Any, Any, object]], *, every_s: float
    ) -> None:
        """Run `once` repeatedly while the part runs, with pauses of this many seconds.
        A BoroughError that it raises is logged, and the next round tries again.
        """
        self.background(name, _Repeated(self, name, once, every_s))

    def empty_app(self, title: str, *, internal: bool = False) -> FastAPI:
        """An app without routes, whose errors are problem documents."""
        return make_app(
            title,
            telemetry=self.telemetry,
            max_body_bytes=self.settings.max_body_bytes,
            internal=internal,
        )

    def wake_relays(self) -> None:
        """Called after events were written, to deliver them at once."""
        for relay in self._relays:
            relay.wake()

    # -- the composition

    def compose(self, capabilities: Collection[str]) -> None:
        """Make the services of these capabilities."""
        for definition in [d for d in self.app.in_order if d.name in capabilities]:
            store = self.stores[definition.name] = self.store_of(definition)
            if definition.publishes:
                self._relay(definition, store.outbox)
            service = definition.make(self, store)
            self.services[definition.name] = self.hosted(definition, service)

    def _relay(self, definition: Definition, outbox: Outbox) -> None:
        """Create a relay for each consumer of the capability's events."""
        settings = self.settings
        consumers = {name for names in self.app.routes(definition).values() for name in names}
        for consumer in sorted(consumers):
            relay = Relay(
                publisher=definition.name,
                consumer=consumer,
                outbox=outbox,
                deliver=self._delivery(self.app.definitions[consumer]),
                clock=self.clock,
                telemetry=self.telemetry,
                interval=settings.outbox_interval_s,
                lease=settings.outbox_lease_s,
                retention=settings.outbox_retention_s,
                linger=settings.outbox_linger_s,
            )
            self._relays.append(relay)
            self.background(f"{definition.name}.relay.{consumer}", relay)

    def _delivery(self, consumer: Definition) -> Callable[[tuple[Event, ...]], Any]:
        """Delivery to a consumer, by the method that its definition names for the kind of event."""
        peer = self.ask(consumer.contract)
        calls = {
            kind: (getattr(peer, method), consumer.contract.endpoints[method].request)
            for kind, method in consumer.consumes.items()
        }

        async def deliver(events: tuple[Event, ...]) -> Delivered:
            call, message = calls[type(events[0])]
            answer: Delivered = await call(message(events=events))
            return answer

        return deliver


@dataclass(frozen=True, slots=True)
class _Repeated:
    part: Composition
    name: str
    once: Callable[[], Coroutine[Any, Any, object]]
    every_s: float

    async def run(self) -> None:
        while True:
            try:
                await self.once()
            except BoroughError as error:
                self.part.telemetry.log.warning("round failed", loop=self.name, error=str(error))
            await self.part.clock.sleep(self.every_s)


class PartBuilder(Composition):
    """A part as in production: databases, and other parts over the network. Needs a running event
    loop; `close` releases all resources.
    """

    def __init__(self, app: App, settings: Settings, telemetry: Telemetry) -> None:
        super().__init__(app, settings, telemetry, Clock(), Tasks())
        self._databases: dict[str, Database] = {}
        # half of what a peer allows, so that no request meets a connection that the peer ends
        self.wire = Pool(
            Limits(
                keep_alive_s=settings.keep_alive_s / 2,
                connect_s=settings.connect_timeout_ms / 1_000,
            )
        )
        self._retries = RetryBudget()
        self._awaited: dict[str, Http] = {}
        self._peers: dict[str, tuple[Addresses, Breaker]] = {}

    def store_of(self, definition: Definition) -> Any:
        database = self._databases[definition.name] = open_database(self.settings, definition.name)
        watch_store(self.telemetry, database)
        return open_store(self.app, definition, database)

    def hosted(self, definition: Definition, service: Capability) -> Capability:
        fault = self.settings.faults.get(definition.name)
        return service if fault is None else with_fault(definition.contract, service, fault)

    def remote(self, contract: type[C], *, from_door: bool) -> C:
        return remote(contract, self.peer(contract.name, self.telemetry, from_door=from_door))

    def peer(self, name: str, telemetry: Telemetry, *, from_door: bool) -> Http:
        """The network transport; all transports to one peer share its addresses and breaker."""
        settings = self.settings
        if name not in self._peers:
            urls, interval = settings.peers[name], settings.resolve_interval_s
            self._peers[name] = Addresses(name, urls, interval=interval), Breaker()
        addresses, breaker = self._peers[name]
        self.telemetry.watch(signals.BREAKER_OPEN, partial(getattr, breaker, "open"), peer=name)
        peer = Http(
            name,
            addresses,
            self.wire,
            telemetry,
            call_timeout=settings.call_timeout_ms / 1_000,
            read_timeout=settings.read_timeout_ms / 1_000,
            retries=self._retries if from_door else NO_RETRIES,
            breaker=breaker,
        )
        if from_door:
            self._awaited[name] = peer
            self.telemetry.watch(signals.RETRY_BUDGET, partial(getattr, self._retries, "left"))
        return peer

    def internal_app(self, part: str, contracts: Iterable[type[Capability]]) -> ASGIApp:
        """The app of the internal port: only what other parts call."""
        app = self.empty_app(f"{self.app.name}, {part}", internal=True)
        for contract in contracts:
            mount(app, contract, self.services[contract.name])
        return self.watched(app, part)

    def watched(self, app: ASGIApp, part: str) -> ASGIApp:
        """The internal app, wrapped by telemetry."""
        return self.telemetry.middleware(app, capability=part, trusted=True)

    def public_app(self) -> ASGIApp:
        """The doors, wrapped by telemetry."""
        assert self.app.gateway is not None  # noqa: S101  # `build` has checked it
        doors: ASGIApp = self.app.gateway.make(self)
        return self.telemetry.middleware(doors, capability=GATEWAY, trusted=False)

    async def unready(self) -> str | None:
        """Why this part is not ready: its schemas; for a door its direct peers, once each."""
        for name, database in self._databases.items():
            folder = self.app.definitions[name].migrations
            if not is_current(await database.revision(), name, folder):
                return f"the schema of {name} is not migrated: run `borough migrate`"
        for name, peer in list(self._awaited.items()):
            try:
                await peer.answers()
            except BoroughError as error:
                return str(error)
            self._awaited.pop(name, None)
        return None

    async def close(self) -> None:
        """Close all that was opened, the network first."""
        for addresses, _ in self._peers.values():
            await addresses.close()
        await self.wire.close()
        for database in self._databases.values():
            await database.close()


def open_database(settings: Settings, capability: str) -> Database:
    """The database of one capability by the settings. Raises WrongSettings."""
    return Database.open(
        settings.store.get_secret_value(),
        capability,
        synchronous=settings.sqlite_synchronous,
        pool_size=settings.pool_size,
    )


def open_store(app: App, definition: Definition, database: Database) -> Any:
    """The store of one capability on its database."""
    if definition.publishes:
        return definition.sql(database, SqlOutbox(database, app.routes(definition)))
    return definition.sql(database)


async def build(
    app: App,
    settings: Settings,
    hosted: Collection[str],
    *,
    export: OtlpExporter | None = None,
    builder: Callable[[App, Settings, Telemetry], PartBuilder] = PartBuilder,
) -> Part:
    """Put a part together. Raises WrongShape or WrongSettings with a sentence that has the reason.

    `export` receives the spans; without it they go to the OTLP endpoint of the settings, if any.
    """
    exposed = _exposed(app, settings, hosted)
    _check_names(app, settings, hosted)
    name = settings.part or "-".join(sorted(hosted))
    part = builder(app, settings, _telemetry(app, settings, name, hosted, export))
    try:
        part.compose(hosted)
        contracts = [app.contracts[c] for c in sorted(exposed)]
        return Part(
            name=name,
            public=part.public_app() if GATEWAY in hosted else None,
            internal=part.internal_app(name, contracts) if exposed else None,
            telemetry=part.telemetry,
            tasks=part.tasks,
            loops={name: loop.run for name, loop in part.loops.items()},
            ready=part.unready,
            close=part.close,
            facts={
                "capabilities": sorted(hosted),
                "shape": settings.shape,
                "faults": {k: v.model_dump(exclude_unset=True) for k, v in settings.faults.items()},
            },
            timeouts=settings.timeouts,
        )
    except BaseException:
        await part.close()
        raise


def load_shapes(app: App, settings: Settings) -> Mapping[str, shapes.Shape]:
    """The shapes of the application, or those of the file the settings name. Raises WrongShape."""
    return shapes.load(app.calls, settings.shapes_file or app.shapes)


def _exposed(app: App, settings: Settings, hosted: Collection[str]) -> frozenset[str]:
    """What the internal port serves: capabilities that another part of the shape calls, or without
    a shape those with a caller that this part does not host.
    """
    calls = app.calls
    shapes.check_hosted(hosted, calls)
    known = load_shapes(app, settings)
    if settings.shape:
        shape = shapes.named(settings.shape, known, calls)
        return shape.served_to_others(shape.part_hosting(hosted), calls)
    elsewhere = set(calls) - set(hosted)
    return frozenset(c for c in hosted if any(c in calls[caller] for caller in elsewhere))


def _check_names(app: App, settings: Settings, hosted: Collection[str]) -> None:
    needed = shapes.needed(hosted, app.calls)
    if missing := sorted(needed - set(settings.peers)):
        raise shapes.WrongShape(
            f"this part calls {', '.join(missing)} and neither hosts it nor has an address of it: "
            f"name it in BOROUGH_PEERS"
        )
    for setting, names in (("PEERS", settings.peers), ("FAULTS", settings.faults)):
        if unknown := sorted(set(names) - set(app.contracts)):
            raise WrongSettings(f"BOROUGH_{setting}: there is no capability {', '.join(unknown)}")
    if elsewhere := sorted(set(settings.faults) - set(hosted)):
        raise WrongSettings(f"BOROUGH_FAULTS: this part does not host {', '.join(elsewhere)}")
    for name in needed:
        try:
            Addresses(name, settings.peers[name], interval=1)
        except ValueError as error:
            raise WrongSettings(f"BOROUGH_PEERS: {error}") from None


def _telemetry(
    app: App, settings: Settings, part: str, hosted: Collection[str], export: OtlpExporter | None
) -> Telemetry:
    if export is None and settings.otlp_endpoint:
        export = OtlpExporter(settings.otlp_endpoint)
    return Telemetry(
        part,
        build={
            "version": app.version,
            "shape": settings.shape,
            "capabilities": ",".join(sorted(hosted)),
        },
        ratio=settings.trace_ratio,
        export=export,
        log_level=settings.log_level,
        access_log=settings.access_log_ratio,
        signals=app.signals,
    )
