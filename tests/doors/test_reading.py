"""What does a customer read at the door: the menu, their orders, their profile?"""

import pytest

from borough_shop.testing.door import Visitor, visiting
from borough_shop.testing.shop import PRICES, Shop, memory_shop


async def test_the_menu_has_prices_and_availability() -> None:
    """Every article, sorted by SKU; one that is sold out stays on the menu."""
    async with visiting(memory_shop(stock=1).door()) as visitor:
        await visitor.introduce()
        await visitor.order("k-1", espresso=1)
        items = (await visitor.ask("GET", "/v1/menu")).body["items"]
    assert [(item["sku"], item["price"]["minor"]) for item in items] == list(PRICES.items())
    assert [item["sku"] for item in items if not item["available"]] == ["espresso"]


@pytest.mark.parametrize("spelling", ["{etag}", "W/{etag}", '"old", {etag}', "*"])
async def test_an_unchanged_menu_is_304(ada: Visitor, spelling: str) -> None:
    """If-None-Match with the tag, among others, or with a star: 304 without a body."""
    etag = (await ada.ask("GET", "/v1/menu")).headers["ETag"]
    headers = {"If-None-Match": spelling.format(etag=etag)}
    answer = await ada.ask("GET", "/v1/menu", headers=headers)
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, None, etag)


async def test_a_menu_that_changed_has_another_tag() -> None:
    """The tag is strong: it stands for the bytes, and moves when an article sells out."""
    async with visiting(memory_shop(stock=1).door()) as visitor:
        await visitor.introduce()
        before = await visitor.ask("GET", "/v1/menu")
        await visitor.order("k-1", espresso=1)
        headers = {"If-None-Match": before.headers["ETag"]}
        after = await visitor.ask("GET", "/v1/menu", headers=headers)
    assert after.status == 200
    assert after.headers["ETag"] != before.headers["ETag"]
    assert before.headers["ETag"].startswith('"')


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_follow_each_other_without_gap_or_repeat(ada: Visitor, limit: int) -> None:
    """Walking by next_cursor meets every order exactly once, newest first, and ends."""
    placed = [(await ada.order(f"k-{n}", espresso=1)).body["order_id"] for n in range(7)]
    walked: list[str] = []
    path = f"/v1/orders?limit={limit}"
    while path:
        page = (await ada.ask("GET", path)).body
        walked += [order["order_id"] for order in page["orders"]]
        cursor = page["next_cursor"]
        path = f"/v1/orders?limit={limit}&cursor={cursor}" if cursor else ""
    assert walked == placed[::-1]


async def test_an_order_placed_meanwhile_does_not_shift_the_pages(ada: Visitor) -> None:
    """A cursor points at an order, not at a position."""
    placed = [(await ada.order(f"k-{n}", espresso=1)).body["order_id"] for n in range(4)]
    first = (await ada.ask("GET", "/v1/orders?limit=2")).body
    await ada.order("k-later", espresso=1)
    second = (await ada.ask("GET", f"/v1/orders?limit=2&cursor={first['next_cursor']}")).body
    walked = [order["order_id"] for page in (first, second) for order in page["orders"]]
    assert walked == placed[::-1]


async def test_a_customer_without_orders_has_an_empty_page(ada: Visitor) -> None:
    """Nothing is not an error, and there is nothing after it."""
    assert (await ada.ask("GET", "/v1/orders")).body == {"orders": [], "next_cursor": None}


async def test_a_profile_is_read_as_written_but_for_the_card(ada: Visitor) -> None:
    """The card token never leaves, not even in part."""
    written = {"name": "  Ada Lovelace ", "email": "a@b.example", "card_token": "tok_secret_1234"}
    put = await ada.ask("PUT", "/v1/profile", written)
    got = await ada.ask("GET", "/v1/profile")
    assert got.body == put.body == {
        "customer_id": "ada",
        "name": "Ada Lovelace",
        "email": "a@b.example",
        "card_token": "tok_****",
    }  # fmt: skip  # one chain


async def test_an_unwritten_profile_is_unknown(shop: Shop) -> None:
    """Before the first write there is none, and the sentence names the customer."""
    async with visiting(shop.door()) as visitor:
        answer = await visitor.ask("GET", "/v1/profile")
    assert (answer.status, answer.problem.code) == (404, "profile-unknown")
    assert "ada" in answer.problem.detail
