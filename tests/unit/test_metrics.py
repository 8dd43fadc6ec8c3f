"""Is the exposition equal to that of prometheus_client, and its lock held for bounded time?"""

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older

from borough import signals
from borough_shop.app import APP
from borough_shop.inventory.signals import STOCK_OUTS
from borough_telemetry import Format
from borough_telemetry.metrics import END, LINES, Metrics
from borough_telemetry.signals import (
    ACTIVE_REQUESTS,
    BUILD_INFO,
    HOP_SERVER,
    OWN,
    SERVER_DURATION,
    Signal,
)

EVERY = (*OWN, *APP.signals)

BUILD = {"version": "1", "part": "orders", "shape": "apis", "capabilities": "orders,payments"}
TRACE, SPAN = f"{0xADA:032x}", f"{0xB0B:016x}"
KINDS: dict[str, Any] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram, "info": Info}
ODD = 'C:\\new "quoted"\nand a second line'


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of a part before its first request."""
    return Metrics(BUILD, APP.signals)


class Reference:
    """The same signals as metrics of prometheus_client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def make(self, signal: Signal) -> Any:
        """A metric of the library; without labels it is its only series."""
        more = {"buckets": signal.buckets} if signal.buckets else {}
        labels = () if signal.kind == "info" else signal.labels
        return KINDS[signal.kind](signal.name, signal.help, labels, registry=self.registry, **more)


def exposed(metrics: Metrics, form: Format) -> str:
    """The whole exposition."""
    end = END if form is Format.OPENMETRICS else b""
    return (b"".join(metrics.pieces(form, None)) + end).decode()


def facts(families: Iterable[Any]) -> list[Any]:
    """The content of an exposition as it is parsed, without the times of exemplars."""
    return sorted(
        (
            family.name,
            family.documentation,
            family.type,
            sorted(
                (
                    sample.name,
                    sorted(sample.labels.items()),
                    sample.value,
                    sample.exemplar and (sample.exemplar.labels, sample.exemplar.value),
                )
                for sample in family.samples
                if not sample.name.endswith("_created")
            ),
        )
        for family in families
        if family.samples and not family.name.endswith("_created")
    )


def test_every_kind_is_written_as_by_prometheus_client(metrics: Metrics) -> None:
    """In both formats: names, help, types, labels, buckets, values and exemplars."""
    reference = Reference()
    library = {signal: reference.make(signal) for signal in EVERY}
    library[BUILD_INFO].info(BUILD)
    for route, seconds in (("/v1/orders", 0.005), ("/v1/orders", 0.3), (ODD, 1e-7), (ODD, 11.0)):
        labels = ("GET", route, "200")
        metrics[SERVER_DURATION].labels(*labels).observe(seconds, (TRACE, SPAN))
        library[SERVER_DURATION].labels(*labels).observe(
            seconds, {"trace_id": TRACE, "span_id": SPAN}
        )
    for side in (metrics, library):
        side[signals.LOOP_LAG].observe(0.2)
        side[HOP_SERVER].labels("orders", "place").inc(0.25)
        side[ACTIVE_REQUESTS].inc()
    for signal in EVERY:
        if signal.kind == "gauge" and not signal.labels:
            metrics[signal].inc(0)  # the library exposes these before they are set

    written = exposed(metrics, Format.OPENMETRICS)
    expected = as_openmetrics(reference.registry).decode()
    assert facts(openmetrics(written)) == facts(openmetrics(expected))
    written = exposed(metrics, Format.TEXT)
    assert facts(older(written)) == facts(older(as_text(reference.registry).decode()))


def test_text_format_has_no_exemplars(metrics: Metrics) -> None:
    """Parsers of the text format reject exemplars."""
    metrics[SERVER_DURATION].labels("GET", "/", "200").observe(1, (TRACE, SPAN))
    assert TRACE in exposed(metrics, Format.OPENMETRICS)
    assert TRACE not in exposed(metrics, Format.TEXT)


def test_piece_has_a_bounded_number_of_lines(metrics: Metrics) -> None:
    """The lock is held for one piece at a time, however many series there are."""
    for number in range(100):
        metrics[SERVER_DURATION].labels("GET", f"/{number}", "200").observe(1)
    pieces = list(metrics.pieces(Format.OPENMETRICS, None))
    lines = [piece.count(b"\n") for piece in pieces]
    assert max(lines) == LINES
    assert sum(lines) > 1_700


def test_series_may_be_added_between_pieces(metrics: Metrics) -> None:
    """The lock is free between two pieces; a series added then may be exposed the next time."""
    durations = metrics[SERVER_DURATION]
    for number in range(20):
        durations.labels("GET", f"/{number}", "200").observe(1)
    for number, _ in enumerate(metrics.pieces(Format.TEXT, None)):
        durations.labels("GET", f"/late/{number}", "200").observe(1)
    assert "/late/0" in exposed(metrics, Format.TEXT)


def test_gauge_is_exposed_once_it_has_a_value(metrics: Metrics) -> None:
    """A gauge of 0 would be a value; a counter starts at 0 so that its first increase is seen."""
    text = exposed(metrics, Format.TEXT)
    assert signals.OUTBOX_AGE.series not in text
    assert f"{STOCK_OUTS.series} 0.0\n" in text


def test_watched_value_is_read_at_each_scrape(metrics: Metrics) -> None:
    """Its function is called for a counter as well as for a gauge."""
    values = iter((1, 2))
    series = metrics.named(signals.STORE_WAIT, {"capability": "orders", "pool": "writer"})
    series.read = lambda: next(values)
    line = f'{signals.STORE_WAIT.series}{{capability="orders",pool="writer"}}'
    assert f"{line} 1.0\n" in exposed(metrics, Format.TEXT)
    assert f"{line} 2.0\n" in exposed(metrics, Format.TEXT)


@pytest.mark.parametrize("labels", [{}, {"peer": "orders"}, {"peer": "a", "cause": "b", "x": "c"}])
def test_wrong_labels_are_refused(metrics: Metrics, labels: dict[str, str]) -> None:
    """The error names the signal and the labels that it has."""
    with pytest.raises(
        ValueError, match=r"borough_client_retries has the labels \('peer', 'cause'"
    ):
        metrics.named(signals.RETRIES, labels)
    if labels:
        with pytest.raises(ValueError, match="borough_client_retries"):
            metrics[signals.RETRIES].labels("only one")
