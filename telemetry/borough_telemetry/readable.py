"""Our spans as those of the OpenTelemetry SDK, for exporters that were written for it."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from borough_telemetry.protobuf import SCOPE
from borough_telemetry.spans import Span

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """The same span, with everything the SDK would have told of it."""
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
        kind=_KINDS[blueprint.kind],
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
