"""The door and the order as a story, as FastAPI's tutorial would have them.

Tracing is OpenTelemetry's own: its FastAPI and SQLAlchemy instrumentors, a batch processor and the
OTLP exporter. The instrumentor's spans for single ASGI messages are left out, as its documents
offer; metrics are not collected at all. Both are in the favour of this side.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from bench.common import relay, steps
from bench.common.databases import Databases
from bench.common.models import CAPTURED, DECLINED, PENDING, REJECTED, Order, Profile
from bench.common.steps import Line, Refused
from bench.tracing import standard_tracing

SENT = "common_outbox_deliveries_total"
RECONCILE_EVERY_S = 1.0
STATUS_OF = {"payment-declined": 402, "abandoned": 503}


class Settings(BaseSettings):
    """Read from the environment, `COMMON_` before each name in capitals."""

    model_config = SettingsConfigDict(env_prefix="COMMON_", frozen=True)

    store: str
    public_port: int = 8080
    ops_port: int = 9090
    api_keys: dict[str, str] = {}
    pbkdf2_iterations: int = 20_000
    deadline_ms: int = 2_000
    otlp_endpoint: str = ""


class LineIn(BaseModel):
    """So many pieces of one article."""

    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    quantity: Annotated[int, Field(ge=1, le=1_000)]


class OrderIn(BaseModel):
    """What a customer wants."""

    model_config = ConfigDict(extra="forbid")

    lines: Annotated[list[LineIn], Field(min_length=1, max_length=50)]


class ProfileIn(BaseModel):
    """Who a customer is and how they pay."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    email: Annotated[str, Field(min_length=3, max_length=254)]
    card_token: Annotated[str, Field(min_length=1, max_length=64)]


class Money(BaseModel):
    """An amount in cents."""

    minor: int
    currency: str


class LineOut(BaseModel):
    """A line, with the price of a piece once the order is placed."""

    sku: str
    quantity: int
    price: Money | None = None


class OrderOut(BaseModel):
    """An order as its customer sees it."""

    order_id: UUID
    status: str
    lines: list[LineOut]
    total: Money | None
    reason: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, order: Order) -> "OrderOut":
        """From its row."""
        paid = order.total_minor is not None
        return cls(
            order_id=order.order_id,
            status=order.status,
            lines=[LineOut.model_validate(line) for line in order.lines or order.basket],
            total=Money(minor=order.total_minor or 0, currency=order.currency or "")
            if paid
            else None,
            reason=order.reason,
            created_at=order.created_at,
            settled_at=order.settled_at,
        )


class Shop:
    """Places orders, and settles each once, for every caller."""

    def __init__(self, db: Databases, iterations: int, patience: timedelta) -> None:
        self._db = db
        self._iterations = iterations
        self._patience = patience
        self._tasks = set[asyncio.Task[tuple[Order, bool]]]()
        self.relay = relay.Relay(db)

    async def place(self, customer_id: str, key: str, basket: list[Line]) -> tuple[Order, bool]:
        """The order under this key, and whether it is new. Raises HTTPException."""
        fresh = steps.new_order(customer_id, key, basket, self._patience)
        order, ours = await steps.begin(self._db, fresh)
        if order.fingerprint != fresh.fingerprint:
            raise HTTPException(422, "this Idempotency-Key stands for another basket")
        return (await self._fulfil(order), True) if ours else (order, False)

    async def _fulfil(self, order: Order) -> Order:
        basket = order.basket
        outcome: str | None = None
        reason: str | None = None
        profile, lines = await asyncio.gather(
            steps.profile_of(self._db, order.customer_id),
            steps.reserve(self._db, order.order_id, basket),
            return_exceptions=True,
        )
        for answer in (profile, lines):
            if isinstance(answer, BaseException):
                if not isinstance(answer, Refused):
                    raise answer
                reason = str(answer)
        if isinstance(profile, Profile) and isinstance(lines, list):
            token = profile.card_token
            outcome = await steps.charge(self._db, order.order_id, lines, token, self._iterations)
        return await self.settle(order, outcome, reason)

    async def settle(self, order: Order, outcome: str | None, reason: str | None) -> Order:
        """Bring it to its end; without a verdict and a reason, payments decides."""
        if outcome is None and reason is None:
            outcome = await steps.void(self._db, order.order_id)
        if outcome == CAPTURED:
            await steps.place(self._db, order, await steps.commit(self._db, order.order_id))
            self.relay.wake()
        else:
            await steps.release(self._db, order.order_id)
            declined = "payment-declined" if outcome == DECLINED else "abandoned"
            await steps.reject(self._db, order, reason or declined)
        return order

    async def within_patience(
        self, placing: Coroutine[Any, Any, tuple[Order, bool]]
    ) -> tuple[Order, bool]:
        """Wait no longer than a customer does; the order runs to its end. Raises HTTPException."""
        task = asyncio.create_task(placing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                return await asyncio.shield(task)
        except TimeoutError:
            raise HTTPException(504, "there was no answer before the deadline") from None

    async def reconcile(self) -> None:
        """For ever: settle what is overdue."""
        while True:
            for order in await relay.overdue(self._db):
                with suppress(Exception):  # it is asked again
                    await self.settle(order, None, None)
            await asyncio.sleep(RECONCILE_EVERY_S)


def make_app(settings: Settings) -> FastAPI:
    """The app; its databases are opened and closed with it."""
    db = Databases.open(settings.store)
    patience = timedelta(milliseconds=settings.deadline_ms)
    shop = Shop(db, settings.pbkdf2_iterations, patience)

    def flush() -> None:
        """Nothing is traced."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loops = [asyncio.create_task(loop) for loop in (shop.relay.run(), shop.reconcile())]
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await asyncio.to_thread(flush)
        await db.close()

    app = FastAPI(title="The order as most would write it", lifespan=lifespan)
    app.include_router(_doors(shop, db, settings.api_keys))
    app.include_router(_for_operators(shop))
    if settings.otlp_endpoint:
        flush = standard_tracing("common", settings.otlp_endpoint, 1.0)
        FastAPIInstrumentor.instrument_app(
            app, exclude_spans=["receive", "send"], excluded_urls="readyz,metrics"
        )
        db.trace()
    return app


def _doors(shop: Shop, db: Databases, keys: Mapping[str, str]) -> APIRouter:
    customer_of = {key: name for name, key in keys.items()}
    router = APIRouter(prefix="/v1")

    async def customer(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> str:
        if (name := customer_of.get(credentials.credentials)) is None:
            raise HTTPException(401, "no customer has this key")
        return name

    Customer = Annotated[str, Depends(customer)]  # noqa: N806  # a type

    @router.post("/orders", status_code=201)
    async def place(
        body: OrderIn,
        response: Response,
        who: Customer,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
    ) -> OrderOut:
        """Place an order, or answer what stands under its key."""
        basket = [line.model_dump() for line in body.lines]
        order, fresh = await shop.within_patience(shop.place(who, idempotency_key, basket))
        if order.status == REJECTED:
            raise HTTPException(STATUS_OF.get(order.reason or "", 409), order.reason)
        response.headers["Location"] = f"/v1/orders/{order.order_id}"
        if order.status == PENDING:
            response.status_code = 202
        elif not fresh:
            response.status_code = 200
        return OrderOut.of(order)

    @router.put("/profile")
    async def write_profile(body: ProfileIn, who: Customer) -> dict[str, Any]:
        """Write a profile, or replace it whole."""
        async with db.profiles.begin() as session:
            await session.merge(Profile(customer_id=who, **body.model_dump()))
        return {"customer_id": who}

    return router


def _for_operators(shop: Shop) -> APIRouter:
    router = APIRouter()

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        """It serves."""
        return {"status": "ready"}

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> str:
        """How many events were delivered."""
        return f'# TYPE {SENT} counter\n{SENT}{{result="sent"}} {shop.relay.sent}\n'

    return router
