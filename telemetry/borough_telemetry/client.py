"""The client's side of a hop: its span, its duration, and what the callee told of its own time."""

import re
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from borough_telemetry.metrics import Histogram, Metrics
from borough_telemetry.signals import CLIENT_DURATION, HOP_HANDLER, HOP_SERVER, METHOD
from borough_telemetry.spans import Blueprint, Span, current

if TYPE_CHECKING:
    from borough_telemetry.part import Telemetry

_MS = rb"(\d{1,9}(?:\.\d{1,9})?)(?![\d.])"
_SERVER_TIMING = re.compile(rb"(?:^|,\s*)(?:handler;dur=" + _MS + rb", )?server;dur=" + _MS)
_ERRORS = 400


class Endpoint(Protocol):
    """What is called: a method of a peer, and how HTTP carries it. It is hashable."""

    @property
    def capability(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def verb(self) -> str: ...


class ClientCall:
    """One try of a call, for as long as it lasts: what must travel with it, and what came back.

    `traceparent` is the header's value, empty for none; `url` is what was asked; `status` is 0
    where no answer came; `server_timing` is the header of the answer.
    """

    __slots__ = ("server_timing", "status", "traceparent", "url")

    def __init__(self) -> None:
        self.traceparent = ""
        self.url = ""
        self.status = 0
        self.server_timing = b""


class Traffic:
    """What all calls of one endpoint have in common: their series and their blueprints."""

    def __init__(self, endpoint: Endpoint, metrics: Metrics) -> None:
        self._endpoint = endpoint
        self._durations = metrics[CLIENT_DURATION]
        self._by_status: dict[int, tuple[Histogram, Blueprint]] = {}
        names = endpoint.capability, endpoint.method
        self.handler = metrics[HOP_HANDLER].labels(*names)
        self.server = metrics[HOP_SERVER].labels(*names)

    def of(self, status: int) -> tuple[Histogram, Blueprint]:
        """The series and the blueprint of the calls that were answered so."""
        known = self._by_status.get(status)
        if known is None:
            known = self._by_status[status] = self._new(status)
        return known

    def _new(self, status: int) -> tuple[Histogram, Blueprint]:
        endpoint = self._endpoint
        attributes: dict[str, str | int] = {
            "http.request.method": endpoint.verb,
            "borough.peer": endpoint.capability,
            METHOD: endpoint.method,
        }
        if status:
            attributes["http.response.status_code"] = status
        if status >= _ERRORS:
            attributes["error.type"] = str(status)
        blueprint = Blueprint(
            endpoint.name, "client", attributes, detail="url.full", failed=status >= _ERRORS
        )
        labels = endpoint.capability, endpoint.method, str(status)
        return self._durations.labels(*labels), blueprint


class WatchedCall(ClientCall):
    """Begins before the message is encoded and ends after the answer is decoded, so that the hop's
    whole tax lies between it and the callee's own time.
    """

    __slots__ = ("_span", "_started", "_telemetry", "_traffic")

    _span: Span
    _started: float

    def __init__(self, telemetry: "Telemetry", traffic: Traffic) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._traffic = traffic

    def __enter__(self) -> Self:
        above = current.get()
        if above is None or above.sampled:
            self._span = self._telemetry.begin()
        else:
            self._span = above  # no step of an unrecorded trace needs an id of its own
        self.traceparent = self._span.traceparent
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        duration = time.perf_counter() - self._started
        histogram, blueprint = self._traffic.of(self.status)
        span = self._span
        if self.server_timing:
            self._add_callee(self.server_timing)
        if not span.sampled:
            histogram.observe(duration)
            return
        histogram.observe(duration, span.exemplar)
        if kind is None:
            span.finish(blueprint, self.url)
        else:
            failed = blueprint if blueprint.failed else blueprint.failing(kind.__name__)
            span.finish(failed, self.url, str(error))
        self._telemetry.keep(span)

    def _add_callee(self, told: bytes) -> None:
        """Sum up what Server-Timing says; of a proxy's own words nothing is understood."""
        found = _SERVER_TIMING.search(told)
        if found is None:
            return
        handler, server = found.groups()
        self._traffic.server.inc(float(server) / 1_000)
        if handler is not None:
            self._traffic.handler.inc(float(handler) / 1_000)
