"""Does a capability behave the same in this process, through the codec, and over the network?

Every call marked idempotent is sent twice, whatever the transport: in turn, and at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest

from borough import deadline, events
from borough.capability import Capability, Message, post, read
from borough.errors import Internal, NotFound
from borough.testing.servers import running, served
from borough.testing.transports import Asgi, Direct, Twice
from borough.transport.addresses import Addresses
from borough.transport.calls import Transport, local, remote
from borough.transport.client import Http
from borough.transport.wire import Pool
from borough_shop.errors import (
    CommitAfterRelease,
    KeyReused,
    OutOfStock,
    ProfileUnknown,
    ReleaseAfterCommit,
    Released,
    UnknownSku,
)
from borough_shop.inventory.contract import Inventory, MenuRequest, OrderRef, Reserve
from borough_shop.notifications.contract import (
    Deliver,
    ListNotifications,
    Notifications,
    NotificationState,
)
from borough_shop.orders.contract import (
    ORDER_PLACED_SCHEMA,
    GetOrder,
    ListOrders,
    OrderPlaced,
    Orders,
    OrderStatus,
    PlaceOrder,
)
from borough_shop.payments.contract import Charge, Outcome, Payments, VoidCharge
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.testing.placements import agree
from borough_shop.testing.shop import memory_shop
from borough_shop.values import Basket, Line, Money, PricedLine
from borough_telemetry import Telemetry

ADA = Profile(customer_id="ada", name="Ada", email="ada@example.org", card_token="tok_visa_1")
EUROS = Money(minor=340, currency="EUR")

Ask = Callable[[type[Any], Any], Awaitable[Any]]


@pytest.fixture(params=[False, True], ids=["in turn", "at once"])
def at_once(request: pytest.FixtureRequest) -> bool:
    """Whether the two of an idempotent call go out together."""
    return bool(request.param)


@pytest.fixture(params=["local", "asgi", "http"])
async def ask(request: pytest.FixtureRequest, at_once: bool) -> AsyncIterator[Ask]:  # noqa: FBT001
    """Reach a service by each transport; idempotent calls go out twice."""
    telemetry = Telemetry("caller", log_level="error")
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Pool())

        async def reach(contract: type[Any], service: Any) -> Any:
            transport: Transport
            if request.param == "local":
                transport = Direct(local(contract, service, telemetry))
            else:
                app = served(contract, service)
                if request.param == "asgi":
                    transport = Asgi(app)
                else:
                    url = await stack.enter_async_context(running(app))
                    addresses = Addresses(contract.name, (url,), interval=60)
                    transport = Http(contract.name, addresses, wire, telemetry, call_timeout=600)
            return remote(contract, Twice(transport, at_once=at_once, agree=agree))

        yield reach


def order_id(n: int = 1) -> UUID:
    return UUID(int=n)


class TestPayments:
    """One verdict per order."""

    async def test_a_charge_is_captured_once_and_stays_so(self, ask: Ask) -> None:
        """The first verdict answers every later question, a void included."""
        payments: Payments = await ask(Payments, memory_shop().payments)
        charge = Charge(order_id=order_id(), amount=EUROS, card_token="tok_visa_1")
        verdict = await payments.charge(charge)
        assert (verdict.outcome, verdict.amount) == (Outcome.CAPTURED, EUROS)
        assert await payments.void(VoidCharge(order_id=order_id())) == verdict

    async def test_a_void_beats_a_late_charge(self, ask: Ask) -> None:
        """A charge that comes after a void finds VOIDED and takes nothing."""
        payments: Payments = await ask(Payments, memory_shop().payments)
        await payments.void(VoidCharge(order_id=order_id()))
        charge = Charge(order_id=order_id(), amount=EUROS, card_token="tok_visa_1")
        late = await payments.charge(charge)
        assert (late.outcome, late.amount) == (Outcome.VOIDED, None)


class TestInventory:
    """Stock held, committed, released: once each."""

    async def test_reserve_commit_and_the_two_wrong_turns(self, ask: Ask) -> None:
        """Prices come with the reservation; committed stock cannot be released."""
        inventory: Inventory = await ask(Inventory, memory_shop().inventory)
        menu = {item.sku: item for item in (await inventory.menu(MenuRequest())).items}
        held = await inventory.reserve(reserve(order_id(), espresso=2))
        assert held.lines == (PricedLine(sku="espresso", quantity=2, price=menu["espresso"].price),)
        ref = OrderRef(order_id=order_id())
        assert (await inventory.commit(ref)).lines == held.lines
        with pytest.raises(ReleaseAfterCommit, match=str(order_id())):
            await inventory.release(ref)

    async def test_a_tombstone_refuses_what_comes_late(self, ask: Ask) -> None:
        """A release without a reservation keeps a late reserve and a commit out."""
        inventory: Inventory = await ask(Inventory, memory_shop().inventory)
        await inventory.release(OrderRef(order_id=order_id()))
        with pytest.raises(Released):
            await inventory.reserve(reserve(order_id(), espresso=1))
        with pytest.raises(CommitAfterRelease):
            await inventory.commit(OrderRef(order_id=order_id()))

    async def test_refusals_name_the_article(self, ask: Ask) -> None:
        """An unknown article and one that is sold out are told apart, by name."""
        inventory: Inventory = await ask(Inventory, memory_shop(stock=3).inventory)
        with pytest.raises(UnknownSku, match="unobtainium"):
            await inventory.reserve(reserve(order_id(), unobtainium=1))
        with pytest.raises(OutOfStock, match="espresso"):
            await inventory.reserve(reserve(order_id(), espresso=4))


class TestProfiles:
    """Who a customer is."""

    async def test_what_is_written_is_read(self, ask: Ask) -> None:
        """Upsert replaces the profile whole; nobody's profile is unknown."""
        profiles: Profiles = await ask(Profiles, memory_shop().profiles)
        with pytest.raises(ProfileUnknown, match="grace"):
            await profiles.get(GetProfile(customer_id="grace"))
        await profiles.upsert(ADA)
        renamed = ADA.model_copy(update={"name": "Ada L."})
        assert await profiles.upsert(renamed) == renamed
        assert await profiles.get(GetProfile(customer_id="ada")) == renamed


class TestNotifications:
    """One notification per event."""

    async def test_an_event_delivered_again_changes_nothing(self, ask: Ask) -> None:
        """Deliveries are at least once, notifications exactly once."""
        notifications: Notifications = await ask(Notifications, memory_shop().notifications)
        told = await notifications.deliver(Deliver(events=(placed(1),)))
        assert told.outcomes == (events.Outcome.HANDLED,)
        (first,) = (await notifications.list(ListNotifications(customer_id="ada"))).notifications
        assert first.state is NotificationState.RECORDED
        assert "2 x espresso" in first.text
        both = await notifications.deliver(Deliver(events=(placed(2), placed(1))))
        assert both.outcomes == (events.Outcome.HANDLED, events.Outcome.HANDLED)
        known = (await notifications.list(ListNotifications(customer_id="ada"))).notifications
        assert [n.event_id for n in known] == [order_id(102), order_id(101)]
        assert known[1] == first
        page = await notifications.list(ListNotifications(customer_id="ada", limit=1))
        assert [n.event_id for n in page.notifications] == [order_id(102)]
        rest = await notifications.list(
            ListNotifications(customer_id="ada", before=page.next_before)
        )
        assert [n.event_id for n in rest.notifications] == [order_id(101)]


class TestOrders:
    """The saga, asked from outside."""

    async def test_an_order_is_placed_once_per_key(self, ask: Ask) -> None:
        """The same key answers the same order; another basket under it is refused."""
        shop = memory_shop()
        await shop.profiles.upsert(ADA)
        orders: Orders = await ask(Orders, shop.orders)
        placement = await orders.place(place("k-1", espresso=2))
        assert placement.order.status is OrderStatus.PLACED
        again = await orders.place(place("k-1", espresso=2))
        assert again.replayed
        assert again.order == placement.order
        with pytest.raises(KeyReused, match="k-1"):
            await orders.place(place("k-1", espresso=3))

    async def test_orders_are_listed_newest_first_and_only_ones_own(self, ask: Ask) -> None:
        """Pages follow each other without gap; another customer's order does not exist."""
        shop = memory_shop()
        await shop.profiles.upsert(ADA)
        orders: Orders = await ask(Orders, shop.orders)
        ids = [(await orders.place(place(f"k-{n}", espresso=1))).order.order_id for n in range(3)]
        page = await orders.list(ListOrders(customer_id="ada", limit=2))
        rest = await orders.list(ListOrders(customer_id="ada", before=page.next_before))
        assert [o.order_id for o in (*page.orders, *rest.orders)] == ids[::-1]
        assert (await orders.get(GetOrder(order_id=ids[0], customer_id="ada"))).order_id == ids[0]
        with pytest.raises(NotFound, match=str(ids[0])):
            await orders.get(GetOrder(order_id=ids[0], customer_id="grace"))


class Question(Message):
    """What to do."""

    number: int
    word: str = "plain"


class Answer(Message):
    """What was done."""

    text: str


class Oddities(Capability, path="/oddities"):
    """A capability that misbehaves on request."""

    @post("/broken", idempotent=True)
    async def broken(self, request: Question) -> Answer:
        """A defect."""
        raise ZeroDivisionError("secret detail")

    @read("/{word}/echo")
    async def echo(self, request: Question) -> Answer:
        """What was asked."""
        return Answer(text=f"{request.word}-{request.number}")

    @post("/spent", idempotent=True)
    async def spent(self, request: Question) -> Answer:
        """The milliseconds left, if anybody set a deadline."""
        left = deadline.remaining()
        return Answer(text="none" if left is None else str(left <= request.number / 1_000))


class TestEveryTransport:
    """What no capability of ours shows."""

    async def test_a_defect_is_internal_and_keeps_its_detail(self, ask: Ask) -> None:
        """An exception nobody meant becomes Internal, and its text stays inside."""
        oddities: Oddities = await ask(Oddities, Oddities())
        with pytest.raises(Internal) as caught:
            await oddities.broken(Question(number=1))
        assert "secret" not in str(caught.value)

    async def test_a_read_carries_its_message_in_path_and_query(self, ask: Ask) -> None:
        """What needs escaping arrives unharmed."""
        oddities: Oddities = await ask(Oddities, Oddities())
        answer = await oddities.echo(Question(number=7, word="süß & sauer?"))
        assert answer.text == "süß & sauer?-7"

    async def test_the_deadline_goes_along(self, ask: Ask) -> None:
        """The callee has no more time than its caller."""
        oddities: Oddities = await ask(Oddities, Oddities())
        with deadline.within(3.0):
            answer = await oddities.spent(Question(number=3_000))
        assert answer.text == "True"


def reserve(order: UUID, **quantities: int) -> Reserve:
    lines = tuple(Line(sku=sku, quantity=quantity) for sku, quantity in quantities.items())
    return Reserve(order_id=order, lines=lines)


def place(key: str, **quantities: int) -> PlaceOrder:
    return PlaceOrder(customer_id="ada", key=key, basket=Basket.of(**quantities))


def placed(n: int) -> OrderPlaced:
    return OrderPlaced(
        event_id=order_id(100 + n),
        schema_version=ORDER_PLACED_SCHEMA,
        order_id=order_id(n),
        customer_id="ada",
        lines=(PricedLine(sku="espresso", quantity=2, price=EUROS),),
        total=EUROS.times(2),
        placed_at="2026-01-01T00:00:00Z",
    )
