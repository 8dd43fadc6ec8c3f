"""Finished spans on their way out: a bounded queue, and a thread that empties it.

Nothing here can slow a request down or take memory without end. A request appends and goes on; what
finds no room, and what no collector took in a few tries, is dropped and counted.
"""

import http.client
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

from borough.kit.telemetry import protobuf
from borough.kit.telemetry.readable import readable
from borough.kit.telemetry.spans import Span

BOUND = 4_096
"""Spans that wait at most; beyond, the new ones are dropped."""
BATCH = 512
EVERY_S = 5.0
"""A span waits no longer than this for others to travel with."""
SLICE = 64
"""Spans encoded at a stretch: about 0.15 ms."""
REST_S = 0.0002
"""Between two slices; to offer the lock without sleeping is to take it back before anybody woke."""
POST_S = 5.0
"""A collector gets so long to take a batch."""
PAUSES_S = (0.0, 1.0, 4.0)
"""Before each try of a batch; after the last it is given up. The first repeats nothing."""
NOT_NOW = frozenset({429, 502, 503, 504})
"""Statuses after which the standard allows to send a batch again."""
CLOSE_S = 4.0
"""What is left when a part ends is given so long."""


class Lost(Exception):
    """A batch that was not taken; `again` says whether a second try makes sense."""

    def __init__(self, sentence: str, *, again: bool) -> None:
        super().__init__(sentence)
        self.again = again


class Sink(Protocol):
    """Where batches go. Called on the thread of the queue, and nowhere else."""

    def send(self, spans: Sequence[Span], resource: Resource) -> None:
        """Raises Lost."""
        ...

    def close(self) -> None:
        """Nothing comes any more."""
        ...


class Otlp:
    """Sends spans to a collector by OTLP/HTTP, over one connection that is kept. `endpoint` is
    http(s)://HOST:PORT; headers come from OTEL_EXPORTER_OTLP_HEADERS, as everywhere.
    """

    def __init__(self, endpoint: str) -> None:
        url = urlsplit(endpoint)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname or "", url.port, timeout=POST_S)
        self._path = f"{url.path.rstrip('/')}/v1/traces"
        given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        self._headers = {
            "content-type": "application/x-protobuf",
            **parse_env_headers(given, liberal=True),
        }
        self._resource = b""

    def send(self, spans: Sequence[Span], resource: Resource) -> None:
        self._resource = self._resource or protobuf.resource_of(resource.attributes)
        body = protobuf.request(self._resource, _encoded_without_haste(spans))
        try:
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self._connection.close()  # the next request opens it anew
            raise Lost(f"the collector does not answer: {failure!r}", again=True) from failure
        if answer.status >= 300:  # noqa: PLR2004  # where success ends
            raise Lost(f"the collector answered {answer.status}", again=answer.status in NOT_NOW)

    def close(self) -> None:
        self._connection.close()


def _encoded_without_haste(spans: Sequence[Span]) -> bytes:
    """Encoding holds the interpreter's lock, and whoever waits for it is a request."""
    found = bytearray()
    for at in range(0, len(spans), SLICE):
        if at:
            time.sleep(REST_S)
        found += b"".join(map(protobuf.encoded, spans[at : at + SLICE]))
    return bytes(found)


class Sdk:
    """Hands spans to an exporter of the OpenTelemetry SDK, as its own ReadableSpan."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def send(self, spans: Sequence[Span], resource: Resource) -> None:
        try:
            result = self._exporter.export([readable(span, resource) for span in spans])
        except Exception as failure:  # whatever another's code may raise
            raise Lost(f"the exporter failed: {failure!r}", again=False) from failure
        if result is not SpanExportResult.SUCCESS:
            raise Lost("the exporter failed", again=False)

    def close(self) -> None:
        self._exporter.shutdown()


class Exporting:
    """The queue of one part. `exported` is told how many went out, `dropped` how many were lost and
    why; both are called on the queue's thread or on that of a request.
    """

    def __init__(
        self,
        sink: Sink,
        resource: Resource,
        *,
        exported: Callable[[int], object],
        dropped: Callable[[int, str], object],
    ) -> None:
        self._sink = sink
        self._resource = resource
        self._exported = exported
        self._dropped = dropped
        self._queue: deque[Span] = deque()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, span: Span) -> None:
        """Queue a finished span. Never waits."""
        waiting = len(self._queue)
        if waiting >= BOUND:
            self._dropped(1, "queue_full")
            return
        self._queue.append(span)
        if waiting == 0 and self._thread is None:
            self._start()  # not before: whoever forks then has a thread of its own
        elif waiting == BATCH:
            self._wanted.set()

    def flush(self) -> None:
        """Send what is there now. Blocks."""
        self._send_all()

    def close(self) -> None:
        """Send what is left, within a bound, and end. Blocks."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
        else:
            self._sink.close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wanted.wait(EVERY_S)
            self._wanted.clear()
            self._send_all()
        self._sink.close()

    def _send_all(self) -> None:
        with self._sending:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._send(batch)

    def _send(self, batch: list[Span]) -> None:
        reason = "unreachable"
        for pause in PAUSES_S:
            if pause and self._closing.wait(pause):
                break  # the end is near: nobody waits for a second try
            try:
                self._sink.send(batch, self._resource)
            except Lost as lost:
                if not lost.again:
                    reason = "refused"
                    break
            else:
                self._exported(len(batch))
                return
        self._dropped(len(batch), reason)
