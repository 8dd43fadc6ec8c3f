"""What does a caller learn from a wrong request? Its status, its code, and a sentence naming it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from borough_shop.testing.door import Visitor, visiting
from borough_shop.testing.shop import memory_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = {"lines": [{"sku": "espresso", "quantity": 1}]}
PROFILE = {"name": "Ada", "email": "ada@example.org", "card_token": "tok_visa_4242"}
KEY = {"Idempotency-Key": "k-1"}


def line(**changes: Any) -> dict[str, Any]:
    """An order whose one line is a little wrong."""
    return {"lines": [{"sku": "espresso", "quantity": 1} | changes]}


@dataclass(frozen=True)
class Bad:
    """A request, and what must come back: status, code and words of the sentence."""

    why: str
    status: int
    code: str
    names: str
    method: str = "POST"
    path: str = "/v1/orders"
    body: Any = None
    headers: Mapping[str, str | None] = field(default_factory=dict)


BAD = [
    Bad("malformed JSON", 400, "malformed", "not JSON", body=b'{"lines": [', headers=KEY),
    Bad("no UTF-8", 400, "malformed", "JSON", body=b'{"lines\xff": []}', headers=KEY),
    Bad("nested too deep", 400, "malformed", "JSON", body=b"[" * 60_000, headers=KEY),
    Bad("number too long", 400, "malformed", "JSON", body=b"1" * 5_000, headers=KEY),
    Bad("half a character", 422, "invalid", "unicode", body=b'{"\\ud800": 1}', headers=KEY),
    Bad("nothing", 422, "invalid", "body", body=b"", headers=KEY),
    Bad("no object", 422, "invalid", "body", body=[], headers=KEY),
    Bad("no lines", 422, "invalid", "lines", body={}, headers=KEY),
    Bad("wrong type", 422, "invalid", "lines.0.quantity", body=line(quantity="2"), headers=KEY),
    Bad("a fraction", 422, "invalid", "lines.0.quantity", body=line(quantity=1.5), headers=KEY),
    Bad("not a number", 422, "invalid", "lines.0.quantity", headers=KEY,
        body=b'{"lines": [{"sku": "espresso", "quantity": NaN}]}'),
    Bad("unknown field", 422, "invalid", "note", body=ORDER | {"note": "!"}, headers=KEY),
    Bad("unknown field within", 422, "invalid", "lines.0.milk", body=line(milk=1), headers=KEY),
    Bad("empty basket", 422, "invalid", "lines", body={"lines": []}, headers=KEY),
    Bad("too many lines", 422, "invalid", "50", headers=KEY,
        body={"lines": [{"sku": f"s-{n}", "quantity": 1} for n in range(51)]}),
    Bad("twice the same", 422, "invalid", "espresso", headers=KEY,
        body={"lines": [*ORDER["lines"], *ORDER["lines"]]}),
    Bad("negative quantity", 422, "invalid", "lines.0.quantity", headers=KEY,
        body=line(quantity=-1)),
    Bad("zero quantity", 422, "invalid", "lines.0.quantity", body=line(quantity=0), headers=KEY),
    Bad("huge quantity", 422, "invalid", "1000", body=line(quantity=10**30), headers=KEY),
    Bad("unknown SKU", 422, "unknown-sku", "unobtainium", headers=KEY,
        body=line(sku="unobtainium")),
    Bad("no SKU at all", 422, "invalid", "lines.0.sku", body=line(sku="Not A Sku"), headers=KEY),
    Bad("oversize body", 413, "too-large", "65536", body=b" " * 65_537, headers=KEY),
    Bad("wrong media type", 415, "wrong-media-type", "text/plain", body=b"{}",
        headers={"Content-Type": "text/plain", **KEY}),
    Bad("no media type", 415, "wrong-media-type", "application/json", body=b"{}",
        headers={"Content-Type": None, **KEY}),
    Bad("no key", 400, "idempotency-key-missing", "Idempotency-Key", body=ORDER),
    Bad("a key that is none", 400, "malformed", "Idempotency-Key", body=ORDER,
        headers={"Idempotency-Key": "two words"}),
    Bad("no API key", 401, "unauthenticated", "X-API-Key", headers={"X-API-Key": None}),
    Bad("a wrong API key", 401, "unauthenticated", "names nobody", headers={"X-API-Key": "guess"}),
    Bad("a wrong bearer", 401, "unauthenticated", "names nobody",
        headers={"Authorization": "Bearer guess"}),
    Bad("another scheme", 401, "unauthenticated", "Bearer",
        headers={"Authorization": "Basic YWRhOmFkYQ==", "X-API-Key": None}),
    Bad("a stranger's bytes", 401, "unauthenticated", "names nobody", body=b"{",
        headers={"X-API-Key": "guess"}),
    Bad("spent deadline", 504, "deadline-exceeded", "deadline", body=ORDER,
        headers={"borough-timeout-ms": "0", **KEY}),
    Bad("a deadline that is none", 400, "malformed", "borough-timeout-ms", body=ORDER,
        headers={"borough-timeout-ms": "soon", **KEY}),
    Bad("no order id", 422, "invalid", "order_id", "GET", "/v1/orders/42"),
    Bad("no such order", 404, "not-found", "00000000-0000-0000-0000-000000000042", "GET",
        "/v1/orders/00000000-0000-0000-0000-000000000042"),
    Bad("no cursor of ours", 400, "malformed", "'next'", "GET", "/v1/orders?cursor=next"),
    Bad("an empty page", 422, "invalid", "limit", "GET", "/v1/orders?limit=0"),
    Bad("a page too long", 422, "invalid", "100", "GET", "/v1/orders?limit=101"),
    Bad("unknown parameter", 422, "invalid", "colour", "GET", "/v1/orders?colour=red"),
    Bad("a blank name", 422, "invalid", "name", "PUT", "/v1/profile", PROFILE | {"name": "  "}),
    Bad("a name with NUL", 422, "invalid", "name", "PUT", "/v1/profile",
        PROFILE | {"name": "a\0b"}),
    Bad("half a character in a name", 422, "invalid", "name", "PUT", "/v1/profile",
        PROFILE | {"name": "\ud800"}),
    Bad("no address", 422, "invalid", "email", "PUT", "/v1/profile", PROFILE | {"email": "ada"}),
    Bad("the masked card", 422, "invalid", "card_token", "PUT", "/v1/profile",
        PROFILE | {"card_token": "tok_****"}),
    Bad("another's profile", 422, "invalid", "customer_id", "PUT", "/v1/profile",
        PROFILE | {"customer_id": "grace"}),
    Bad("wrong method", 405, "method-not-allowed", "GET, POST", "DELETE"),
    Bad("unknown path", 404, "not-found", "/v1/tea", "GET", "/v1/tea"),
    Bad("a slash too many", 404, "not-found", "/v1/menu/", "GET", "/v1/menu/"),
]  # fmt: skip  # a table


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada() -> AsyncIterator[Visitor]:
    """One door for the whole table: nothing that is refused may change what comes after."""
    async with visiting(memory_shop().door()) as visitor:
        await visitor.introduce()
        yield visitor


@pytest.mark.parametrize("bad", BAD, ids=[bad.why for bad in BAD])
async def test_a_wrong_request_gets_its_problem(ada: Visitor, bad: Bad) -> None:
    """The documented status, the stable code, and a sentence that names the thing."""
    answer = await ada.ask(bad.method, bad.path, bad.body, headers=bad.headers)
    problem = answer.problem
    assert (answer.status, problem.code) == (bad.status, bad.code)
    assert bad.names in problem.detail
    assert problem.type == f"urn:borough:problem:{bad.code}"


async def test_a_wrong_request_changes_nothing(ada: Visitor) -> None:
    """Not one line of the table becomes an order that was not refused by the business."""
    for bad in BAD:
        await ada.ask(bad.method, bad.path, bad.body, headers=bad.headers)
    orders = (await ada.ask("GET", "/v1/orders")).body["orders"]
    assert [order["reason"] for order in orders] == ["unknown-sku"]
    assert (await ada.ask("GET", "/v1/profile")).body["name"] == "Ada"


async def test_every_wrong_field_is_named_and_nothing_sent_is_repeated(ada: Visitor) -> None:
    """A caller mends all at once; a secret put into the wrong place does not come back."""
    answer = await ada.ask("PUT", "/v1/profile", {"name": "", "email": "", "card_token": "4242-42"})
    assert [each.field for each in answer.problem.fields] == ["name", "email", "card_token"]
    assert "4242-42" not in str(answer.body)


async def test_an_error_within_a_list_is_reported_once(ada: Visitor) -> None:
    """One wrong quantity is one complaint: the list it stands in is not too short besides."""
    answer = await ada.ask("POST", "/v1/orders", line(quantity=0), headers=KEY)
    assert [each.field for each in answer.problem.fields] == ["lines.0.quantity"]


async def test_a_body_with_many_errors_gets_a_bounded_answer(ada: Visitor) -> None:
    """A body wrong in thousands of places is no lever for a flood of answers."""
    many = {f"f{n}": 0 for n in range(4_000)}
    answer = await ada.ask("PUT", "/v1/profile", many)
    assert answer.status == 422
    assert len(answer.problem.fields) == 20


async def test_a_large_body_without_a_length_is_refused(ada: Visitor) -> None:
    """A stream that declares no length is counted while it arrives."""

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    answer = await ada.ask("PUT", "/v1/profile", stream())
    assert (answer.status, answer.problem.code) == (413, "too-large")
    assert "65536" in answer.problem.detail
