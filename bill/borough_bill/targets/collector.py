"""A receiver of spans by OTLP/HTTP, which decodes them into plain values.

The process (`python -m borough_bill.targets.collector --port P --keep FILE`) only appends what
arrives to a file, undecoded, so that it uses little CPU during a measurement.
"""

import json
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import typer
from aiohttp import web

from borough_bill.targets.processes import HOST

PATH = "/v1/traces"
PROTOBUF = "application/x-protobuf"
LARGEST = 64 << 20
"""Bytes of an uncompressed body."""
SHUTDOWN_S = 0.1
"""For requests without an answer when the collector stops."""

_LENGTH = struct.Struct(">I")
_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES = ("unset", "ok", "error")


class BrokenSpans(Exception):
    """Invalid OTLP data; the message names the request or the file."""


class Link(NamedTuple):
    """Another span that caused this one without being its parent."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """A finished span. Ids in lower-case hex; `parent_id` is empty at the root of a trace; times in
    Unix nanoseconds; `kind` and `status` in the words of OpenTelemetry, in lower case.
    """

    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[Link, ...]
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    status: str


def decode(body: bytes) -> Iterator[Span]:
    """The spans of one request of an exporter. Raises BrokenSpans."""
    from google.protobuf.message import (  # type: ignore[import-untyped]  # it has no stubs # noqa: PLC0415  # the process does not decode
        DecodeError,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415  # as above
        ExportTraceServiceRequest,
    )

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise BrokenSpans(f"{len(body)} bytes are not an OTLP request: {error}") from None
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple(Link(e.trace_id.hex(), e.span_id.hex()) for e in span.links),
                    name=span.name,
                    kind=_KINDS[span.kind],
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    status=_STATUSES[span.status.code],
                )


def _attributes(pairs: Iterable[Any]) -> Mapping[str, Any]:
    return MappingProxyType({pair.key: _value(pair.value) for pair in pairs})


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return tuple(_value(item) for item in value.array_value.values)
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case simple:
            return getattr(value, simple)


def receiver(keep: Callable[[bytes], object]) -> web.Application:
    """An application that passes the body of each request of an exporter to `keep`."""

    async def take(request: web.Request) -> web.Response:
        if request.content_type != PROTOBUF:
            raise web.HTTPUnsupportedMediaType(text=f"send {PROTOBUF}")
        keep(await request.read())
        return web.Response(content_type=PROTOBUF)

    app = web.Application(client_max_size=LARGEST)
    app.router.add_post(PATH, take)
    return app


def read_spans(path: Path) -> list[Span]:
    """The spans of a file that a collector process kept. Raises BrokenSpans, naming the file."""
    data = path.read_bytes()
    spans, at = list[Span](), 0
    while at < len(data):
        end = at + _LENGTH.size
        if end <= len(data):
            end += _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            raise BrokenSpans(f"{path} is cut short: the body at byte {at} is incomplete")
        try:
            spans += decode(data[at + _LENGTH.size : end])
        except BrokenSpans as error:
            raise BrokenSpans(f"{path}, the body at byte {at}: {error}") from None
        at = end
    return spans


def main(
    keep: Annotated[Path, typer.Option(help="The file that bodies are appended to.")],
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.")] = 4318,
) -> None:
    """Receive spans by OTLP/HTTP until SIGTERM, and keep them for `read_spans`."""
    with keep.open("ab", buffering=0) as file, socket.create_server((HOST, port)) as listening:
        ready = json.dumps({"event": "ready", "port": listening.getsockname()[1]})
        web.run_app(
            receiver(lambda body: file.write(_LENGTH.pack(len(body)) + body)),
            sock=listening,
            print=lambda _: print(ready, flush=True),  # noqa: T201  # the parent process reads it
            access_log=None,
            shutdown_timeout=SHUTDOWN_S,
        )


if __name__ == "__main__":
    typer.run(main)
