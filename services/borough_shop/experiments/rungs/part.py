"""A part whose boundaries implement a rung, which a signal changes.

The public app has its telemetry on every rung, as in the shipped monolith: T0 is the shipped
monolith and T6 the shipped part of any other shape, both with no request traced. Calls within a
part are direct on every rung but T1.
"""

import time
from collections.abc import Awaitable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from borough.app import App
from borough.capability import Capability, Endpoint, Message
from borough.compose import PartBuilder
from borough.compose import build as compose
from borough.config import Settings
from borough.errors import BoroughError, Unavailable
from borough.serving.lifecycle import Part
from borough.transport.calls import remote
from borough.transport.client import CONTENT_TYPE
from borough.transport.codec import (
    decode_body,
    decode_response,
    decode_strings,
    dump,
    encode_request,
)
from borough.transport.wire import BrokenAnswer, NoAnswer, Pool
from borough_shop.app import APP
from borough_shop.experiments.rungs.ladder import RUNGS, Standing, Switch
from borough_telemetry import ClientCall, Telemetry
from borough_telemetry.signals import Signal

C = TypeVar("C", bound=Capability)
PLAIN_TIMEOUT_S = 60.0
"""The timeout of a plain call, which has no deadline."""


class Coded:
    """T1: an object in this process, with encoded messages and results."""

    def __init__(self, contract: type[Capability], service: Any) -> None:
        self._service = service
        self._paths = {
            endpoint.method: compile_path(endpoint.path)[0]
            for endpoint in contract.endpoints.values()
        }

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        target, body = encode_request(endpoint, message)
        if endpoint.verb == "POST":
            question = decode_body(endpoint, body)
        else:
            question = decode_strings(endpoint, self._strings(endpoint, target))
        try:
            answer: Message = await getattr(self._service, endpoint.method)(question)
        except BoroughError as error:
            problem = error.problem().model_dump_json(exclude_defaults=True)
            return decode_response(endpoint, error.status, problem.encode())
        return decode_response(endpoint, 200, dump(answer))

    def _strings(self, endpoint: Endpoint, target: str) -> dict[str, str]:
        """The fields of a path and its query, as a router parses them."""
        path, _, query = target.partition("?")
        found = self._paths[endpoint.method].match(path)
        fields = found.groupdict() if found else {}
        return dict(parse_qsl(query, keep_blank_values=True)) | {
            name: unquote(value) for name, value in fields.items()
        }


class Plain:
    """T3: the same bytes over TCP, to one address, without retry, breaker or deadline."""

    def __init__(self, url: str, wire: Pool) -> None:
        self._url = url
        self._wire = wire

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        target, body = encode_request(endpoint, message)
        headers = CONTENT_TYPE if body else ""
        until = time.monotonic() + PLAIN_TIMEOUT_S
        try:
            answer = await self._wire.ask(endpoint.verb, self._url, target, headers, body, until)
        except (NoAnswer, BrokenAnswer, TimeoutError) as failure:
            raise Unavailable(f"{endpoint.name} does not answer") from failure
        return decode_response(endpoint, answer.status, answer.body)


class Unwatched:
    """T5: a Telemetry that counts nothing and traces nothing."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.log = telemetry.log

    def count(self, signal: Signal, **labels: str) -> None:
        """Nothing is counted."""

    def client_call(self, endpoint: Endpoint) -> AbstractContextManager[ClientCall]:
        """Nothing is timed."""
        return nullcontext(ClientCall())


class RungBuilder(PartBuilder):
    """A part whose boundaries are those of the current rung, `standing`."""

    def __init__(
        self, app: App, settings: Settings, telemetry: Telemetry, *, standing: Standing
    ) -> None:
        super().__init__(app, settings, telemetry)
        self.standing = standing

    def local(self, contract: type[C], service: C) -> C:
        direct = super().local(contract, service)
        coded = remote(contract, Coded(contract, direct))
        return self._by_rung(contract, {"T1": coded}, otherwise=direct)

    def remote(self, contract: type[C], *, from_door: bool) -> C:
        self.standing.needs_network()
        plain = Plain(self.settings.peers[contract.name][0], self.wire)
        unwatched = cast(Telemetry, Unwatched(self.telemetry))
        resilient = self.peer(contract.name, unwatched, from_door=from_door)
        return self._by_rung(
            contract,
            {"T3": remote(contract, plain), "T5": remote(contract, resilient)},
            otherwise=super().remote(contract, from_door=from_door),
        )

    def watched(self, app: ASGIApp, part: str) -> ASGIApp:
        self.standing.needs_network()
        standing, as_shipped = self.standing, super().watched(app, part)
        by_rung = tuple(app if rung in ("T3", "T5") else as_shipped for rung in RUNGS)

        def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            return by_rung[standing.index](scope, receive, send)

        return serve

    def _by_rung(self, contract: type[C], boundaries: dict[str, C], *, otherwise: C) -> C:
        """Every call uses the boundary of the current rung, with two look-ups per call."""
        standing = self.standing

        def caller(method: str) -> Any:
            calls = tuple(getattr(boundaries.get(rung, otherwise), method) for rung in RUNGS)

            def call(message: Message) -> Awaitable[Message]:
                return cast(Awaitable[Message], calls[standing.index](message))

            return call

        return cast(C, SimpleNamespace(**{name: caller(name) for name in contract.endpoints}))


async def build(
    settings: Settings,
    hosted: Collection[str],
    rung: str,
    *,
    app: App = APP,
    builder: type[RungBuilder] = RungBuilder,
) -> Part:
    """Put a part together whose rung follows the signals. Raises as `compose.build` does, and
    WrongSettings if the part cannot use that rung.
    """
    standing = Standing(rung)
    part = await compose(app, settings, hosted, builder=partial(builder, standing=standing))
    switch = Switch(standing, part.telemetry)
    switch.facts.update(part.facts)
    switch.listen()
    return replace(part, facts=switch.facts)
