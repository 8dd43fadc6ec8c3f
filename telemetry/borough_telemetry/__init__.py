"""The telemetry of a part, and the only package that imports opentelemetry.

There is no global state: each part owns a `Telemetry`, so that several can be in one process and
in one test. `instrument` adds one to any FastAPI app.
"""

from borough_telemetry.export import Batching, OtlpExporter
from borough_telemetry.foreign import instrument
from borough_telemetry.metrics import Format
from borough_telemetry.part import HANDLER, ClientCall, Telemetry

__all__ = [
    "HANDLER",
    "Batching",
    "ClientCall",
    "Format",
    "OtlpExporter",
    "Telemetry",
    "instrument",
]
