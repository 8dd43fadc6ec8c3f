"""Does the parser read the same values as prometheus_client's?"""

import math
from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from borough_operator.sources.fetching import Unusable
from borough_operator.sources.pods import Key, Reader

NAMES = ("asked_total", "asking", "took_seconds_sum", "took_seconds_count")
REPEATABLE = settings(derandomize=True, database=None)
READER = Reader(NAMES, histogram="took_seconds")

VALUES = st.floats(0, 1e12) | st.integers(0, 10**6).map(float)
TEXTS = st.text(st.sampled_from('ab"\\\n{},= #1é'), max_size=12)
"""Label values with characters that are special in the format."""


def totals(families: Iterable[Metric]) -> dict[Key, float]:
    """The sums by prometheus_client's parser."""
    found: dict[Key, float] = defaultdict(float)
    for sample in (sample for family in families for sample in family.samples):
        if sample.name in NAMES:
            found[sample.name] += sample.value
        elif sample.name == "took_seconds_bucket":
            found[float(sample.labels["le"])] += sample.value
    return dict(found)


@st.composite
def registries(draw: st.DrawFn) -> CollectorRegistry:
    """A registry with requests by route, some with exemplars, and metrics with similar names."""
    registry = CollectorRegistry()
    asked = Counter("asked", "Requests # {with} braces.", ["route"], registry=registry)
    took = Histogram("took_seconds", "Time.", ["route"], registry=registry, buckets=(0.1, 2.5))
    Gauge("asking", "Now.", registry=registry).set(draw(VALUES))
    Gauge("asking_more", "Not asked for.", registry=registry).set(1)
    Counter("also_asked", "Not asked for.", registry=registry).inc()
    for route in draw(st.lists(TEXTS, max_size=4, unique=True)):
        exemplar = draw(st.none() | st.just({"trace_id": "a}b"}))
        asked.labels(route).inc(draw(VALUES), exemplar)
        for seconds in draw(st.lists(st.floats(0, 10), max_size=3)):
            took.labels(route).observe(seconds, exemplar)
    return registry


@REPEATABLE
@given(registries())
def test_parser_agrees_with_prometheus_client(registry: CollectorRegistry) -> None:
    """In both formats, for any labels, with or without exemplars."""
    text = generate_latest(registry)
    assert READER.read(text) == totals(read_text(text.decode()))
    text = openmetrics.generate_latest(registry)
    assert READER.read(text) == totals(read_openmetrics(text.decode()))


@pytest.mark.parametrize(
    "line",
    [
        "asking 4",
        "asking 4 1790000000000",
        "asking{} 4e0",
        '\tasking { a = "}" , b="\\"," } 4',
        'asking{a="b"} 4 # {trace_id="x"} 0.1 1790000000.5',
        "asking 4\r",
    ],
)
def test_sample_is_parsed_in_every_valid_layout(line: str) -> None:
    """The formats allow blanks, timestamps and exemplars."""
    assert READER.read(f"# TYPE asking gauge\n{line}\nasking_more 1\n".encode()) == {"asking": 4}


def test_bucket_bound_is_the_label_le_only() -> None:
    """Not a label whose name ends in `le`, nor a value that contains it."""
    labels = rb'scale="7",route=",le=",path="\",le=\"8\"",le="0.5"'
    assert READER.read(b"took_seconds_bucket{" + labels + b"} 3\n") == {0.5: 3}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("asking", "has no value for asking"),
        ('asking{a="b} 1', "has no value for asking"),
        ("asking many", "has many for asking, which is not a quantity"),
        ("asking NaN", "has NaN for asking, which is not a quantity"),
        ("asking +Inf", r"has \+Inf for asking, which is not a quantity"),
        ("asking -1", "has -1 for asking, which is not a quantity"),
        ('took_seconds_bucket{route="/"} 1', r"has a bucket without a bound: \{route"),
    ],
)
def test_invalid_value_is_refused(line: str, sentence: str) -> None:
    """Skipping it would understate the load."""
    with pytest.raises(Unusable, match=sentence):
        READER.read(f"asking 1\n{line}\n".encode())


def test_other_content_is_skipped() -> None:
    """Other metrics, and text that is not a metric."""
    noise = b'other{a="\xff\nNaN asking 3\n<html>\nasking_more NaN\nmasking NaN\n'
    assert READER.read(noise + b"asking 2\n") == {"asking": 2.0}


@REPEATABLE
@given(st.binary(max_size=200))
def test_any_bytes_parse_or_raise_malformed(noise: bytes) -> None:
    """No other exception is raised."""
    try:
        read = READER.read(b"asking " + noise + b"\nasking{" + noise + b"\n")
    except Unusable:
        return
    assert all(0 <= value < math.inf for value in read.values())
