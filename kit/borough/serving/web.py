"""The apps of a part: FastAPI apps whose errors are all problem documents.

Middleware, routing and request objects cost more than all the rest of a hop. A route of a contract
needs none of them, so `_App` looks it up by method and path; FastAPI handles any other request.
Tests check that the responses of both are equal, byte for byte.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import models_json_schema
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from borough.errors import (
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
from borough.transport.calls import ContractRoute, header_of
from borough.transport.codec import JSON, PROBLEM_CONTENT, SCHEMA_REF, error_of_validation
from borough_telemetry import Telemetry

GONE = "the connection closed before the body had arrived"
_DEFECT = "borough.defect"
"""Set in the scope of a request with an unexpected exception."""
_JSON = (b"content-type", JSON.encode())


def make_app(
    title: str, *, telemetry: Telemetry, max_body_bytes: int, internal: bool = False
) -> FastAPI:
    """A FastAPI app whose errors are problem documents with the id of the trace.

    `internal`: a path without a route means a capability that is not hosted here.
    """

    async def known(_: Request, error: BoroughError) -> Response:
        return problem_response(error, telemetry)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # FastAPI puts the part of the request before the location within it
        found = [{**each, "loc": each["loc"][1:] or each["loc"]} for each in error.errors()]
        return await known(request, error_of_validation(found))

    async def gone(request: Request, _: ClientDisconnect) -> Response:
        return await known(request, Malformed(GONE))

    async def plain(request: Request, error: HTTPException) -> Response:
        response = await known(request, _of_http(request, error, internal=internal))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _methods_of(request)
        return response

    async def defect(request: Request, _: Exception) -> Response:
        return _defect_response(telemetry, request.scope)

    handlers = {
        Exception: defect,
        BoroughError: known,
        RequestValidationError: invalid,
        ClientDisconnect: gone,
        HTTPException: plain,
    }
    return _App(title, telemetry, max_body_bytes, handlers)


# -- errors


def problem_response(error: BoroughError, telemetry: Telemetry | None = None) -> Response:
    """The error as a problem document, with the id of the current trace."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="borough"'
    traceparent = telemetry.traceparent() if telemetry else None
    trace_id = traceparent.split("-")[1] if traceparent else None
    return Response(
        error.problem(trace_id=trace_id).model_dump_json(exclude_defaults=True),
        status_code=error.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _defect_response(telemetry: Telemetry, scope: Scope) -> Response:
    """The response to an unexpected exception: it has the trace id only, the log everything."""
    scope[_DEFECT] = True
    telemetry.log.error("defect", path=scope["path"], exc_info=True)  # noqa: LOG014  # called by handlers
    return problem_response(
        Internal("this is a defect of ours; the trace id finds it in our log"), telemetry
    )


def problems(*errors: type[BoroughError]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that may raise these errors."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in dict.fromkeys(errors):  # each once
        described = responses.setdefault(
            error.status, {"description": "", "content": PROBLEM_CONTENT}
        )
        described["description"] += f"{error.title} (`{error.code}`). "
    return responses


def require_json(headers: Headers) -> None:
    """Raise WrongMediaType unless the content type is JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise WrongMediaType(f"Content-Type is {media_type or 'missing'}: send application/json")


def _of_http(request: Request, error: HTTPException, *, internal: bool) -> BoroughError:
    path = request.url.path
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            if internal:
                return NotHosted(f"this part hosts nothing at {path}")
            return NotFound(f"there is nothing at {path}")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = _methods_of(request)
            return WrongMethod(f"{request.method} is not possible at {path}: it takes {allowed}")
        case TooLarge.status:
            return TooLarge(error.detail)
        case _:
            return Malformed("the body cannot be read as JSON")


def _methods_of(request: Request) -> str:
    """The methods of a path; Starlette names those of its first route only."""
    return ", ".join(
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    )


# -- the app


class _App(FastAPI):
    """FastAPI with the schema of problem documents, a limit on bodies, and a fast path to routes of
    contracts without path parameters, as they are at the first request.

    A larger body is refused by its declared length before it is read, else while it arrives;
    FastAPI's `max_body_size` would respond in plain text.
    """

    def __init__(
        self, title: str, telemetry: Telemetry, max_body_bytes: int, handlers: dict[Any, Any]
    ) -> None:
        super().__init__(
            title=title, exception_handlers=handlers, redoc_url=None, redirect_slashes=False
        )
        self._of_part = telemetry
        self._limit = max_body_bytes
        self._direct: dict[tuple[str, str], ContractRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if self._direct is None:
            self._direct = {
                (method, route.path): route
                for route in self.routes
                if isinstance(route, ContractRoute) and "{" not in route.path
                for method in route.methods or ()
            }
        route = self._direct.get((scope["method"], scope["path"]))
        if route is None:
            await self._by_fastapi(scope, receive, send)
            return
        scope["route"] = route
        try:
            body = await self._body(scope, receive)
            content = await route.respond(scope, body)
        except BoroughError as error:
            await problem_response(error, self._of_part)(scope, receive, send)
        except Exception:  # noqa: BLE001  # after any error the caller gets a response
            await _defect_response(self._of_part, scope)(scope, receive, send)
        else:
            headers = [(b"content-length", b"%d" % len(content)), _JSON]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    async def _by_fastapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = int(header_of(scope, b"content-length") or 0)
        if size > self._limit:
            await problem_response(self._too_large(), self._of_part)(scope, receive, send)
            return
        size, begun = 0, False

        async def measured() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                # FastAPI's parser re-raises no other exception
                raise HTTPException(TooLarge.status, self._too_large().detail)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or _DEFECT not in scope
            await send(message)

        try:
            await super().__call__(scope, measured, watched)
        except Exception:  # Starlette re-raises it after the handler
            if begun:  # the client can only notice a truncated response
                raise

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body of a POST; that of a GET is not read. Raises TooLarge, and Malformed when the
        client closes the connection.
        """
        if int(header_of(scope, b"content-length") or 0) > self._limit:
            raise self._too_large()
        if scope["method"] != "POST":
            return b""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Malformed(GONE)
            body += message.get("body", b"")
            if len(body) > self._limit:
                raise self._too_large()
            more = message.get("more_body", False)
        return body

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than the {self._limit} bytes we take")

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        _, definitions = models_json_schema([(Problem, "validation")], ref_template=SCHEMA_REF)
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        return document
