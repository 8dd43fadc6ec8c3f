"""Tracing as OpenTelemetry's own documents set it up: a batch processor and OTLP over HTTP."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio


def standard_tracing(service: str, otlp: str, ratio: float) -> TracerProvider:
    """The global provider; `otlp` is http://HOST:PORT."""
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: service}), sampler=ParentBasedTraceIdRatio(ratio)
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{otlp}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider
