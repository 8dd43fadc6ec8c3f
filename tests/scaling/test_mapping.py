"""Which series does the operator ask for, and does it refuse names that are none?"""

from typing import Any

import pytest

from borough_operator.decision.model import Measure, Need
from borough_operator.sources.mapping import SeriesMapping

SHOP = SeriesMapping(("borough", "town"))
THEIRS = SeriesMapping(
    ("prod",),
    namespace_label="kube_namespace",
    workload_label="deployment",
    rate_metric="requests_total",
    in_flight_metric="in_flight",
    duration_metric="latency_seconds",
    window=60,
)
BY = "kube_namespace, deployment"
PLACE = '{kube_namespace=~"prod"}'


@pytest.mark.parametrize(
    ("need", "promql"),
    [
        (Need(Measure.RATE), f"sum by ({BY}) (rate(requests_total{PLACE}[60000ms]))"),
        (
            Need(Measure.IN_FLIGHT),
            f"sum by ({BY}) (avg_over_time(in_flight{PLACE}[60000ms]) and in_flight{PLACE})",
        ),
        (
            Need(Measure.DURATION),
            (
                f"sum by ({BY}) (rate(latency_seconds_sum{PLACE}[60000ms])) / "
                f"(sum by ({BY}) (rate(latency_seconds_count{PLACE}[60000ms])) > 0)"
            ),
        ),
        (
            Need(Measure.QUANTILE, "0.95"),
            (
                f"histogram_quantile(0.95, sum by ({BY}, le) "
                f"(rate(latency_seconds_bucket{PLACE}[60000ms])))"
            ),
        ),
        (Need(Measure.QUERY, "sum(queue)"), "sum(queue)"),
    ],
)
def test_every_name_in_a_query_is_the_mappings(need: Need, promql: str) -> None:
    """A cluster with other names sets them once, and no query knows any but these."""
    assert THEIRS.value(need) == promql


def test_only_the_watched_namespaces_are_asked_for() -> None:
    """A Prometheus of many teams is asked about the targets' namespaces, in every query."""
    asked = [SHOP.value(Need(Measure.RATE)), SHOP.age(Measure.RATE), SHOP.silent()]
    assert all('{namespace=~"borough|town"}' in promql for promql in asked)


def test_a_pod_is_silent_while_it_is_scraped_in_vain() -> None:
    """It answered not long ago, not once within the window, and is still to be found: one that is
    about to start has not answered yet, and one that is gone is scraped no more.
    """
    up = f"up{PLACE}"
    assert THEIRS.silent() == (
        f"count by ({BY}) ({up} == 0 and max_over_time({up}[60000ms]) == 0"
        f" and max_over_time({up}[2m]) == 1)"
    )


def test_the_age_is_that_of_the_samples_behind_the_value() -> None:
    """Also of a histogram, which has no series by its own name."""
    behind = {
        Measure.RATE: "requests_total",
        Measure.IN_FLIGHT: "in_flight",
        Measure.DURATION: "latency_seconds_count",
        Measure.QUANTILE: "latency_seconds_count",
    }
    for measure, metric in behind.items():
        assert THEIRS.age(measure) == f"time() - max by ({BY}) (timestamp({metric}{PLACE}))"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"namespaces": ()}, "no namespace is given"),
        ({"namespaces": ('a"} or up{',)}, "is not a valid namespace name"),
        ({"workload_label": "app.kubernetes.io/name"}, "is not a valid label name"),
        ({"rate_metric": "rate(x[1m])"}, r"'rate\(x\[1m\]\)' is not a valid metric name"),
        ({"window": 0.5}, "the window must be 1 to 300 seconds, not 0.5"),
    ],
)
def test_a_name_that_is_none_is_refused_by_name(wrong: dict[str, Any], sentence: str) -> None:
    """At the start, not in every query from then on."""
    with pytest.raises(ValueError, match=sentence):
        SeriesMapping(**({"namespaces": ("borough",)} | wrong))
