"""What an order may become, by the pure rules of its domain."""

from uuid import UUID

import pytest

from borough.errors import BoroughError, Conflict, DeadlineExceeded, Invalid, Unavailable
from borough.testing.clock import MORNING
from borough_shop.errors import OutOfStock, PaymentDeclined, ProfileUnknown, Released, UnknownSku
from borough_shop.gateway import schemas
from borough_shop.orders import domain
from borough_shop.orders.contract import Order, OrderStatus, PlaceOrder, Reason, error_of
from borough_shop.payments.contract import Outcome, Verdict
from borough_shop.values import Basket, Line, Money, PricedLine
from shop.samples import basket

ORDER_ID = UUID(int=1)
REQUEST = PlaceOrder(customer_id="ada", key="k", basket=basket(espresso=2, flat_white=1))


def rejected(reason: Reason) -> Order:
    """An order that ended so."""
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    changes = {"status": OrderStatus.REJECTED, "reason": reason, "detail": "because"}
    return order.model_copy(update=changes)


def test_a_new_order_has_nothing_decided() -> None:
    """It is PENDING, without lines, total, reason or moment of settling."""
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    assert order.status is OrderStatus.PENDING
    assert (order.lines, order.total, order.reason, order.settled_at) == ((), None, None, None)


def test_equal_baskets_have_one_fingerprint() -> None:
    """However a basket was built, the same basket has the same print."""
    decoded = Basket.model_validate_json(REQUEST.basket.model_dump_json())
    assert domain.fingerprint(decoded) == domain.fingerprint(REQUEST.basket)


@pytest.mark.parametrize(
    "other", [basket(espresso=2), basket(espresso=1, flat_white=1), basket(tea=2)]
)
def test_another_basket_has_another_fingerprint(other: Basket) -> None:
    """A quantity, an article more or less: it is another request."""
    assert domain.fingerprint(other) != domain.fingerprint(REQUEST.basket)


def test_a_field_added_later_does_not_change_the_fingerprint() -> None:
    """A key of yesterday stays good after an upgrade, since unset fields are left out."""

    class LaterLine(Line):
        note: str = ""

    class LaterBasket(Basket):
        lines: tuple[LaterLine, ...]

    later = LaterBasket.model_validate_json(REQUEST.basket.model_dump_json())
    assert domain.fingerprint(later) == domain.fingerprint(REQUEST.basket)


def test_a_field_added_at_the_door_too_does_not_change_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a customer left unset is not set on the way from the door to the contract."""

    class LaterBasket(Basket):
        note: str = ""

    class LaterOrderIn(schemas.OrderIn):
        note: str = ""

    monkeypatch.setattr(schemas, "Basket", LaterBasket)
    basket = LaterOrderIn.model_validate_json(REQUEST.basket.model_dump_json()).basket()
    assert isinstance(basket, LaterBasket)
    assert domain.fingerprint(basket) == domain.fingerprint(REQUEST.basket)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfStock("x"), Reason.OUT_OF_STOCK),
        (UnknownSku("x"), Reason.UNKNOWN_SKU),
        (Invalid("x"), Reason.INVALID),
        (ProfileUnknown("x"), Reason.PROFILE_MISSING),
        (Released("x"), Reason.ABANDONED),
        (Unavailable("x"), Reason.ABANDONED),
        (DeadlineExceeded("x"), Reason.ABANDONED),
    ],
)
def test_what_stopped_an_order_is_its_reason(error: BoroughError, reason: Reason) -> None:
    """What the customer can change is named; the rest is an order given up."""
    assert domain.refusal(error).reason is reason


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Outcome.DECLINED, Reason.DECLINED), (Outcome.VOIDED, Reason.ABANDONED)],
)
def test_a_verdict_without_money_is_a_reason(outcome: Outcome, reason: Reason) -> None:
    """A declined card is the customer's matter, a void is ours."""
    assert domain.refusal_of(Verdict(order_id=ORDER_ID, outcome=outcome)).reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_answers_with_the_error_of_its_code(reason: Reason) -> None:
    """The value of a reason is the code of its problem, at every door and on every replay."""
    error = error_of(rejected(reason))
    assert error.code == reason.value
    assert (error.detail, error.about) == ("because", {"order_id": str(ORDER_ID)})


def test_a_declined_order_answers_402() -> None:
    """The one reason whose status is about money."""
    assert isinstance(error_of(rejected(Reason.DECLINED)), PaymentDeclined)


def test_an_order_that_was_not_rejected_has_no_error() -> None:
    """Asking for one is a mistake that shows."""
    with pytest.raises(Conflict, match="was not rejected"):
        error_of(domain.new_order(REQUEST, ORDER_ID, MORNING))


def test_the_event_tells_the_reserved_lines_and_their_sum() -> None:
    """What was held is what is paid for and told, not what a menu says meanwhile."""
    price = Money(minor=250, currency="EUR")
    lines = (PricedLine(sku="espresso", quantity=2, price=price),)
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    event = domain.placed_event(order, lines, UUID(int=2), MORNING)
    assert event.lines == lines
    assert event.total == Money(minor=500, currency="EUR")
    assert (event.order_id, event.customer_id) == (ORDER_ID, "ada")
