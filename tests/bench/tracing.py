"""Tracing as OpenTelemetry's own documents set it up: a batch processor and OTLP over HTTP."""

import logging
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio


class SpansLost(Exception):
    """Spans were dropped, which is cheaper than to export them: what was measured is void."""


class _Complaints(logging.Handler):
    """What OpenTelemetry warns of: it drops a span, or an export fails, with no other sign."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def standard_tracing(service: str, otlp: str, ratio: float) -> Callable[[], None]:
    """Set the global provider; `otlp` is http://HOST:PORT. What it answers exports all that is
    pending, and raises SpansLost where some were lost ever since.
    """
    complaints = _Complaints()
    logging.getLogger("opentelemetry").addHandler(complaints)
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: service}), sampler=ParentBasedTraceIdRatio(ratio)
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{otlp}/v1/traces")))
    trace.set_tracer_provider(provider)

    def flush() -> None:
        provider.force_flush()
        if complaints.heard:
            raise SpansLost("; ".join(complaints.heard))

    return flush
