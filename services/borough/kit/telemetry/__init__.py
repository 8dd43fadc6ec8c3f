"""What a part tells of itself, and the only place that knows opentelemetry and prometheus_client.

Nothing here is global: each part owns a `Telemetry`, so that several can live in one process and in
one test.
"""

from borough.kit.telemetry.metrics import METRICS_CONTENT_TYPE
from borough.kit.telemetry.part import Export, Telemetry, otlp

__all__ = ["METRICS_CONTENT_TYPE", "Export", "Telemetry", "otlp"]
