"""An app of ours, and what it answers when something is wrong: a problem document, whatever it is.

A door and a part's internal app are the same ordinary FastAPI; they differ in what an unknown path
means. FastAPI's own `max_body_size` answers a declared oversize body in plain text, past every
handler, so the limit is kept here.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import models_json_schema
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borough.errors import (
    BoroughError,
    Malformed,
    NotFound,
    NotHosted,
    Problem,
    TooLarge,
    WrongMediaType,
    WrongMethod,
)
from borough.serving.direct import GONE, ShortWay, too_large
from borough.serving.problems import defect_response, problem_response, trace_id
from borough.transport.codec import SCHEMA_REF, error_of_validation
from borough_telemetry import Telemetry


def make_app(
    title: str,
    *,
    telemetry: Telemetry,
    max_body_bytes: int,
    internal: bool = False,
) -> FastAPI:
    """A FastAPI whose every error is a problem document bearing the id of its trace.

    `internal`: a path without a route means a capability that is not hosted here.
    """
    app = _App(
        telemetry=telemetry,
        max_body_bytes=max_body_bytes,
        title=title,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(_Defects, telemetry=telemetry),
            Middleware(_BodyLimit, telemetry=telemetry, limit=max_body_bytes),
        ],
    )

    async def known(_: Request, error: BoroughError) -> Response:
        return problem_response(error, trace_id(telemetry))

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = [{**each, "loc": _within(each["loc"])} for each in error.errors()]
        return await known(request, error_of_validation(found))

    async def gone(request: Request, _: ClientDisconnect) -> Response:
        return await known(request, Malformed(GONE))

    async def plain(request: Request, error: HTTPException) -> Response:
        response = await known(request, _of_http(request, error, internal=internal))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_methods_of(request))
        return response

    handlers = {
        BoroughError: known,
        RequestValidationError: invalid,
        ClientDisconnect: gone,
        HTTPException: plain,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # wants every Exception
    return app


def require_json(headers: Headers) -> None:
    """Raise WrongMediaType unless the body says that it is JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType(f"Content-Type is {media_type or 'missing'}: send application/json")


def _of_http(request: Request, error: HTTPException, *, internal: bool) -> BoroughError:
    path = request.url.path
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            if internal:
                return NotHosted(f"this part hosts nothing at {path}")
            return NotFound(f"there is nothing at {path}")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(_methods_of(request))
            return WrongMethod(f"{request.method} is not possible at {path}: it takes {allowed}")
        case TooLarge.status:
            return TooLarge(error.detail)
        case _:
            return Malformed("the body cannot be read as JSON")


def _methods_of(request: Request) -> list[str]:
    """What the path does take; Starlette names the methods of its first route only."""
    methods = ("DELETE", "GET", "PATCH", "POST", "PUT")
    return [
        method
        for method in methods
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    ]


def _within(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where a value stands, without the part of the request FastAPI puts before it."""
    return location[1:] or location


class _App(FastAPI):
    """FastAPI whose document knows the problem documents that `problems` refers to, and which takes
    the short way to a `Direct` route.
    """

    def __init__(self, *, telemetry: Telemetry, max_body_bytes: int, **more: Any) -> None:
        super().__init__(**more)
        self._short_way = ShortWay(self, telemetry, max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._short_way.route(scope)
        if route is None:
            await super().__call__(scope, receive, send)
        else:
            await self._short_way.serve(route, scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        _, definitions = models_json_schema([(Problem, "validation")], ref_template=SCHEMA_REF)
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        return document


class _Defects:
    """An exception nobody expected: the caller gets a trace id, the log gets the rest."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            if started or scope["type"] != "http":
                raise
            await defect_response(self._telemetry, scope["path"])(scope, receive, send)


class _BodyLimit:
    """Refuses a larger body: by what it declares before reading any, else while it arrives."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, limit: int) -> None:
        self._app = app
        self._telemetry = telemetry
        self._limit = limit
        self._sentence = too_large(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if int(Headers(scope=scope).get("content-length", 0)) > self._limit:
            refusal = problem_response(TooLarge(self._sentence), trace_id(self._telemetry))
            await refusal(scope, receive, send)
            return
        size = 0

        async def measured() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                # FastAPI lets no other exception out of its parser
                raise HTTPException(TooLarge.status, self._sentence)
            return message

        await self._app(scope, measured, send)
