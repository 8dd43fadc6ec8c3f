"""Are the signals well-formed, and does every name a scraper sees come from them?"""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from borough_shop.app import APP
from borough_telemetry import Format
from borough_telemetry.metrics import Metrics
from borough_telemetry.signals import BUILD_INFO, OWN, Signal

EVERY = (*OWN, *APP.signals)

BUILD = dict.fromkeys(BUILD_INFO.labels, "x")
NAME = re.compile(r"(http|process|borough)_[a-z]+(_[a-z]+)*")
UNBOUNDED = {
    "path",
    "url",
    "host",
    "id",
    "key",
    "customer",
    "order",
    "trace_id",
    "span_id",
    "error",
}
each_signal = pytest.mark.parametrize("signal", EVERY, ids=lambda signal: signal.name)


@each_signal
def test_a_signal_has_a_valid_name(signal: Signal) -> None:
    """Lower case, with a prefix that says whose it is, without the suffix that comes by itself."""
    assert NAME.fullmatch(signal.name)
    assert not signal.name.endswith(("_total", "_info", "_count", "_sum", "_bucket", "_created"))
    assert signal.help.endswith(".")


@each_signal
def test_a_label_has_few_values(signal: Signal) -> None:
    """Nothing a caller chooses, and nothing that grows with the traffic, is a label."""
    assert not UNBOUNDED & set(signal.labels)
    assert len(set(signal.labels)) == len(signal.labels)


@each_signal
def test_buckets_ascend_and_belong_to_a_histogram(signal: Signal) -> None:
    """A histogram has some, nothing else has any."""
    assert bool(signal.buckets) == (signal.kind == "histogram")
    assert list(signal.buckets) == sorted(set(signal.buckets))


def test_no_two_signals_share_a_name() -> None:
    """Nor would the series of one be those of another."""
    names = [signal.series for signal in EVERY]
    assert len(set(names)) == len(names)


@each_signal
def test_a_series_is_exposed_by_its_query_name(signal: Signal) -> None:
    """What a dashboard asks for is what the exposition says."""
    metrics = Metrics(BUILD, APP.signals)
    series = metrics[signal].labels(*signal.labels) if signal.labels else metrics[signal]
    series.observe(1) if signal.kind == "histogram" else series.inc()
    exposed = b"".join(metrics.pieces(Format.TEXT, None)).decode()
    samples = {s.name for family in text_string_to_metric_families(exposed) for s in family.samples}
    expected = f"{signal.series}_bucket" if signal.kind == "histogram" else signal.series
    assert expected in samples
