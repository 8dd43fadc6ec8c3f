"""The whole shop in one event loop: the real services over memory stores, in any shape, in chaos.

What stands in the stores outlives every part; everything else dies with its part and is started
anew from what stands there.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, cycle, repeat
from typing import TypeVar, cast

from borough.capability import Capability, Endpoint, Message
from borough.errors import Unavailable
from borough.serving.lifecycle import Tasks
from borough.testing.chaos import CALM, Crashed, Life, Network, Script, Wire
from borough.testing.clock import ManualClock, deadlines_by
from borough.transport.calls import local, remote
from borough_shop import signals
from borough_shop.audit import Stores, Violation, audit, read_books
from borough_shop.inventory.contract import Inventory
from borough_shop.inventory.domain import Article
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.service import InventoryService
from borough_shop.notifications.contract import Notifications
from borough_shop.notifications.memory import MemoryNotifications
from borough_shop.notifications.service import NotificationsService, Send, keep
from borough_shop.orders.contract import Orders, Placement, PlaceOrder
from borough_shop.orders.memory import MemoryOrders
from borough_shop.orders.reconcile import Reconcile
from borough_shop.orders.service import OrdersService, Patience
from borough_shop.outbox import Relay
from borough_shop.payments.contract import Payments
from borough_shop.payments.memory import MemoryVerdicts
from borough_shop.payments.service import PaymentsService
from borough_shop.profiles.contract import Profile, Profiles
from borough_shop.profiles.memory import MemoryProfiles
from borough_shop.profiles.service import ProfilesService
from borough_telemetry import Telemetry

PATIENCE, HORIZON = 2.0, 5.0
"""Seconds to the deadline of an order, and from there to its reconciling."""
PARK_AFTER = 3
ROUNDS = 20
"""A drain without faults that takes more rounds than this will never end."""

Shape = Mapping[str, tuple[str, ...]]
ALL = ("orders", "payments", "profiles", "inventory", "notifications")
MONOLITH: Shape = {"town": ALL}
EXTRACT_PAYMENTS: Shape = {
    "payments": ("payments",),
    "town": tuple(name for name in ALL if name != "payments"),
}
MICROSERVICES: Shape = {name: (name,) for name in ALL}

C = TypeVar("C", bound=Capability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """The stores of a town; a test may put a wrong one among them."""

    orders: MemoryOrders = field(default_factory=MemoryOrders)
    verdicts: MemoryVerdicts = field(default_factory=MemoryVerdicts)
    profiles: MemoryProfiles = field(default_factory=MemoryProfiles)
    stock: MemoryStock = field(default_factory=MemoryStock)
    notifications: MemoryNotifications = field(default_factory=MemoryNotifications)


@dataclass(frozen=True, slots=True)
class Running:
    """A part in one of its lives. The loops are those of orders and rest elsewhere."""

    life: Life
    services: Mapping[str, Capability]
    reconcile: Reconcile
    relay: Relay


class Town:
    """`shape` says which capabilities die together; `settler` may be one gone wrong."""

    def __init__(
        self,
        shape: Shape = MONOLITH,
        script: Script = CALM,
        *,
        shelves: Shelves | None = None,
        settler: type[OrdersService] = OrdersService,
        send: Send = keep,
    ) -> None:
        self.shape = shape
        self.clock = ManualClock()
        self.telemetry = Telemetry("town", ratio=0, log_level="critical")
        self.shelves = shelves or Shelves()
        self.network = Network(script.mishaps, self._arrive)
        self._tasks = Tasks()
        self._settler = settler
        self._send = send
        self._pace = cycle(script.pace)
        self._deaths = {part: _then_none(script.deaths.get(part, ())) for part in shape}
        self._running = {part: self._build(part) for part in shape}
        self._client = remote(Orders, self.network)

    # -- what happens in a town

    @contextmanager
    def open(self) -> Iterator[None]:
        """Meanwhile deadlines are kept by the town's clock."""
        with deadlines_by(self.clock):
            yield

    async def welcome(self, articles: tuple[Article, ...], customers: tuple[Profile, ...]) -> None:
        """Fill the shelves and let customers in; nothing goes wrong yet."""
        await self.shelves.stock.receive(articles)
        for customer in customers:
            await self.shelves.profiles.upsert(customer, self.clock.now())

    async def place(self, request: PlaceOrder) -> Placement:
        """As a client, who is never sure to get an answer. Raises a BoroughError without one."""
        return await self._client.place(request)

    async def reconcile(self) -> None:
        """One round, if the part lives to its end."""
        with suppress(Crashed):
            await self._part_hosting("orders").reconcile.once()

    async def relay(self) -> None:
        """One round, if the part lives to its end."""
        with suppress(Crashed):
            await self._part_hosting("orders").relay.once()

    async def come_to_rest(self) -> None:
        """Everything that goes wrong ends; time passes until nothing is pending or unsent.

        What is late stays late: deliver it before or after, as the test wills. Where there is no
        rest to come to it gives up, and the auditor will say so.
        """
        self.network.calm()
        for part in self.shape:
            self._deaths[part] = _then_none(())
            self._running[part].life.dies_at = None
        await self._tasks.drain()
        for _ in range(ROUNDS):
            self.clock.advance(60)
            await self.reconcile()
            await self.relay()
            if await self._quiet():
                return

    async def _quiet(self) -> bool:
        orders = self.shelves.orders
        pending = await orders.overdue(self.clock.now(), None, 1)
        return not pending and await orders.outbox.unsent() == 0

    async def audit(self) -> tuple[Violation, ...]:
        """What the auditor finds now."""
        shelves = self.shelves
        stores = Stores(
            orders=shelves.orders,
            outbox=shelves.orders.outbox,
            verdicts=shelves.verdicts,
            stock=shelves.stock,
            notifications=shelves.notifications,
        )
        return audit(await read_books(stores), self.clock.now(), timedelta(seconds=HORIZON))

    def settle_conflicts(self) -> int:
        """How often a commit met a release, or a release a commit."""
        lines = self.telemetry.exposition().decode().splitlines()
        series = f"{signals.SETTLE_CONFLICTS.name}_total{{"
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(series))

    def steps(self, part: str) -> int:
        """How many steps the part's present life has taken."""
        return self._running[part].life.steps

    # -- how it is built

    async def _arrive(self, endpoint: Endpoint, message: Message) -> Message:
        service = self._part_hosting(endpoint.capability).services[endpoint.capability]
        try:
            answer: Message = await getattr(service, endpoint.method)(message)
        except Crashed:
            raise Unavailable(f"{endpoint.capability} died on the way") from None
        return answer

    def _part_hosting(self, capability: str) -> Running:
        """The part that hosts it, started anew where it died."""
        part = next(part for part, hosted in self.shape.items() if capability in hosted)
        if not self._running[part].life.alive:
            self._running[part] = self._build(part)
        return self._running[part]

    def _build(self, part: str) -> Running:
        life = Life(self._pace, next(self._deaths[part]))
        shelves, hosted = self.shelves, self.shape[part]
        services: dict[str, Capability] = {
            "payments": PaymentsService(
                store=shelves.verdicts.through(life.step),
                clock=self.clock,
                telemetry=self.telemetry,
                iterations=0,
            ),
            "profiles": ProfilesService(
                store=shelves.profiles.through(life.step), clock=self.clock
            ),
            "inventory": InventoryService(
                store=shelves.stock.through(life.step), clock=self.clock, telemetry=self.telemetry
            ),
            "notifications": NotificationsService(
                store=shelves.notifications.through(life.step),
                clock=self.clock,
                telemetry=self.telemetry,
                park_after=PARK_AFTER,
                send=self._send,
            ),
        }

        def ask(contract: type[C]) -> C:
            if contract.name in hosted:
                return local(contract, cast(C, services[contract.name]), self.telemetry)
            return remote(contract, Wire(life, self.network))

        store = shelves.orders.through(life.step)
        service = self._settler(
            store=store,
            profiles=ask(Profiles),
            inventory=ask(Inventory),
            payments=ask(Payments),
            clock=self.clock,
            tasks=self._tasks,
            telemetry=self.telemetry,
            patience=Patience(order=PATIENCE),
        )
        reconcile = Reconcile(
            service=service, store=store, clock=self.clock, horizon=HORIZON, interval=1
        )
        relay = Relay(
            outbox=store.outbox,
            deliver=ask(Notifications).deliver,
            clock=self.clock,
            telemetry=self.telemetry,
            interval=1,
            lease=10,
            retention=3_600,
        )
        services["orders"] = service
        return Running(life, {name: services[name] for name in hosted}, reconcile, relay)


def _then_none(deaths: tuple[int, ...]) -> Iterator[int | None]:
    return chain(deaths, repeat(None))
