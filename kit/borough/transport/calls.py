"""Both ends of a call, from one declaration: the route that serves a capability and its caller.

`local` awaits the object in this process. `remote` passes the message to a `Transport`. For
business code there is no difference: both raise the same errors.
"""

import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar, cast

from fastapi import FastAPI, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Scope

from borough import deadline
from borough.capability import Capability, Endpoint, Message
from borough.errors import BoroughError, DeadlineExceeded, Internal, Malformed
from borough.transport.codec import JSON, PROBLEM_CONTENT, decode_body, decode_strings, dump
from borough_telemetry import HANDLER, Telemetry

C = TypeVar("C", bound=Capability)
Call = Callable[[Message], Awaitable[Message]]


class Transport(Protocol):
    """Sends one message to a peer and returns the response, or raises a BoroughError."""

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        """Call within the current deadline."""
        ...


def remote(capability: type[C], transport: Transport) -> C:
    """A capability that another part hosts."""

    def caller(endpoint: Endpoint) -> Call:
        async def call(message: Message) -> Message:
            return await transport.call(endpoint, message)

        return call

    return _proxy(capability, caller)


def local(capability: type[C], service: C, telemetry: Telemetry) -> C:
    """A capability that this part hosts: no copy, no timeout, no retry, and a span only where the
    request is recorded.
    """

    def caller(endpoint: Endpoint) -> Call:
        method: Call = getattr(service, endpoint.method)

        async def call(message: Message) -> Message:
            try:
                if not telemetry.sampled():
                    return await method(message)
                with telemetry.local_call(endpoint):
                    return await method(message)
            except BoroughError:
                raise
            except Exception as error:
                telemetry.log.exception("call failed", call=endpoint.name)
                raise Internal(f"{endpoint.name} failed") from error

        return call

    return _proxy(capability, caller)


def _proxy(capability: type[C], caller: Callable[[Endpoint], Call]) -> C:
    calls = {name: caller(endpoint) for name, endpoint in capability.endpoints.items()}
    return cast(C, SimpleNamespace(**calls))


def mount(app: FastAPI, capability: type[C], service: C) -> None:
    """Serve every method of the capability, each at its declared path. Raises TypeError for an app
    with dependencies: these routes would not call them.
    """
    if app.router.dependencies:
        raise TypeError(f"{capability.name} takes its messages and nothing more: no dependencies")
    for endpoint in capability.endpoints.values():
        app.router.routes.append(ContractRoute(endpoint, getattr(service, endpoint.method)))


class ContractRoute(APIRoute):
    """A FastAPI route in the OpenAPI document; at run time pydantic reads and writes the message
    without FastAPI's dependencies.
    """

    def __init__(self, endpoint: Endpoint, method: Call) -> None:
        self.contract = endpoint
        self._method = method
        super().__init__(
            endpoint.path,
            _signature_of(endpoint),
            methods=[endpoint.verb],
            name=endpoint.name,
            description=endpoint.summary,
            tags=[endpoint.capability],
            response_model=endpoint.response,
            responses={
                422: {"content": PROBLEM_CONTENT, "description": "The message breaks a rule."},
                "default": {"content": PROBLEM_CONTENT, "description": "Any other error."},
            },
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            body = await request.body() if self.contract.verb == "POST" else b""
            return Response(await self.respond(request.scope, body), media_type=JSON)

        return handle

    async def respond(self, scope: Scope, body: bytes) -> bytes:
        """The response of the service as JSON; its duration is put into the scope, in seconds."""
        endpoint = self.contract
        with deadline.within(_granted(scope, endpoint)):
            if endpoint.verb == "POST":
                message = decode_body(endpoint, body)
            else:
                query = QueryParams(scope["query_string"])
                message = decode_strings(endpoint, {**query, **scope.get("path_params", {})})
            start = time.perf_counter()
            try:
                answer = await self._method(message)
            finally:
                scope[HANDLER] = time.perf_counter() - start
        return dump(answer)


_HEADER = deadline.HEADER.encode()
UNBOUNDED_S = 60.0
"""The deadline of a request without one, such as curl's."""


def _granted(scope: Scope, endpoint: Endpoint) -> float:
    """The caller's remaining seconds. Raises Malformed, and DeadlineExceeded if there are none."""
    header = header_of(scope, _HEADER)
    if header is None:
        return UNBOUNDED_S
    if not header.isdigit():
        value = header.decode("latin-1")
        raise Malformed(f"{deadline.HEADER}: {value!r} is not a count of milliseconds")
    if not header.strip(b"0"):
        raise DeadlineExceeded(f"the deadline was spent before {endpoint.name} began")
    return int(header[:12]) / 1_000


def _signature_of(endpoint: Endpoint) -> Callable[..., Any]:
    """A function from which FastAPI makes the OpenAPI document; it is never called."""

    def documented() -> None:
        raise AssertionError(endpoint.name)

    def parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )

    if endpoint.verb == "POST":
        parameters = [parameter("message", endpoint.request, inspect.Parameter.empty)]
    else:
        parameters = [
            parameter(name, field.annotation, Path() if name in endpoint.path_fields else
                      Query(default=field.get_default()) if not field.is_required() else Query())
            for name, field in endpoint.request.model_fields.items()
        ]  # fmt: skip  # one rule a line
    documented.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
    return documented


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name, in lower case. A dict of all costs ten times as much."""
    for known, value in scope["headers"]:
        if known == name:
            return cast(bytes, value)
    return None
