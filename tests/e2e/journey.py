"""The order journey at the REST door, as two customers live it: what holds in every shape."""

from uuid import uuid4

from e2e.cluster import wait_until
from e2e.visitor import Answer, Door

PROFILE = {"name": "Ada", "email": "ada@example.org", "card_token": "tok_visa_1"}


def knock(door: Door) -> Answer:
    """The first answer of a door whose pods are ready, without a key: a node learns of a
    ready pod a moment after a client that waited for it.
    """
    return wait_until("an answer at the door", lambda: door.ask("GET", "/v1/menu"), within=10)


def place(door: Door, key: str, *, as_order: str = "") -> Answer:
    """Order two espressos for the customer of that API key; `as_order` is the idempotency key."""
    headers = {"X-API-Key": key, "Idempotency-Key": as_order or uuid4().hex}
    body = {"lines": [{"sku": "espresso", "quantity": 2}]}
    return door.ask("POST", "/v1/orders", headers=headers, body=body)


def introduce(door: Door, key: str) -> None:
    """Write the profile of that customer: an order needs its card."""
    answer = door.ask("PUT", "/v1/profile", headers={"X-API-Key": key}, body=PROFILE)
    assert answer.status == 200, answer


def order_journey(door: Door, ada: str, grace: str) -> str:
    """Menu, profile, order, order again, read, list; and what grace may not see. The arguments are
    their API keys; the id of ada's order.
    """
    assert knock(door).status == 401
    check_the_menu(door, ada)
    introduce(door, ada)
    introduce(door, grace)

    under = uuid4().hex
    first, again = place(door, ada, as_order=under), place(door, ada, as_order=under)
    assert (first.status, again.status) == (201, 200), (first, again)
    assert again.body == first.body
    assert first.body["status"] == "placed"
    order_id: str = first.body["order_id"]
    assert first.headers["location"] == f"/v1/orders/{order_id}"

    mine = {"X-API-Key": ada}
    assert door.ask("GET", f"/v1/orders/{order_id}", headers=mine).body == first.body
    listed = door.ask("GET", "/v1/orders", headers=mine).body["orders"]
    assert listed[0] == first.body
    hers = door.ask("GET", f"/v1/orders/{order_id}", headers={"X-API-Key": grace})
    assert hers.status == 404, hers
    return order_id


def check_the_menu(door: Door, key: str) -> None:
    """It has espresso; a client that has it already gets 304 and no body."""
    menu = door.ask("GET", "/v1/menu", headers={"X-API-Key": key})
    assert menu.status == 200, menu
    assert "espresso" in {item["sku"] for item in menu.body["items"]}
    known = {"X-API-Key": key, "If-None-Match": menu.headers["etag"]}
    again = door.ask("GET", "/v1/menu", headers=known)
    # an article may have run out in between, so a new ETag is as good an answer
    assert (again.status, again.text) == (304, "") or again.headers["etag"] != menu.headers["etag"]
