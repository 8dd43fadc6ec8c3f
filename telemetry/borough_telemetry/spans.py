"""Spans, made to be cheap: what varies is kept by request, what repeats is shared and kept once.

A stock SDK span costs some 20 us and its encoding 40 more. Here a request carries ids and two
moments; name, kind and attributes of all requests of one route and status stand in one `Blueprint`.
An unsampled span is its ids alone: what a log line and the next hop need.
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
"""Characters of a path or a message that a span keeps."""
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]([0-9a-f])(-.*)?"
)
_ALL_TRACES = 2**64


@dataclass(slots=True, eq=False)
class Blueprint:
    """What the spans of one kind have in common. `detail` names the one attribute that varies.

    `encoded` is the exporter's: these bytes are the same for every span.
    """

    name: str
    kind: Kind
    attributes: Mapping[str, Value]
    detail: str = ""
    failed: bool = False
    encoded: bytes = b""
    _failures: dict[str, "Blueprint"] = field(default_factory=dict)

    def failing(self, error: str) -> "Blueprint":
        """The same, of spans that ended with an error of this type."""
        known = self._failures.get(error)
        if known is None:
            attributes = {**self.attributes, "error.type": error}
            known = Blueprint(self.name, self.kind, attributes, self.detail, failed=True)
            self._failures[error] = known
        return known


class Cause(NamedTuple):
    """A span of another trace or another process: what a traceparent says. Ids are hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool


class Span:
    """One step of one request, under way or finished. Ids are hexadecimal, moments Unix time in ns.

    `sampled` says whether it is recorded here, `flag` what the next hop is told.
    Made by `root`, `child` or `continued`; whoever made it calls `finish` where it is sampled.
    """

    __slots__ = (
        "_started",
        "blueprint",
        "detail",
        "end_ns",
        "flag",
        "links",
        "message",
        "parent_id",
        "remote",
        "sampled",
        "span_id",
        "start_ns",
        "trace_id",
    )  # fmt: skip  # one glance

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
        """The first of a trace, which is recorded in so large a share of cases."""
        number = getrandbits(128) or 1
        sampled = ratio > 0 and number % _ALL_TRACES < ratio * _ALL_TRACES
        span = cls(f"{number:032x}", "", sampled=sampled, remote=False)
        span.links = links
        return span

    @classmethod
    def continued(cls, cause: Cause, *, records: bool = True) -> "Span":
        """What another process asked for: in its trace, recorded if it says so. Who records nothing
        passes on what came, so that the trace has no hole.
        """
        sampled = cause.sampled and records
        span = cls(cause.trace_id, cause.span_id, sampled=sampled, remote=True)
        if cause.sampled and not records:
            span.span_id, span.flag = cause.span_id, "01"
        return span

    def child(self) -> "Span":
        """A step of this one."""
        span = Span(self.trace_id, self.span_id, sampled=self.sampled, remote=False)
        span.flag = self.flag
        return span

    @property
    def traceparent(self) -> str:
        """As it travels."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flag}"

    @property
    def exemplar(self) -> tuple[int, int]:
        """Trace and span, as numbers."""
        return int(self.trace_id, 16), int(self.span_id, 16)

    def finish(self, blueprint: Blueprint, detail: str = "", message: str = "") -> None:
        """It ends now. `message` says what went wrong."""
        self.end_ns = self.start_ns + time.perf_counter_ns() - self._started
        self.blueprint = blueprint
        self.detail = detail[:LONGEST_DETAIL]
        self.message = message[:LONGEST_DETAIL]


current: ContextVar[Span | None] = ContextVar("borough_span", default=None)
"""The span under way, for logs, for the next hop and for what is called in this process."""


def cause_of(traceparent: str | None) -> Cause | None:
    """Read a W3C traceparent; None where it is none, as the standard demands."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    if found[4] and traceparent is not None and traceparent.startswith("00"):
        return None  # version 00 has these four fields and no more
    return Cause(found[1], found[2], int(found[3], 16) & 1 == 1)
