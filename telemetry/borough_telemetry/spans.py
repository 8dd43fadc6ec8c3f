"""Spans at low cost: a span has what varies, a shared `Blueprint` what repeats.

A span of the SDK takes about 20 us and its encoding 40 more. Here a request has ids and two times;
name, kind and attributes of all requests of one route and status are in one `Blueprint`. A span
that is not sampled has only its ids, for log lines and the next hop.
"""

import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import getrandbits
from typing import Literal, NamedTuple

Kind = Literal["internal", "server", "client"]
Value = str | int | float | bool
LONGEST_DETAIL = 256
"""The maximum length of a path or a message in a span, in characters."""
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]([0-9a-f])(-.*)?"
)
_ALL_TRACES = 2**64


@dataclass(slots=True, eq=False)
class Blueprint:
    """What spans share. `detail` names the one attribute that varies; `encoded` is set by the
    exporter, since these bytes are the same for every span.
    """

    name: str
    kind: Kind
    attributes: Mapping[str, Value]
    detail: str = ""
    failed: bool = False
    encoded: bytes = b""
    _failures: dict[str, "Blueprint"] = field(default_factory=dict)

    def failing(self, error: str) -> "Blueprint":
        """The same, for spans that ended with an error of this type."""
        known = self._failures.get(error)
        if known is None:
            attributes = {**self.attributes, "error.type": error}
            known = Blueprint(self.name, self.kind, attributes, self.detail, failed=True)
            self._failures[error] = known
        return known


class Cause(NamedTuple):
    """A span of another trace or process, as a traceparent names it. Ids are hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool


class Span:
    """One step of a request. Ids are hexadecimal, times Unix time in ns.

    `sampled` says whether it is recorded here; `flag` is the sampling flag for the next hop. A span
    is made by `root`, `child` or `continued`; a sampled one must be finished.
    """

    __slots__ = (
        "_started", "blueprint", "detail", "end_ns", "flag", "links", "message",
        "parent_id", "remote", "sampled", "span_id", "start_ns", "trace_id",
    )  # fmt: skip  # a table

    blueprint: Blueprint
    end_ns: int

    def __init__(self, trace_id: str, parent_id: str, *, sampled: bool, remote: bool) -> None:
        self.trace_id = trace_id
        self.span_id = f"{getrandbits(64) or 1:016x}"
        self.parent_id = parent_id
        self.sampled = sampled
        self.flag = "01" if sampled else "00"
        self.remote = remote
        self.links: tuple[Cause, ...] = ()
        if sampled:
            self.detail = self.message = ""
            self.start_ns = time.time_ns()
            self._started = time.perf_counter_ns()

    @classmethod
    def root(cls, ratio: float, *links: Cause) -> "Span":
        """The first span of a trace, recorded with probability `ratio`."""
        number = getrandbits(128) or 1
        sampled = ratio > 0 and number % _ALL_TRACES < ratio * _ALL_TRACES
        span = cls(f"{number:032x}", "", sampled=sampled, remote=False)
        span.links = links
        return span

    @classmethod
    def continued(cls, cause: Cause, *, records: bool = True) -> "Span":
        """A child of a span in another process, sampled as that is. Without `records` the cause's
        ids and flag are passed on unchanged, so that the trace has no gap.
        """
        sampled = cause.sampled and records
        span = cls(cause.trace_id, cause.span_id, sampled=sampled, remote=True)
        if cause.sampled and not records:
            span.span_id, span.flag = cause.span_id, "01"
        return span

    def child(self) -> "Span":
        """A step within this one."""
        span = Span(self.trace_id, self.span_id, sampled=self.sampled, remote=False)
        span.flag = self.flag
        return span

    @property
    def traceparent(self) -> str:
        """The value of the W3C header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flag}"

    def finish(self, blueprint: Blueprint, detail: str = "", message: str = "") -> None:
        """End the span now; `message` describes the failure, if any."""
        self.end_ns = self.start_ns + time.perf_counter_ns() - self._started
        self.blueprint = blueprint
        self.detail = detail[:LONGEST_DETAIL]
        self.message = message[:LONGEST_DETAIL]


current: ContextVar[Span | None] = ContextVar("borough_span", default=None)
"""The current span: for logs, the next hop and calls within this process."""


def cause_of(traceparent: str | None) -> Cause | None:
    """Read a W3C traceparent; None if it is invalid, as the standard requires."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    if found[4] and traceparent is not None and traceparent.startswith("00"):
        return None  # version 00 has these four fields and no more
    return Cause(found[1], found[2], int(found[3], 16) & 1 == 1)
