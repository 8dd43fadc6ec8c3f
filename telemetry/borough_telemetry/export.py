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
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakSet

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

from borough_telemetry import protobuf
from borough_telemetry.readable import readable
from borough_telemetry.spans import Span

SLICE = 64
"""Spans encoded at a stretch: about 0.15 ms."""
REST_S = 0.0002
"""Between two slices; to offer the lock without sleeping is to take it back before anybody woke."""
NOT_NOW = frozenset({429, 502, 503, 504})
"""Statuses after which the standard allows to send a batch again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How finished spans wait and travel: numbers of spans, and times in seconds."""

    queue_spans: int = 4_096
    """So many wait at most; beyond, new ones are dropped and counted."""
    batch_spans: int = 512
    """So many travel at once."""
    wait_s: float = 5
    """A span waits no longer than this for others to travel with."""
    post_s: float = 5
    """A collector gets so long to take a batch."""
    pauses_s: tuple[float, ...] = (0, 1, 4)
    """The pause before each try of a batch; after the last it is given up."""
    close_s: float = 4
    """What is left when a part ends gets so long."""


class Lost(Exception):
    """A batch that was not taken; `again` says whether a second try makes sense."""

    def __init__(self, sentence: str, *, again: bool) -> None:
        super().__init__(sentence)
        self.again = again


class Sink(Protocol):
    """Where batches go. Called on the thread of the queue, and nowhere else."""

    batching: Batching

    def send(self, spans: Sequence[Span], resource: Resource) -> int:
        """How many of them were refused. Raises Lost."""
        ...

    def forked(self) -> None:
        """This process is a new one: what is open belongs to the other."""
        ...

    def close(self) -> None:
        """Nothing comes any more, or not for some time."""
        ...


class Otlp:
    """Sends spans to a collector by OTLP/HTTP, over one connection that is kept. `endpoint` is
    http(s)://HOST:PORT, else ValueError; headers come from OTEL_EXPORTER_OTLP_HEADERS, as
    everywhere.
    """

    def __init__(self, endpoint: str, batching: Batching = Batching()) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise ValueError(f"{endpoint!r} is no address of a collector: it is http://HOST:PORT")
        self.batching = batching
        self._url = url
        self._connection = self._connect()
        self._path = f"{url.path.rstrip('/')}/v1/traces"
        given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        self._headers = {
            "content-type": "application/x-protobuf",
            **parse_env_headers(given, liberal=True),
        }
        self._resource = b""

    def _connect(self) -> http.client.HTTPConnection:
        """What opens itself when it is used."""
        tls = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self.batching.post_s)

    def send(self, spans: Sequence[Span], resource: Resource) -> int:
        self._resource = self._resource or protobuf.resource_of(resource.attributes)
        body = protobuf.request(self._resource, _encoded_without_haste(spans))
        try:
            self._connection.request("POST", self._path, body, self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self._connection.close()  # the next request opens it anew
            raise Lost(f"the collector does not answer: {failure!r}", again=True) from failure
        if answer.status >= 300:  # noqa: PLR2004  # where success ends
            raise Lost(f"the collector answered {answer.status}", again=answer.status in NOT_NOW)
        return protobuf.rejected(said)

    def forked(self) -> None:
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()


def _encoded_without_haste(spans: Sequence[Span]) -> bytes:
    """Encoding holds the interpreter's lock, and whoever waits for it is a request."""
    found = bytearray()
    for at in range(0, len(spans), SLICE):
        if at:
            time.sleep(REST_S)  # off the loop: requests get the lock
        found += b"".join(map(protobuf.encoded, spans[at : at + SLICE]))
    return bytes(found)


class Sdk:
    """Hands spans to an exporter of the OpenTelemetry SDK, as its own ReadableSpan."""

    batching = Batching()

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def send(self, spans: Sequence[Span], resource: Resource) -> int:
        result = self._exporter.export([readable(span, resource) for span in spans])
        if result is not SpanExportResult.SUCCESS:
            raise Lost("the exporter failed", again=False)
        return 0

    def forked(self) -> None:
        """What an exporter of others does about it is its own affair."""

    def close(self) -> None:
        self._exporter.shutdown()


class _Life:
    """What an `Exporting` is made of between two closes, and in one process."""

    def __init__(self) -> None:
        self.queue: deque[Span] = deque()
        """What is being sent stays in it until that is settled: whoever takes a span counts it."""
        self.wanted = threading.Event()
        self.closing = threading.Event()
        self.sending = threading.Lock()
        self.thread: threading.Thread | None = None


class Exporting:
    """The queue of one part. `exported` is told how many went out, `dropped` how many were lost and
    why; both are called on the queue's thread or on that of a request. The log is told when spans
    begin to be lost, and when that is over.
    """

    def __init__(
        self,
        sink: Sink,
        resource: Resource,
        *,
        exported: Callable[[int], object],
        dropped: Callable[[int, str], object],
        log: Any,
    ) -> None:
        self._sink = sink
        self._batching = sink.batching
        self._resource = resource
        self._exported = exported
        self._dropped = dropped
        self._log = log
        self._well = True
        self._life = _Life()
        _living.add(self)

    def put(self, span: Span) -> None:
        """Queue a finished span. Never waits."""
        life = self._life
        waiting, batching = len(life.queue), self._batching
        if waiting >= batching.queue_spans:
            self._dropped(1, "queue_full")
            return
        life.queue.append(span)
        if life.thread is None:
            self._start(life)
        elif waiting == batching.batch_spans:
            life.wanted.set()

    def flush(self) -> None:
        """Send what is there now. Blocks."""
        self._send_all(self._life)

    def close(self) -> None:
        """Send what is left, within a bound, and end; what is not sent by then is lost. Blocks. A
        span that comes later begins anew.
        """
        life, self._life = self._life, _Life()
        life.closing.set()
        life.wanted.set()
        if life.thread is None:
            self._sink.close()
            return
        life.thread.join(self._batching.close_s)
        if lost := _taken(life.queue, self._batching.queue_spans):
            self._lose(lost, "unreachable", "the part ended before the collector had answered")

    def forked(self) -> None:
        """In the child: the thread stayed behind, and what waits is the parent's."""
        self._life = _Life()
        self._sink.forked()

    def _start(self, life: _Life) -> None:
        life.thread = threading.Thread(target=self._run, args=(life,), name="spans", daemon=True)
        life.thread.start()

    def _run(self, life: _Life) -> None:
        while not life.closing.is_set():
            if len(life.queue) <= self._batching.batch_spans:
                life.wanted.wait(self._batching.wait_s)
            life.wanted.clear()
            self._send_all(life)
        self._send_all(life)
        self._sink.close()

    def _send_all(self, life: _Life) -> None:
        """What is there at the beginning: others may add to it faster than a collector takes it."""
        with life.sending:
            left = len(life.queue)
            while left > 0 and life.queue:
                batch = list(islice(life.queue, min(self._batching.batch_spans, left)))
                left -= len(batch)
                self._send(batch, life)

    def _send(self, batch: list[Span], life: _Life) -> None:
        reason, why = "unreachable", ""
        for pause in self._batching.pauses_s:
            if pause and life.closing.wait(pause):
                break  # the end is near: nobody waits for a second try
            try:
                refused = min(self._sink.send(batch, self._resource), len(batch))
            except Lost as lost:
                why = str(lost)
                if not lost.again:
                    reason = "refused"
                    break
            except Exception as failure:  # noqa: BLE001  # a thread that ended would send nothing more
                # not the words of the failure: a header may be quoted there, with its key
                reason, why = "refused", f"the exporter failed: {type(failure).__name__}"
                break
            else:
                taken = _taken(life.queue, len(batch))
                self._exported(max(taken - refused, 0))
                if refused:
                    self._lose(min(refused, taken), "refused", "the collector refused some spans")
                elif not self._well:
                    self._well = True
                    self._log.info("spans are exported again")
                return
        self._lose(_taken(life.queue, len(batch)), reason, why)

    def _lose(self, count: int, reason: str, why: str) -> None:
        if count:
            self._dropped(count, reason)
        if self._well:
            self._well = False
            self._log.warning("spans are lost", reason=reason, cause=why)


def _taken(queue: deque[Span], most: int) -> int:
    """Take so many spans, or as many as there are; how many."""
    for count in range(most):
        try:
            queue.popleft()
        except IndexError:  # a close that waited no longer has taken them
            return count
    return most


_living: WeakSet[Exporting] = WeakSet()


def _after_fork() -> None:
    for exporting in _living:
        exporting.forked()


os.register_at_fork(after_in_child=_after_fork)
