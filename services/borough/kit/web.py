"""An app of ours, and what it answers when something is wrong: a problem document, whatever it is.

A door and a part's internal app are the same ordinary FastAPI; they differ in what an unknown path
means. FastAPI's own `max_body_size` answers a declared oversize body in plain text, past every
handler, so the limit is kept here.

Routes that read and write bytes themselves (`Direct`) are served past middleware and routing, which
cost more than all the rest of a hop; the answers are the same, byte for byte.
"""

from http import HTTPStatus
from typing import Any, Protocol, cast, runtime_checkable

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

from borough.contracts.errors import (
    PROBLEM_MEDIA_TYPE,
    BoroughError,
    Internal,
    Malformed,
    NotFound,
    NotHosted,
    Problem,
    TooLarge,
    WrongMediaType,
    WrongMethod,
)
from borough.kit.codec import PROBLEM_CONTENT, SCHEMA_REF, error_of_validation
from borough.kit.telemetry import Telemetry


GONE = "the connection closed before the body had arrived"


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


def problem_response(error: BoroughError, trace_id: str | None = None) -> Response:
    """The error as it travels over HTTP."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="borough"'
    return Response(
        error.problem(trace_id=trace_id).model_dump_json(exclude_defaults=True),
        status_code=error.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def problems(*errors: type[BoroughError]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that may answer with these errors."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in dict.fromkeys(errors):  # each once
        described = responses.setdefault(
            error.status, {"description": "", "content": PROBLEM_CONTENT}
        )
        described["description"] += f"{error.title} (`{error.code}`). "
    return responses


def require_json(headers: Headers) -> None:
    """Raise WrongMediaType unless the body says that it is JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType(f"Content-Type is {media_type or 'missing'}: send application/json")


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name, in lower case; a mapping of all of them costs ten times more."""
    for known, value in scope["headers"]:
        if known == name:
            return cast(bytes, value)
    return None


def trace_id(telemetry: Telemetry) -> str | None:
    """The id of the trace being written, for the caller to quote."""
    traceparent = telemetry.traceparent()
    return traceparent.split("-")[1] if traceparent else None


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


@runtime_checkable
class Direct(Protocol):
    """A route at a path without parameters that turns bytes into bytes by itself."""

    path: str
    methods: set[str]

    async def respond(self, scope: Scope, body: bytes) -> bytes:
        """The answer, as JSON. Raises BoroughError."""
        ...


class _App(FastAPI):
    """FastAPI whose document knows the problem documents that `problems` refers to, and which takes
    the short way to a `Direct` route.
    """

    def __init__(self, *, telemetry: Telemetry, max_body_bytes: int, **more: Any) -> None:
        super().__init__(**more)
        self._telemetry_of_part = telemetry
        self._limit = max_body_bytes
        self._direct: dict[tuple[str, str], Direct] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._direct is None:
            self._direct = {
                (method, route.path): route
                for route in self.routes
                if isinstance(route, Direct) and "{" not in route.path
                for method in route.methods
            }
        route = self._direct.get((scope["method"], scope["path"])) if "method" in scope else None
        if route is None:
            await super().__call__(scope, receive, send)
        else:
            await self._serve(route, scope, receive, send)

    async def _serve(self, route: Direct, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        telemetry = self._telemetry_of_part
        try:
            body = await _body(scope, receive, self._limit)
            content = await route.respond(scope, body)
        except BoroughError as error:
            await problem_response(error, trace_id(telemetry))(scope, receive, send)
        except Exception:  # what nobody expected
            await _defect(telemetry, scope)(scope, receive, send)
        else:
            size = b"%d" % len(content)
            headers = [(b"content-length", size), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})

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
            await _defect(self._telemetry, scope)(scope, receive, send)


def _defect(telemetry: Telemetry, scope: Scope) -> Response:
    """What is said of the exception being handled."""
    telemetry.log.exception("defect", path=scope["path"])
    error = Internal("this is a defect of ours; the trace id finds it in our log")
    return problem_response(error, trace_id(telemetry))


def _too_large(limit: int) -> str:
    return f"the body is larger than the {limit} bytes we take"


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """All of it. Raises TooLarge, and Malformed when the caller hangs up."""
    if int(header_of(scope, b"content-length") or 0) > limit:
        raise TooLarge(_too_large(limit))
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed(GONE)
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(_too_large(limit))
        more = message.get("more_body", False)
    return body


class _BodyLimit:
    """Refuses a larger body: by what it declares before reading any, else while it arrives."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, limit: int) -> None:
        self._app = app
        self._telemetry = telemetry
        self._limit = limit
        self._sentence = _too_large(limit)

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
