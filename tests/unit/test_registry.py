"""Are the metrics of prometheus_client exposed beside the signals, and never in place of one?"""

import json
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older
from prometheus_client.registry import Collector

from borough_telemetry import Format, Telemetry
from borough_telemetry.signals import BUILD_INFO, PROCESS, SERVER_DURATION, Signal

STOCK_OUTS = Signal("shop_stock_outs", "Reservations refused for lack of stock.", "counter")
ORDERS = Signal("shop_orders", "Orders, by outcome.", "counter", ("outcome",))
SIGNALS = (STOCK_OUTS, ORDERS)

PARSERS = {Format.OPENMETRICS: openmetrics, Format.TEXT: older}
each_form = pytest.mark.parametrize("form", list(Format))


class FailingCollector(Collector):
    """Collects gauges of these names, and then fails."""

    names: tuple[str, ...] = ()

    def collect(self) -> Iterable[Metric]:
        for name in self.names:
            yield GaugeMetricFamily(name, "Of another library.", value=7)
        if self.names:
            raise ZeroDivisionError


@pytest.fixture
def telemetry() -> Telemetry:
    """Telemetry without observations."""
    return Telemetry("t", log_level="warning", signals=SIGNALS)


def families(telemetry: Telemetry, form: Format) -> dict[str, Metric]:
    """The families a scraper reads, by name; each is there once."""
    text = b"".join(telemetry.pieces(form)).decode()
    assert text.count("# EOF\n") == (form is Format.OPENMETRICS)
    read = list(PARSERS[form](text))
    named = {family.name: family for family in read}
    assert len(named) == len(read)
    return named


@each_form
def test_registered_metric_is_exposed_beside_the_signals(
    telemetry: Telemetry, form: Format
) -> None:
    """In both formats, and with exemplars in OpenMetrics; without the `_created` series."""
    visits = Counter("visits", "Visits.", ["of"], registry=telemetry.registry)
    visits.labels('a "guest"').inc(3, exemplar={"trace_id": "ada"})
    Histogram("stays", "Stays.", buckets=(1,), registry=telemetry.registry).observe(2)
    telemetry.count(STOCK_OUTS)

    exposed = families(telemetry, form)
    assert {STOCK_OUTS.name, "visits", "stays"} <= exposed.keys()
    assert not [name for name in exposed if name.endswith("_created")]
    (sample,) = exposed["visits"].samples
    assert (sample.name, sample.labels, sample.value) == ("visits_total", {"of": 'a "guest"'}, 3)
    exemplar = sample.exemplar and sample.exemplar.labels
    assert exemplar == ({"trace_id": "ada"} if form is Format.OPENMETRICS else None)
    assert [s.value for s in exposed["stays"].samples] == [0, 1, 1, 2]


def test_each_family_is_a_separate_chunk(telemetry: Telemetry) -> None:
    """Requests run between two chunks, whatever the number of families."""
    alone = len(list(telemetry.pieces(Format.OPENMETRICS)))
    for number in range(10):
        Gauge(f"room_{number}", "A room.", registry=telemetry.registry)
    pieces = list(telemetry.pieces(Format.OPENMETRICS))
    assert len(pieces) == alone + 10
    assert max(piece.count(b"# TYPE room") for piece in pieces) == 1


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (ORDERS, "shop_orders"),
        (ORDERS, "shop_orders_total"),
        (SERVER_DURATION, "http_server_request_duration_seconds_bucket"),
        (BUILD_INFO, "borough_build_info"),
    ],
)
def test_metric_with_the_name_of_a_signal_is_refused(
    telemetry: Telemetry, taken: Signal, name: str
) -> None:
    """Also a signal that the part does not have yet, and a registry that contains one, which is not
    changed.
    """
    sentence = f"{taken.name}.* is a signal of Borough's telemetry: your metric needs another name"
    with pytest.raises(ValueError, match=sentence):
        Gauge(name, "Mine.", registry=telemetry.registry)

    theirs = CollectorRegistry()
    gauge = Gauge(name, "Mine.", registry=theirs)
    with pytest.raises(ValueError, match=sentence):
        Telemetry("t", registry=theirs, signals=SIGNALS)
    theirs.unregister(gauge)
    own = Telemetry("t", registry=theirs, signals=SIGNALS)
    assert own.registry is theirs
    Gauge(name, "Mine.", registry=theirs)


def test_duplicate_name_is_refused_by_the_library(telemetry: Telemetry) -> None:
    """With the message of prometheus_client."""
    Gauge("room", "Mine.", registry=telemetry.registry)
    with pytest.raises(ValueError, match=r"Duplicated timeseries.*room"):
        Gauge("room", "Mine too.", registry=telemetry.registry)


@each_form
def test_failed_collector_leaves_the_other_metrics(
    telemetry: Telemetry, form: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    """An undeclared family with the name of a signal is left out, and so are the families that a
    failed collector did not yield; the log reports both.
    """
    failing = FailingCollector()
    telemetry.registry.register(failing)
    failing.names = ("before", STOCK_OUTS.name, "after")

    exposed = families(telemetry, form)
    assert {"before", "after"} <= exposed.keys()
    assert [sample.value for sample in exposed[STOCK_OUTS.name].samples] == [0]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["metric"] == STOCK_OUTS.name
    assert "ZeroDivisionError" in lines[1]["exception"]


def test_process_metrics_are_those_listed(telemetry: Telemetry) -> None:
    """Its families are those of the generated tables, with help, type and labels; a part exposes
    them only if they were requested.
    """
    assert not [n for n in families(telemetry, Format.TEXT) if n.startswith(("process", "python"))]
    telemetry.watch_process()
    exposed = families(telemetry, Format.OPENMETRICS)
    listed = {signal.name: signal for signal in PROCESS}
    found = {name for name in exposed if name.startswith(("process_", "python_"))}
    assert found == set(listed)
    for name, signal in listed.items():
        family = exposed[name]
        assert (family.documentation, family.type) == (signal.help, signal.kind)
        assert {sample.name for sample in family.samples} == {signal.series}
        assert {tuple(sample.labels) for sample in family.samples} == {signal.labels}
