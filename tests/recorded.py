"""Finished spans as the OpenTelemetry SDK knows them: what tests look at, and compare with."""

from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from borough_telemetry import OtlpExporter
from borough_telemetry.protobuf import SCOPE
from borough_telemetry.spans import Span

KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}


class RecordedSpans(OtlpExporter):
    """Keeps in memory what an exporter would send."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self._spans: list[ReadableSpan] = []

    def send(self, spans: Sequence[Span], resource: Resource) -> int:
        self._spans += [readable(span, resource) for span in spans]
        return 0

    def get_finished_spans(self) -> tuple[ReadableSpan, ...]:
        """Those of telemetries that were closed."""
        return tuple(self._spans)


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """The same span, with everything the SDK would have recorded of it."""
    blueprint = span.blueprint
    attributes = dict(blueprint.attributes)
    if span.detail:
        attributes[blueprint.detail] = span.detail
    return ReadableSpan(
        name=blueprint.name,
        context=_context(span.trace_id, span.span_id, remote=False),
        parent=_context(span.trace_id, span.parent_id, remote=span.remote)
        if span.parent_id
        else None,
        resource=resource,
        attributes=attributes,
        links=[Link(_context(cause.trace_id, cause.span_id, remote=True)) for cause in span.links],
        kind=KINDS[blueprint.kind],
        status=Status(StatusCode.ERROR, span.message or None)
        if blueprint.failed
        else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(SCOPE),
    )


def _context(trace_id: str, span_id: str, *, remote: bool) -> SpanContext:
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=TraceFlags(1)
    )
