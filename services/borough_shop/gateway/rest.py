"""The REST door, `/v1`: orders, menu and profile of the customer whose API key it is.

It only converts between HTTP and the messages of contracts.
"""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from borough import deadline, errors
from borough.serving.web import problems
from borough_shop.errors import KeyMissing, KeyReused, ProfileUnknown
from borough_shop.gateway.admission import Admission
from borough_shop.gateway.policy import decode_cursor, parse_idempotency_key
from borough_shop.gateway.schemas import (
    MenuOut,
    OrderIn,
    OrderOut,
    OrderPageOut,
    PageIn,
    ProfileIn,
    ProfileOut,
)
from borough_shop.inventory.contract import Inventory, MenuRequest
from borough_shop.orders.contract import (
    ERROR_OF,
    GetOrder,
    ListOrders,
    Order,
    Orders,
    OrderStatus,
    PlaceOrder,
    error_of,
)
from borough_shop.profiles.contract import GetProfile, Profile, Profiles
from borough_shop.values import OrderId

ANY = (
    errors.Malformed, errors.Unauthenticated, errors.Invalid, errors.RateLimited, errors.Internal,
    errors.Unavailable, errors.DeadlineExceeded,
)  # fmt: skip  # one glance
WITH_BODY = (*ANY, errors.TooLarge, errors.WrongMediaType)
READ_LATE = "reading changes nothing, so ask again"
WRITE_LATE = "the profile may or may not be written, so send it again"
ORDER_LATE = "the order may still be placed; repeat it with the same Idempotency-Key to learn"

PATIENCE = {
    "name": deadline.HEADER, "in": "header", "required": False,
    "description": "Milliseconds you will wait, where that is less than we would.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
}  # fmt: skip  # one glance
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "Yours alone for this order: a repeated request orders nothing twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~][!-~]*$"},
}  # fmt: skip  # one glance
IF_NONE_MATCH = {
    "name": "If-None-Match", "in": "header", "required": False,
    "description": "The ETag you have.", "schema": {"type": "string"},
}  # fmt: skip  # one glance


async def _customer(request: Request) -> str:
    """The customer of the admitted request."""
    return str(request.state.customer)


Customer = Annotated[str, Depends(_customer)]


def rest(
    admission: Admission, *, orders: Orders, profiles: Profiles, inventory: Inventory
) -> APIRouter:
    """The routes. Every one needs an API key."""
    router = APIRouter(
        prefix="/v1",
        route_class=admission.route_class(),
        dependencies=[
            Security(HTTPBearer(auto_error=False)),
            Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
        ],
    )

    @router.get(
        "/menu",
        operation_id="readMenu",
        response_model=MenuOut,
        responses={304: {"description": "The menu has not changed."}, **problems(*ANY)},
        openapi_extra={"parameters": [PATIENCE, IF_NONE_MATCH]},
    )
    async def menu(request: Request) -> Response:
        """What we sell, at what price, and whether any is left."""
        menu = MenuOut.of(await admission.ask(inventory.menu, MenuRequest(), late=READ_LATE))
        return _tagged(menu.model_dump_json().encode(), request.headers.get("if-none-match"))

    @router.post(
        "/orders",
        operation_id="placeOrder",
        status_code=HTTPStatus.CREATED,
        responses=_placements(),
        openapi_extra={"parameters": [PATIENCE, IDEMPOTENCY_KEY]},
    )
    async def place(
        body: OrderIn, request: Request, response: Response, customer: Customer
    ) -> OrderOut:
        """Place an order. Repeating it with its key returns the stored order."""
        key = parse_idempotency_key(request.headers.get("idempotency-key"))
        question = PlaceOrder(customer_id=customer, key=key, basket=body.basket())
        placement = await admission.ask(orders.place, question, late=ORDER_LATE)
        order = placement.order
        if order.status is OrderStatus.REJECTED:
            raise error_of(order)
        response.headers["Location"] = f"/v1/orders/{order.order_id}"
        if order.status is OrderStatus.PENDING:
            response.status_code = HTTPStatus.ACCEPTED
            response.headers["Retry-After"] = "1"
        elif placement.replayed:
            response.status_code = HTTPStatus.OK
        return OrderOut.of(order)

    @router.get(
        "/orders/{order_id}",
        operation_id="readOrder",
        responses=problems(*ANY, errors.NotFound),
        openapi_extra={"parameters": [PATIENCE]},
    )
    async def get(order_id: OrderId, customer: Customer) -> OrderOut:
        """One of your orders."""
        question = GetOrder(order_id=order_id, customer_id=customer)
        order: Order = await admission.ask(orders.get, question, late=READ_LATE)
        return OrderOut.of(order)

    @router.get(
        "/orders",
        operation_id="listOrders",
        responses=problems(*ANY),
        openapi_extra={"parameters": [PATIENCE]},
    )
    async def list_orders(page: Annotated[PageIn, Query()], customer: Customer) -> OrderPageOut:
        """Your orders, newest first."""
        before = decode_cursor(page.cursor)
        question = ListOrders(customer_id=customer, before=before, limit=page.limit)
        return OrderPageOut.of(await admission.ask(orders.list, question, late=READ_LATE))

    @router.get(
        "/profile",
        operation_id="readProfile",
        responses=problems(*ANY, ProfileUnknown),
        openapi_extra={"parameters": [PATIENCE]},
    )
    async def read_profile(customer: Customer) -> ProfileOut:
        """Your profile."""
        question = GetProfile(customer_id=customer)
        return ProfileOut.of(await admission.ask(profiles.get, question, late=READ_LATE))

    @router.put(
        "/profile",
        operation_id="writeProfile",
        responses=problems(*WITH_BODY),
        openapi_extra={"parameters": [PATIENCE]},
    )
    async def write_profile(body: ProfileIn, customer: Customer) -> ProfileOut:
        """Write your profile, or replace it whole."""
        question = Profile(customer_id=customer, **body.model_dump())
        return ProfileOut.of(await admission.ask(profiles.upsert, question, late=WRITE_LATE))

    return router


def _placements() -> dict[int | str, dict[str, Any]]:
    """Every way an order can be answered, for the OpenAPI document."""
    location = {"Location": {"description": "The order.", "schema": {"type": "string"}}}
    retry = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {
        201: {"description": "Placed.", "headers": location},
        200: {"description": "Placed before.", "model": OrderOut, "headers": location},
        202: {"description": "Not settled yet.", "model": OrderOut, "headers": location | retry},
        **problems(*WITH_BODY, KeyMissing, KeyReused, *ERROR_OF.values()),
    }


def _tagged(content: bytes, if_none_match: str | None) -> Response:
    """The content with a strong ETag, or 304 if the caller has it (RFC 9110, 13.1.2)."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if known & {etag, "*"}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
