"""Are the right series queried, and invalid names refused?"""

from typing import Any

import pytest

from borough_operator.decision.model import Measure, Need
from borough_operator.sources.mapping import SeriesMapping

SHOP = SeriesMapping(("borough", "staging"))
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
def test_every_query_uses_the_names_of_the_mapping(need: Need, promql: str) -> None:
    """A cluster with other names sets them once."""
    assert THEIRS.value(need) == promql


def test_every_query_is_restricted_to_the_watched_namespaces() -> None:
    """Prometheus may have the series of many other namespaces."""
    asked = [SHOP.value(Need(Measure.RATE)), SHOP.age(Measure.RATE), SHOP.silent()]
    assert all('{namespace=~"borough|staging"}' in promql for promql in asked)


def test_silent_pods_are_those_whose_scrapes_fail_after_earlier_success() -> None:
    """A starting pod has never responded, and a removed pod is not scraped any more: neither
    counts.
    """
    up = f"up{PLACE}"
    assert THEIRS.silent() == (
        f"count by ({BY}) ({up} == 0 and max_over_time({up}[60000ms]) == 0"
        f" and max_over_time({up}[2m]) == 1)"
    )


def test_age_is_that_of_the_samples_of_the_measure() -> None:
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
def test_invalid_name_is_refused_at_construction(wrong: dict[str, Any], sentence: str) -> None:
    """At the start and not at each query."""
    with pytest.raises(ValueError, match=sentence):
        SeriesMapping(**({"namespaces": ("borough",)} | wrong))
