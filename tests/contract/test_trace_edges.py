"""Does a trace have the same spans in every shape, and are its edges those of `APP.calls`?"""

from collections import Counter, defaultdict

import pytest
from aiohttp import ClientSession
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from pydantic import SecretStr

from borough import shapes
from borough.app import GATEWAY
from borough.config import Settings
from borough.stores.sql import Database
from borough_shop.app import APP
from borough_shop.inventory.store import SqlStock, menu
from borough_shop.notifications.store import SqlNotifications
from borough_telemetry.signals import ATTRIBUTES, CAPABILITY, METHOD
from parts import RunningShape, running_shape, settings_with
from recorded import RecordedSpans
from waiting import becomes

SHAPES = shapes.load(APP.calls, APP.shapes)
HEADERS = {"Authorization": "Bearer key-of-ada"}
METHODS = {
    "GET /v1/menu": {("gateway", None), ("inventory", "menu")},
    "PUT /v1/profile": {("gateway", None), ("profiles", "upsert")},
    "POST /v1/orders": {
        ("gateway", None),
        ("orders", "place"),
        ("profiles", "get"),
        ("inventory", "reserve"),
        ("payments", "charge"),
        ("inventory", "commit"),
    },
    "orders.relay": {("orders", None), ("notifications", "deliver")},
}
"""The traces of a journey by their root: capability and method of their spans."""


@pytest.fixture
async def settings(sqlite_url: str) -> Settings:
    """A seeded shop on SQLite; payments do not stretch tokens, and no deadline ends a call."""
    database = Database.open(sqlite_url, "inventory")
    await SqlStock(database).receive(tuple(menu(100)))
    await database.close()
    keys = {"ada": SecretStr("key-of-ada")}
    return settings_with(
        APP,
        store=SecretStr(sqlite_url),
        api_keys=keys,
        pbkdf2_iterations=0,
        deadline_ms=600_000,
        settle_budget_ms=600_000,
    )


async def journey(running: RunningShape, settings: Settings) -> None:
    """Menu, profile, order; and the notification of the customer."""
    profile = {"name": "Ada", "email": "ada@example.org", "card_token": "tok_visa_1"}
    order = {"lines": [{"sku": "espresso", "quantity": 2}]}
    async with ClientSession(headers=HEADERS) as http:
        async with http.get(running.door("/v1/menu")) as answer:
            assert answer.status == 200
        async with http.put(running.door("/v1/profile"), json=profile) as answer:
            assert answer.status == 200
        key = {"Idempotency-Key": "one"}
        async with http.post(running.door("/v1/orders"), json=order, headers=key) as answer:
            assert answer.status == 201, await answer.text()
    database = Database.open(settings.store.get_secret_value(), "notifications")

    async def delivered() -> bool:
        return any(n.text for n in await SqlNotifications(database).ledger())

    try:
        await becomes(delivered)
    finally:
        await database.close()


async def spans_of(shape: shapes.Shape, settings: Settings) -> list[ReadableSpan]:
    exporters: dict[str, RecordedSpans] = defaultdict(RecordedSpans)
    async with running_shape(APP, shape, settings, export=exporters.__getitem__) as running:
        await journey(running, settings)
    return [span for exporter in exporters.values() for span in exporter.get_finished_spans()]


def capability_of(span: ReadableSpan) -> str | None:
    return (span.attributes or {}).get(CAPABILITY)  # type: ignore[return-value]  # a string


def root_of(trace: list[ReadableSpan]) -> ReadableSpan:
    (root,) = [span for span in trace if span.parent is None]
    return root


def methods_of(trace: list[ReadableSpan]) -> set[tuple[object, object]]:
    """Capability and method of each span. A client span belongs to a hop, not to a capability."""
    return {
        (capability_of(span), (span.attributes or {}).get(METHOD))
        for span in trace
        if span.kind is not SpanKind.CLIENT
    }


def edges(spans: list[ReadableSpan]) -> set[tuple[str, str]]:
    """Caller and callee: from each span of a capability up to the nearest span of another."""
    by_id = {span.context.span_id: span for span in spans}
    found = set()
    for span in spans:
        callee = capability_of(span)
        above = by_id.get(span.parent.span_id) if span.parent else None
        while above is not None and capability_of(above) is None:
            above = by_id.get(above.parent.span_id) if above.parent else None
        if callee and above is not None and (caller := capability_of(above)) != callee:
            found.add((str(caller), callee))
    return found


@pytest.mark.parametrize("shape", [*SHAPES, "extract:inventory"])
async def test_edges_of_a_journey_are_the_calls_of_the_wiring(
    shape: str, settings: Settings
) -> None:
    """Parent and child, through hops and local calls alike: every edge of `APP.calls` that begins
    at the doors, and no other.
    """
    spans = await spans_of(shapes.named(shape, SHAPES, APP.calls), settings)
    callers = [GATEWAY]
    for caller in callers:
        callers += sorted(APP.calls[caller] - set(callers))
    assert edges(spans) == {(caller, callee) for caller in callers for callee in APP.calls[caller]}


@pytest.mark.parametrize("shape", SHAPES)
async def test_journey_has_the_same_spans_in_every_shape(shape: str, settings: Settings) -> None:
    """One trace holds all of an order; the delivery is asynchronous, so it has a trace of its own,
    linked to that of the order.
    """
    traces = defaultdict(list)
    for span in await spans_of(SHAPES[shape], settings):
        traces[span.context.trace_id].append(span)
    whole = [trace for trace in traces.values() if not is_failed_delivery(trace)]
    roots = {root_of(trace).name: root_of(trace) for trace in whole}
    assert {root_of(trace).name: methods_of(trace) for trace in whole} == METHODS
    assert len(whole) == len(METHODS)
    door, relay = roots["POST /v1/orders"], roots["orders.relay"]
    assert [link.context.trace_id for link in relay.links] == [door.context.trace_id]


def is_failed_delivery(trace: list[ReadableSpan]) -> bool:
    """A delivery without an answer is repeated in a later trace, with the same spans."""
    tries = [answered(span) for span in trace if span.kind is SpanKind.CLIENT]
    return root_of(trace).name == "orders.relay" and bool(tries) and not any(tries)


def answered(span: ReadableSpan) -> bool:
    """Whether a client span has the status of an answer."""
    return "http.response.status_code" in (span.attributes or {})


async def test_hop_is_one_client_and_one_server_span(settings: Settings) -> None:
    """No span for a chunk of a body, none for a middleware. A try without an answer that was
    repeated is a client span of its own, with one server span or, where no connection was made,
    none.
    """
    spans = await spans_of(SHAPES["microservices"], settings)
    clients = {s.context.span_id: answered(s) for s in spans if s.kind is SpanKind.CLIENT}
    inner = Counter(s.parent.span_id for s in spans if s.kind is SpanKind.SERVER and s.parent)
    assert set(inner.values()) == {1}
    assert {client for client, whole in clients.items() if whole} <= set(inner) <= set(clients)


async def test_every_attribute_of_a_span_is_declared(settings: Settings) -> None:
    """The spans of a journey have the attributes that `signals` lists, and no other."""
    spans = await spans_of(SHAPES["apis"], settings)
    borne = {name for span in spans for name in span.attributes or {}}
    assert borne | {"error.type"} == set(ATTRIBUTES)  # a repeated try ended with an error


async def test_call_within_a_process_is_no_hop(settings: Settings) -> None:
    """Where everything is in one part there is no client span."""
    spans = await spans_of(SHAPES["monolith"], settings)
    assert [s.name for s in spans if s.kind is SpanKind.CLIENT] == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_no_internal_route_answers_on_a_public_port(shape: str, settings: Settings) -> None:
    """A door serves public routes only; those between parts are on the internal port."""
    async with (
        running_shape(APP, SHAPES[shape], settings) as running,
        ClientSession(headers=HEADERS) as http,
    ):
        for url in running.doors.values():
            for contract in APP.contracts.values():
                for endpoint in contract.endpoints.values():
                    async with http.request(endpoint.verb, url + endpoint.path) as answer:
                        assert answer.status == 404, endpoint.name


@pytest.mark.parametrize("shape", SHAPES)
async def test_internal_port_serves_only_what_other_parts_call(
    shape: str, settings: Settings
) -> None:
    """Any other request is answered with 404 and never forwarded."""
    async with running_shape(APP, SHAPES[shape], settings) as running, ClientSession() as http:
        for part in SHAPES[shape].parts:
            served = SHAPES[shape].served_to_others(part, APP.calls)
            assert (part in running.inner) == bool(served)
            for contract in APP.contracts.values():
                for endpoint in contract.endpoints.values() if part in running.inner else ():
                    async with http.request(
                        endpoint.verb, running.inner[part] + endpoint.path
                    ) as answer:
                        hosted = endpoint.capability in served
                        body = await answer.text()
                        assert ("not-hosted" in body) != hosted, (endpoint.name, body)
