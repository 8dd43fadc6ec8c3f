"""Are the signals well-formed, and is every exposed name that of a signal?"""

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
def test_signal_has_a_valid_name(signal: Signal) -> None:
    """Lower case, with the prefix of its owner, without a suffix that the exposition adds."""
    assert NAME.fullmatch(signal.name)
    assert not signal.name.endswith(("_total", "_info", "_count", "_sum", "_bucket", "_created"))
    assert signal.help.endswith(".")


@each_signal
def test_label_has_few_values(signal: Signal) -> None:
    """No label has values that a caller chooses, or that grow in number with the traffic."""
    assert not UNBOUNDED & set(signal.labels)
    assert len(set(signal.labels)) == len(signal.labels)


@each_signal
def test_buckets_ascend_and_belong_to_a_histogram(signal: Signal) -> None:
    """A histogram has buckets, other kinds have none."""
    assert bool(signal.buckets) == (signal.kind == "histogram")
    assert list(signal.buckets) == sorted(set(signal.buckets))


def test_names_of_signals_are_unique() -> None:
    """Neither do the series of two signals have one name."""
    names = [signal.series for signal in EVERY]
    assert len(set(names)) == len(names)


@each_signal
def test_series_is_exposed_by_its_query_name(signal: Signal) -> None:
    """The name that a dashboard queries is the one in the exposition."""
    metrics = Metrics(BUILD, APP.signals)
    series = metrics[signal].labels(*signal.labels) if signal.labels else metrics[signal]
    series.observe(1) if signal.kind == "histogram" else series.inc()
    exposed = b"".join(metrics.pieces(Format.TEXT, None)).decode()
    samples = {s.name for family in text_string_to_metric_families(exposed) for s in family.samples}
    expected = f"{signal.series}_bucket" if signal.kind == "histogram" else signal.series
    assert expected in samples
