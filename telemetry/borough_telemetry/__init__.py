"""What a part tells of itself, and the only place that knows opentelemetry.

Nothing here is global: each part owns a `Telemetry`, so that several can live in one process and in
one test. `instrument` gives one to an app that is no part of ours.
"""

from borough_telemetry.export import Batching
from borough_telemetry.foreign import instrument
from borough_telemetry.metrics import Format
from borough_telemetry.pages import Page, PageServer, json_page, metrics_page
from borough_telemetry.part import HANDLER, ClientCall, Export, Telemetry, otlp

__all__ = [
    "HANDLER",
    "Batching",
    "ClientCall",
    "Export",
    "Format",
    "Page",
    "PageServer",
    "Telemetry",
    "instrument",
    "json_page",
    "metrics_page",
    "otlp",
]
