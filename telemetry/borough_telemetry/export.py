"""Export of finished spans to a collector: a bounded queue, and a thread that empties it.

A request appends its span and goes on. A span is dropped and counted if the queue is full or a few
tries to send it have failed: export neither delays a request nor takes unbounded memory.
"""

import http.client
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakMethod

from opentelemetry.sdk.resources import Resource
from opentelemetry.util.re import parse_env_headers

from borough_telemetry import protobuf
from borough_telemetry.pages import REST_S
from borough_telemetry.spans import Span

SLICE = 64
"""Spans that are encoded before the thread pauses: about 0.15 ms."""
RETRYABLE = frozenset({429, 502, 503, 504})
"""The statuses after which OTLP allows sending a batch again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How finished spans are queued and sent: numbers of spans, and times in seconds."""

    queue_spans: int = 4_096
    """The queue's length; when it is full, new spans are dropped and counted."""
    batch_spans: int = 512
    """The largest number in one request."""
    wait_s: float = 5
    """The longest wait of a span for others to be sent with."""
    post_s: float = 5
    """The timeout of a request."""
    pauses_s: tuple[float, ...] = (0, 1, 4)
    """The pause before each try of a batch; after the last it is dropped."""
    close_s: float = 4
    """The time to send the remaining spans when a part ends."""


class Lost(Exception):
    """A batch was not accepted; `again` says whether it may be sent again."""

    def __init__(self, sentence: str, *, again: bool) -> None:
        super().__init__(sentence)
        self.again = again


class OtlpExporter:
    """Sends spans to a collector by OTLP/HTTP, over one persistent connection. Headers come from
    OTEL_EXPORTER_OTLP_HEADERS. Only the queue's thread may call it.

    Raises ValueError where `endpoint` is not http(s)://HOST:PORT.
    """

    def __init__(self, endpoint: str, batching: Batching = Batching()) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise ValueError(f"{endpoint!r} is no address of a collector: it is http://HOST:PORT")
        self.batching = batching
        self._url = url
        self._path = f"{url.path.rstrip('/')}/v1/traces"
        given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        self._headers = {
            "content-type": "application/x-protobuf",
            **parse_env_headers(given, liberal=True),
        }
        self._resource = b""
        self.connect()

    def connect(self) -> None:
        """Make a new connection, which opens at its first use. Required after a fork."""
        tls = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        self._connection = kind(
            self._url.hostname or "", self._url.port, timeout=self.batching.post_s
        )

    def send(self, spans: Sequence[Span], resource: Resource) -> int:
        """Returns how many of them were refused. Raises Lost."""
        self._resource = self._resource or protobuf.resource_of(resource.attributes)
        encoded = bytearray()
        for at in range(0, len(spans), SLICE):
            if at:
                time.sleep(REST_S)  # encoding holds the GIL: release it for requests
            encoded += b"".join(map(protobuf.encoded, spans[at : at + SLICE]))
        body = protobuf.request(self._resource, bytes(encoded))
        try:
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self._connection.close()  # the next request opens it again
            raise Lost(f"the collector does not answer: {failure!r}", again=True) from failure
        if answer.status >= 300:  # noqa: PLR2004  # no success
            again = answer.status in RETRYABLE
            raise Lost(f"the collector answered {answer.status}", again=again)
        return protobuf.rejected(content)

    def close(self) -> None:
        """Close the connection; a later `send` opens it again."""
        self._connection.close()


class _Run:
    """The state of a SpanQueue between two closes, in one process."""

    def __init__(self) -> None:
        self.queue: deque[Span] = deque()
        """A span is removed once its result is known; the code that removes it counts it."""
        self.wanted = threading.Event()
        self.closing = threading.Event()
        self.thread: threading.Thread | None = None


@dataclass(eq=False)
class SpanQueue:
    """The queue of one part. `exported` is called with the number of spans that were sent,
    `dropped` with the number that were lost and the reason, on the queue's thread or a request's.
    A line is logged when spans begin to be lost, and when they are sent again.
    """

    exporter: OtlpExporter
    resource: Resource
    exported: Callable[[int], object]
    dropped: Callable[[int, str], object]
    log: Any
    _losing: bool = field(default=False, init=False)
    _run: _Run = field(default_factory=_Run, init=False)

    def __post_init__(self) -> None:
        forked = WeakMethod(self.forked)
        os.register_at_fork(after_in_child=lambda: (call := forked()) and call())

    def put(self, span: Span) -> None:
        """Queue a finished span. Never waits."""
        run = self._run
        waiting, batching = len(run.queue), self.exporter.batching
        if waiting >= batching.queue_spans:
            self.dropped(1, "queue_full")
            return
        run.queue.append(span)
        if run.thread is None:
            run.thread = threading.Thread(target=self._work, args=(run,), name="spans", daemon=True)
            run.thread.start()
        elif waiting == batching.batch_spans:
            run.wanted.set()

    def close(self) -> None:
        """Send the remaining spans within `close_s`, and drop the rest. Blocks. A later span starts
        a new thread.
        """
        run, self._run = self._run, _Run()
        run.closing.set()
        run.wanted.set()
        if run.thread is None:
            self.exporter.close()
            return
        run.thread.join(self.exporter.batching.close_s)
        if lost := _taken(run.queue, self.exporter.batching.queue_spans):
            self._lose(lost, "unreachable", "the part ended before the collector had answered")

    def forked(self) -> None:
        """Start with an empty queue in a child process: the queued spans are the parent's."""
        self._run = _Run()
        self.exporter.connect()

    def _work(self, run: _Run) -> None:
        batch_spans = self.exporter.batching.batch_spans
        while not run.closing.is_set():
            if len(run.queue) <= batch_spans:
                run.wanted.wait(self.exporter.batching.wait_s)
            run.wanted.clear()
            while run.queue:
                self._send(list(islice(run.queue, batch_spans)), run)
        self.exporter.close()

    def _send(self, batch: list[Span], run: _Run) -> None:
        reason, why = "unreachable", ""
        for pause in self.exporter.batching.pauses_s:
            if pause and run.closing.wait(pause):
                break  # the part ends: there is no time for another try
            try:
                refused = min(self.exporter.send(batch, self.resource), len(batch))
            except Lost as lost:
                why = str(lost)
                if not lost.again:
                    reason = "refused"
                    break
            except Exception as failure:  # noqa: BLE001  # the thread must not end
                # without the message, which may contain a header with its key
                reason, why = "refused", f"the exporter failed: {type(failure).__name__}"
                break
            else:
                taken = _taken(run.queue, len(batch))
                self.exported(max(taken - refused, 0))
                if refused:
                    self._lose(min(refused, taken), "refused", "the collector refused some spans")
                elif self._losing:
                    self._losing = False
                    self.log.info("spans are exported again")
                return
        self._lose(_taken(run.queue, len(batch)), reason, why)

    def _lose(self, count: int, reason: str, why: str) -> None:
        if count:
            self.dropped(count, reason)
        if not self._losing:
            self._losing = True
            self.log.warning("spans are lost", reason=reason, cause=why)


def _taken(queue: deque[Span], most: int) -> int:
    """Remove `most` spans, or as many as there are; returns how many."""
    for count in range(most):
        try:
            queue.popleft()
        except IndexError:  # removed by a `close` whose wait ended
            return count
    return most
