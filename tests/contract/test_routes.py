"""Is a derived route an ordinary one, and does it refuse invalid requests?"""

import asyncio
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI

from borough import deadline
from borough.capability import Capability, post
from borough.errors import Invalid, Unavailable
from borough.testing.transports import Asgi, Direct, Twice, request
from borough.transport.calls import mount, remote
from borough_shop.inventory.contract import Inventory, MenuRequest
from borough_shop.orders.contract import Placement
from borough_shop.payments.contract import Outcome, Payments, Verdict, VoidCharge
from peers import served
from shop.journeys import agree, agree_at_once
from shop.memory import memory_shop
from shop.samples import an_order

ORDER = UUID(int=1)
VOID = VoidCharge(order_id=ORDER).model_dump_json().encode()


@pytest.mark.parametrize("header", [b"0", b"000"])
async def test_spent_deadline_is_refused_before_any_work(header: bytes) -> None:
    """No work is begun for a caller that has timed out."""
    app = served(Payments, memory_shop().payments)
    headers = [(deadline.HEADER.encode(), header)]
    status, body = await request(app, "POST", "/payments/voids", VOID, headers)
    assert (status, b"deadline-exceeded" in body) == (504, True)


@pytest.mark.parametrize("header", [b"soon", b"-5", b"1.5"])
async def test_deadline_that_is_not_a_number_is_named(header: bytes) -> None:
    """An invalid header is the caller's error, and the message names it."""
    app = served(Payments, memory_shop().payments)
    headers = [(deadline.HEADER.encode(), header)]
    status, body = await request(app, "POST", "/payments/voids", VOID, headers)
    assert status == 400
    assert deadline.HEADER.encode() in body


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"{", 400, b"not JSON"),
        (b"[]", 422, b"body"),
        (b'{"order_id": 7, "amount": {"minor": 1.5, "currency": "EUR"}}', 422, b"amount.minor"),
        (b" " * 70_000, 413, b"65536"),
    ],
    ids=["malformed", "not an object", "wrong types", "oversize"],
)
async def test_invalid_body_is_refused_by_name(body: bytes, status: int, named: bytes) -> None:
    """Between parts too, the error names the field in one sentence."""
    app = served(Payments, memory_shop().payments)
    found, answer = await request(app, "POST", "/payments/charges", body)
    assert (found, named in answer) == (status, True)


async def test_capability_not_hosted_is_404_and_an_error_of_the_topology() -> None:
    """A part never forwards; the error of the caller says that the topology is wrong."""
    app = served(Payments, memory_shop().payments)
    status, body = await request(app, "GET", "/inventory/menu")
    assert (status, b"not-hosted" in body) == (404, True)
    with pytest.raises(Unavailable, match=r"inventory\.menu"):
        await remote(Inventory, Asgi(app)).menu(MenuRequest())


async def test_routes_are_ordinary_fastapi() -> None:
    """The OpenAPI document has each method with its message, its answer and its problems."""
    document = served(Payments, memory_shop().payments).openapi()
    charge = document["paths"]["/payments/charges"]["post"]
    schema = charge["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Charge"}
    for status in ("422", "default"):
        assert charge["responses"][status]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    assert "Problem" in document["components"]["schemas"]
    assert "CAPTURED" in charge["description"]


def test_contract_method_takes_one_message() -> None:
    """A wrong declaration raises at import and names the method."""
    with pytest.raises(TypeError, match=r"wrong\.two"):

        class _Wrong(Capability, path="/wrong"):
            @post("/two", idempotent=True)
            async def two(self, a: VoidCharge, b: VoidCharge) -> VoidCharge:
                return a if a == b else b


def test_app_with_dependencies_is_refused() -> None:
    """The direct path skips FastAPI's dependency injection."""
    app = FastAPI(dependencies=[Depends(object)])
    with pytest.raises(TypeError, match=r"payments takes its messages and nothing more"):
        mount(app, Payments, memory_shop().payments)


class NotIdempotent(Capability, path="/not-idempotent"):
    """Methods that are marked as idempotent, and are not."""

    def __init__(self) -> None:
        self.calls = 0
        self.known: Verdict | None = None

    @post("/raises", idempotent=True)
    async def raises(self, request: VoidCharge) -> Verdict:
        """Succeeds at the first call only."""
        return self._next(Verdict(order_id=ORDER, outcome=Outcome.VOIDED), None)

    @post("/changes", idempotent=True)
    async def changes(self, request: VoidCharge) -> Verdict:
        """Returns the same type, but another value."""
        return self._next(*(Verdict(order_id=ORDER, outcome=o) for o in Outcome))

    @post("/places", idempotent=True)
    async def places(self, request: VoidCharge) -> Placement:
        """Never reports a replay."""
        return Placement(order=an_order(), replayed=False)

    @post("/places-another", idempotent=True)
    async def places_another(self, request: VoidCharge) -> Placement:
        """Replays another order."""
        self.calls += 1
        return Placement(order=an_order(self.calls), replayed=self.calls > 1)

    @post("/races", idempotent=True)
    async def races(self, request: VoidCharge) -> Verdict:
        """Checks for a stored verdict, and yields to other tasks before it stores one."""
        if self.known is None:
            verdict = await self.changes(request)
            await asyncio.sleep(0)
            self.known = verdict
        return self.known

    def _next(self, *answers: Verdict | None) -> Verdict:
        answer = answers[self.calls]
        self.calls += 1
        if answer is None:
            raise Invalid("already done")
        return answer


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
@pytest.mark.parametrize("method", ["raises", "changes", "places", "places_another"])
async def test_twice_finds_a_wrong_mark(method: str, at_once: bool) -> None:  # noqa: FBT001
    """A method that is marked as idempotent but is not is found by repeating it."""
    allowed = agree_at_once if at_once else agree
    remote_one = remote(
        NotIdempotent, Twice(Direct(NotIdempotent()), at_once=at_once, agree=allowed)
    )
    with pytest.raises(AssertionError, match=rf"not-idempotent\.{method} is not idempotent"):
        await getattr(remote_one, method)(VoidCharge(order_id=ORDER))


async def test_twice_at_once_finds_a_race() -> None:
    """What is right in sequence and wrong concurrently is found only by sending both calls
    together.
    """
    request = VoidCharge(order_id=ORDER)
    in_turn = remote(NotIdempotent, Twice(Direct(NotIdempotent())))
    assert (await in_turn.races(request)).order_id == ORDER
    at_once = remote(NotIdempotent, Twice(Direct(NotIdempotent()), at_once=True))
    with pytest.raises(AssertionError, match=r"not-idempotent\.races is not idempotent"):
        await at_once.races(request)
