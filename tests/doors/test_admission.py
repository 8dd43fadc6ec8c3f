"""Who gets in, how, and what do they see of others?"""

from borough_shop.testing.door import Visitor, visiting
from borough_shop.testing.shop import Shop


async def test_a_wrong_method_learns_every_right_one(ada: Visitor) -> None:
    """`Allow` names what all routes of the path take, not only the first."""
    orders = await ada.ask("DELETE", "/v1/orders")
    profile = await ada.ask("POST", "/v1/profile", {})
    assert (orders.headers["Allow"], profile.headers["Allow"]) == ("GET, POST", "GET, PUT")


async def test_a_request_without_a_key_is_refused_everywhere(shop: Shop) -> None:
    """Every route of the door is behind the key, and the challenge says which scheme."""
    app = shop.door()
    routes = [
        (method.upper(), path.format(order_id="00000000-0000-0000-0000-000000000001"))
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    ]
    async with visiting(app) as visitor:
        for method, path in routes:
            answer = await visitor.ask(method, path, headers={"X-API-Key": None})
            assert (answer.status, answer.problem.code) == (401, "unauthenticated"), path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert len(routes) == 6


async def test_either_header_authenticates(ada: Visitor) -> None:
    """A bearer token and an X-API-Key say the same."""
    for bearer in ("Bearer key-of-ada", "bearer key-of-ada"):
        headers = {"X-API-Key": None, "Authorization": bearer}
        answer = await ada.ask("GET", "/v1/profile", headers=headers)
        assert answer.body["customer_id"] == "ada"


async def test_a_wrong_bearer_is_refused_beside_a_right_key(ada: Visitor) -> None:
    """Where both headers are sent, Authorization decides: nobody is admitted by accident."""
    for authorization in ("Bearer guess", "Basic YWRhOmFkYQ==", "Bearer", ""):
        headers = {"Authorization": authorization, "X-API-Key": "key-of-ada"}
        answer = await ada.ask("GET", "/v1/profile", headers=headers)
        assert (answer.status, answer.problem.code) == (401, "unauthenticated")


async def test_another_customers_order_does_not_exist(ada: Visitor) -> None:
    """Whoever guesses an id learns nothing, not even that it stands for something."""
    order_id = (await ada.order("k-1", espresso=1)).body["order_id"]
    as_grace = {"X-API-Key": "key-of-grace"}
    answer = await ada.ask("GET", f"/v1/orders/{order_id}", headers=as_grace)
    assert (answer.status, answer.problem.code) == (404, "not-found")
    assert order_id in answer.problem.detail
    assert (await ada.ask("GET", "/v1/orders", headers=as_grace)).body["orders"] == []


async def test_too_many_requests_get_retry_after(shop: Shop) -> None:
    """Each customer has a burst of their own; after the wait they are served again."""
    async with visiting(shop.door(burst=2)) as visitor:
        for _ in range(2):
            assert (await visitor.ask("GET", "/v1/menu")).status == 200
        answer = await visitor.ask("GET", "/v1/menu")
        assert (answer.status, answer.problem.code) == (429, "rate-limited")
        assert "ada" in answer.problem.detail
        assert answer.headers["Retry-After"] == "1"
        as_grace = await visitor.ask("GET", "/v1/menu", headers={"X-API-Key": "key-of-grace"})
        assert as_grace.status == 200
        shop.clock.advance(1)
        assert (await visitor.ask("GET", "/v1/menu")).status == 200
