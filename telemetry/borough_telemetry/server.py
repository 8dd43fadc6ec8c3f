"""The server's side of a request, in one pass: its span, its duration, its log line.

It ends with the last byte of the answer: work that goes on in the background is nobody's waiting.
The head of an answer to a trusted caller bears `Server-Timing`, so that it can tell the hop from
the work; to a stranger, our time to the microsecond would tell what our secrets cost.
"""

import random
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borough_telemetry.metrics import Histogram
from borough_telemetry.routes import Templates
from borough_telemetry.signals import CAPABILITY, METHOD, SERVER_DURATION, UNMATCHED
from borough_telemetry.spans import Blueprint, Span, cause_of, current

if TYPE_CHECKING:
    from borough_telemetry.part import Telemetry

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
OTHER = "_OTHER"
"""What the semantic conventions call any other method."""
HANDLER = "borough.handler_s"
"""Where a route leaves, in its scope, the seconds it spent in the business."""
_DEFECTS = 500


class Common(NamedTuple):
    """What requests of one method, route and status share."""

    template: str
    duration: Histogram
    blueprint: Blueprint


class Middleware:
    """Around one app of a part. Keeps what requests of one route and status have in common."""

    def __init__(
        self,
        app: ASGIApp,
        telemetry: "Telemetry",
        capability: str,
        *,
        trusted: bool,
        templates: Templates,
    ) -> None:
        self.telemetry = telemetry
        self._app = app
        self._capability = capability
        self.trusted = trusted
        self._templates = templates
        self._known: dict[tuple[str, str, int, bool], Common] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self.span_of(scope["headers"])
        exchange = _Exchange(self, scope, send, span)
        token = current.set(span)
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            if not exchange.ended:
                exchange.end()
            current.reset(token)

    def span_of(self, headers: list[tuple[bytes, bytes]]) -> Span:
        """The span of a request that has just come. Two contexts are none, as the standard says."""
        told = [value for name, value in headers if name == b"traceparent"]
        cause = cause_of(told[0].decode("latin-1")) if len(told) == 1 else None
        if cause is not None and self.trusted:
            return Span.continued(cause, records=self.telemetry.records)
        return self.telemetry.root(*((cause,) if cause else ()))

    def common(self, scope: Scope, status: int) -> Common:
        """Bounded, since methods, routes and statuses are."""
        method = scope["method"]
        if method not in METHODS:
            method = OTHER
        key = method, self._templates.of(scope), status, scope["scheme"] == "https"
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._new(*key, scope.get("route"))
        return known

    def _new(self, method: str, template: str, status: int, tls: bool, route: Any) -> Common:  # noqa: FBT001  # a part of the key
        contract = getattr(route, "contract", None)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.scheme": "https" if tls else "http",
            CAPABILITY: self._capability if contract is None else contract.capability,
        }
        if contract is not None:
            attributes[METHOD] = contract.method
        if template != UNMATCHED:
            attributes["http.route"] = template
        if status >= _DEFECTS:
            attributes["error.type"] = str(status)
        name = "HTTP" if method == OTHER else method
        blueprint = Blueprint(
            name if template == UNMATCHED else f"{name} {template}",
            "server",
            attributes,
            detail="url.path",
            failed=status >= _DEFECTS,
        )
        durations = self.telemetry.metrics[SERVER_DURATION]
        return Common(template, durations.labels(method, template, str(status)), blueprint)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_middleware", "_scope", "_send", "_started", "_status", "ended", "span")

    def __init__(self, middleware: Middleware, scope: Scope, send: Send, span: Span) -> None:
        self.span = span
        self._middleware = middleware
        self._scope = scope
        self._send = send
        self._status = 500  # what a server answers where the app does not
        self.ended = False
        self._started = time.perf_counter()
        middleware.telemetry.active += 1

    def send(self, message: Message) -> Awaitable[None]:
        """What the app sends, on its way out."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            if self._middleware.trusted:
                told = (b"server-timing", self._timing())
                message = {**message, "headers": [*message.get("headers", ()), told]}
        elif kind == "http.response.body" and not message.get("more_body", False):
            return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        await self._send(message)
        self.end()

    def _timing(self) -> bytes:
        server = (time.perf_counter() - self._started) * 1_000
        handler = self._scope.get(HANDLER)
        if handler is None:
            return b"server;dur=%.3f" % server
        return b"handler;dur=%.3f, server;dur=%.3f" % (handler * 1_000, server)

    def end(self, error: BaseException | None = None) -> None:
        """Once: with the last byte, or else when the app returns or fails."""
        if self.ended:
            return
        self.ended = True
        duration = time.perf_counter() - self._started
        telemetry, span = self._middleware.telemetry, self.span
        telemetry.active -= 1
        common = self._middleware.common(self._scope, self._status)
        if span.sampled:
            common.duration.observe(duration, span.exemplar)
            blueprint = common.blueprint
            if error is not None:
                blueprint = blueprint.failing(type(error).__name__)
            span.finish(blueprint, self._scope["path"], "" if error is None else str(error))
            telemetry.keep(span)
        else:
            common.duration.observe(duration)
        if self._status >= _DEFECTS or telemetry.access_log > random.random():  # noqa: S311  # a sample, no secret
            self._log(common.template, duration)

    def _log(self, template: str, duration: float) -> None:
        log = self._middleware.telemetry.log
        (log.error if self._status >= _DEFECTS else log.info)(
            "request",
            method=self._scope["method"],
            route=template,
            status=self._status,
            duration_ms=round(duration * 1_000, 3),
        )
