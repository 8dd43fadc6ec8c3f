"""The pure rules of orders: fingerprints, reasons of a rejection, errors and events."""

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
    """An order that was rejected for this reason."""
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    changes = {"status": OrderStatus.REJECTED, "reason": reason, "detail": "because"}
    return order.model_copy(update=changes)


def test_new_order_has_nothing_decided() -> None:
    """It is PENDING, without lines, total, reason or time of settlement."""
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    assert order.status is OrderStatus.PENDING
    assert (order.lines, order.total, order.reason, order.settled_at) == ((), None, None, None)


def test_equal_baskets_have_one_fingerprint() -> None:
    """The fingerprint does not depend on how the basket was built."""
    decoded = Basket.model_validate_json(REQUEST.basket.model_dump_json())
    assert domain.fingerprint(decoded) == domain.fingerprint(REQUEST.basket)


@pytest.mark.parametrize(
    "other", [basket(espresso=2), basket(espresso=1, flat_white=1), basket(tea=2)]
)
def test_another_basket_has_another_fingerprint(other: Basket) -> None:
    """Another quantity or another set of articles is another request."""
    assert domain.fingerprint(other) != domain.fingerprint(REQUEST.basket)


def test_field_added_later_does_not_change_the_fingerprint() -> None:
    """Unset fields are left out, so that a key from before an upgrade is valid after it."""

    class LaterLine(Line):
        note: str = ""

    class LaterBasket(Basket):
        lines: tuple[LaterLine, ...]

    later = LaterBasket.model_validate_json(REQUEST.basket.model_dump_json())
    assert domain.fingerprint(later) == domain.fingerprint(REQUEST.basket)


def test_field_added_at_the_door_too_does_not_change_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A field that the customer left unset is not set between the door and the contract."""

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
def test_error_that_stops_an_order_is_its_reason(error: BoroughError, reason: Reason) -> None:
    """Errors that the customer can correct have their own reason; the others are ABANDONED."""
    assert domain.refusal(error).reason is reason


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Outcome.DECLINED, Reason.DECLINED), (Outcome.VOIDED, Reason.ABANDONED)],
)
def test_verdict_without_capture_is_a_reason(outcome: Outcome, reason: Reason) -> None:
    """A declined charge is DECLINED, a voided one is ABANDONED."""
    assert domain.refusal_of(Verdict(order_id=ORDER_ID, outcome=outcome)).reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_answers_with_the_error_of_its_code(reason: Reason) -> None:
    """The value of a reason is the code of its problem, in every answer and replay."""
    error = error_of(rejected(reason))
    assert error.code == reason.value
    assert (error.detail, error.about) == ("because", {"order_id": str(ORDER_ID)})


def test_declined_order_answers_402() -> None:
    """DECLINED is the reason of `PaymentDeclined`."""
    assert isinstance(error_of(rejected(Reason.DECLINED)), PaymentDeclined)


def test_order_that_was_not_rejected_has_no_error() -> None:
    """Asking for its error raises `Conflict`."""
    with pytest.raises(Conflict, match="was not rejected"):
        error_of(domain.new_order(REQUEST, ORDER_ID, MORNING))


def test_event_has_the_reserved_lines_and_their_sum() -> None:
    """The prices are those of the reservation, not those of the current menu."""
    price = Money(minor=250, currency="EUR")
    lines = (PricedLine(sku="espresso", quantity=2, price=price),)
    order = domain.new_order(REQUEST, ORDER_ID, MORNING)
    event = domain.placed_event(order, lines, UUID(int=2), MORNING)
    assert event.lines == lines
    assert event.total == Money(minor=500, currency="EUR")
    assert (event.order_id, event.customer_id) == (ORDER_ID, "ada")
