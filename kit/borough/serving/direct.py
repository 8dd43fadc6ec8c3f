"""The short way to a route that turns bytes into bytes by itself.

Middleware, routing and request objects cost more than all the rest of a hop. A contract's route
needs none of them, so it is looked up by method and path; whatever is not found goes the long way,
through FastAPI. Tests hold both to the same answers, byte for byte.
"""

from typing import Protocol, runtime_checkable

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from borough.errors import BoroughError, Malformed, TooLarge
from borough.serving.problems import defect_response, problem_response, trace_id
from borough.transport.calls import header_of
from borough.transport.codec import JSON
from borough_telemetry import Telemetry

GONE = "the connection closed before the body had arrived"
_JSON = (b"content-type", JSON.encode())


@runtime_checkable
class Direct(Protocol):
    """A route at a path without parameters that turns bytes into bytes by itself."""

    path: str
    methods: set[str]

    async def respond(self, scope: Scope, body: bytes) -> bytes:
        """The answer, as JSON. Raises BoroughError."""
        ...


class ShortWay:
    """To the `Direct` routes of an app, as they are when the first request comes."""

    def __init__(self, app: FastAPI, telemetry: Telemetry, max_body_bytes: int) -> None:
        self._app = app
        self._telemetry = telemetry
        self._limit = max_body_bytes
        self._routes: dict[tuple[str, str], Direct] | None = None

    def route(self, scope: Scope) -> Direct | None:
        """Whose request it is, where the short way leads there."""
        if scope["type"] != "http":
            return None
        if self._routes is None:
            self._routes = {
                (method, route.path): route
                for route in self._app.routes
                if isinstance(route, Direct) and "{" not in route.path
                for method in route.methods
            }
        return self._routes.get((scope["method"], scope["path"]))

    async def serve(self, route: Direct, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        scope["route"] = route
        try:
            body = await _body(scope, receive, self._limit)
            content = await route.respond(scope, body)
        except BoroughError as error:
            await problem_response(error, trace_id(self._telemetry))(scope, receive, send)
        except Exception:  # noqa: BLE001  # what nobody expected, told in full by our log
            await defect_response(self._telemetry, scope["path"])(scope, receive, send)
        else:
            headers = [(b"content-length", b"%d" % len(content)), _JSON]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content})


def too_large(limit: int) -> str:
    """What is said of a larger body."""
    return f"the body is larger than the {limit} bytes we take"


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """All of it; that of a read is left where it is. Raises TooLarge, and Malformed when the caller
    hangs up.
    """
    if int(header_of(scope, b"content-length") or 0) > limit:
        raise TooLarge(too_large(limit))
    if scope["method"] != "POST":
        return b""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed(GONE)
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(too_large(limit))
        more = message.get("more_body", False)
    return body
