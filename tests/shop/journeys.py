"""What a customer does, for the suites of the kit: an order, and each way it can end."""

from collections.abc import Sequence
from types import MappingProxyType

from borough.testing.clock import MORNING
from borough.testing.suites import Ask, Journey, Stores, answer
from borough.testing.transports import Outcome, same
from borough_shop.inventory.contract import Inventory
from borough_shop.orders.contract import Orders, OrderStatus, Placement, PlaceOrder
from borough_shop.payments.domain import DECLINED_PREFIX
from borough_shop.profiles.contract import Profiles
from shop.samples import a_profile, an_article, basket

ARTICLES = (an_article("espresso", stock=5), an_article("flat-white", stock=3))
CUSTOMERS = (
    a_profile("ada"),
    a_profile("grace"),
    a_profile("bob").model_copy(update={"card_token": f"{DECLINED_PREFIX}_bob"}),
)

ENDINGS = MappingProxyType(
    {
        "placed": PlaceOrder(customer_id="ada", key="a", basket=basket(espresso=2, flat_white=1)),
        "payment-declined": PlaceOrder(customer_id="bob", key="b", basket=basket(espresso=1)),
        "out-of-stock": PlaceOrder(customer_id="ada", key="c", basket=basket(espresso=6)),
        "unknown-sku": PlaceOrder(customer_id="ada", key="d", basket=basket(tea=1)),
        "profile-missing": PlaceOrder(customer_id="eve", key="e", basket=basket(espresso=1)),
    }
)
"""One order for each way an undisturbed order can end."""


def ordering(*requests: PlaceOrder) -> Journey:
    """Place these orders; answers, of each, how it ended: its reason, or its status."""

    async def journey(ask: Ask, stores: Stores) -> Sequence[object]:
        await stores[Inventory.name].receive(ARTICLES)
        for customer in CUSTOMERS:
            await stores[Profiles.name].upsert(customer, MORNING)
        return [_ending(await answer(ask(Orders).place(request))) for request in requests]

    return journey


def _ending(answered: object) -> object:
    if isinstance(answered, Placement):
        return answered.order.reason or answered.order.status
    return answered


def agree(first: Outcome, again: Outcome) -> bool:
    """As `same`, but for placements: the second is a replay of the same order."""
    if isinstance(first, Placement) and isinstance(again, Placement):
        return again.replayed and first.order == again.order
    return same(first, again)


def agree_at_once(first: Outcome, again: Outcome) -> bool:
    """As `agree`, but the replay may find the order still PENDING."""
    if isinstance(first, Placement) and isinstance(again, Placement):
        pending = again.order.status is OrderStatus.PENDING
        known = first.order.order_id == again.order.order_id
        return agree(first, again) or (again.replayed and pending and known)
    return same(first, again)
