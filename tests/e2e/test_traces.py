"""Does a trace, once it is in Jaeger, tell what happened, and can one get to it from a metric?"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from borough_shop.app import APP
from e2e.cluster import Forward, NotInTime, wait_until
from e2e.installed import Journey, Platform

MAP = {(caller, callee) for caller in APP.calls for callee in APP.calls[caller]}
SOON_S = 30
"""A part exports every few seconds."""


@dataclass(frozen=True, slots=True)
class Span:
    """What Jaeger knows of one: who did it, on which pod, in which span's course (its id)."""

    service: str
    pod: str
    above: str


def spans_of(jaeger: Forward, journey: Journey) -> dict[str, Span]:
    """Every span of every part since the journey began, by id."""
    found: dict[str, Span] = {}
    since = {"start": int(journey.began * 1e6), "end": int((journey.ended + 600) * 1e6)}
    for service in APP.calls:
        query = urlencode({"service": service, "limit": 100, **since})
        for trace in jaeger.json(f"/api/traces?{query}")["data"]:
            found.update(_spans(trace))
    return found


def _spans(trace: dict[str, Any]) -> Iterator[tuple[str, Span]]:
    for span in trace["spans"]:
        process = trace["processes"][span["processID"]]
        tags = {tag["key"]: tag["value"] for tag in process["tags"]}
        above = [r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"]
        yield (
            span["spanID"],
            Span(process["serviceName"], tags.get("k8s.pod.name", ""), above[0] if above else ""),
        )


def edges(spans: dict[str, Span]) -> set[tuple[str, str]]:
    """Who asked whom: each span whose parent is another part's."""
    pairs = (
        (spans[span.above].service, span.service) for span in spans.values() if span.above in spans
    )
    return {(caller, callee) for caller, callee in pairs if caller != callee}


@pytest.fixture(scope="module")
def spans(jaeger: Forward, journey: Journey) -> dict[str, Span]:
    """All of the journey that Jaeger has once it has every edge, or when one gives up waiting."""
    with suppress(NotInTime):
        wait_until("every edge in Jaeger", lambda: edges(spans_of(jaeger, journey)) >= MAP, SOON_S)
    return spans_of(jaeger, journey)


def test_the_edges_of_the_traces_are_the_calls_of_the_wiring(spans: dict[str, Span]) -> None:
    """Every edge of APP.calls, and no other: the map of the shop is what really happens."""
    assert edges(spans) == MAP


def test_a_span_names_the_pod_it_is_from(spans: dict[str, Span], platform: Platform) -> None:
    """By the downward API: no part of the pipeline has to ask Kubernetes."""
    pods = {pod["metadata"]["name"] for pod in platform.shop.pods()}
    parts = {(span.service, span.pod) for span in spans.values()}
    assert {service for service, _ in parts} == set(APP.calls)
    assert {pod for _, pod in parts} <= pods
    assert all(f"-{service}-" in pod for service, pod in parts)


def test_an_exemplar_leads_to_a_trace_that_jaeger_has(
    prometheus: Forward, jaeger: Forward, journey: Journey
) -> None:
    """From a bar of a latency panel to the request it stands for: no exemplar leads nowhere."""
    query = urlencode(
        {
            "query": "http_server_request_duration_seconds_bucket",
            "start": journey.began,
            "end": journey.ended + 600,
        }
    )

    def exemplars() -> set[str]:
        series = prometheus.json(f"/api/v1/query_exemplars?{query}")["data"]
        listed = (exemplar for one in series for exemplar in one["exemplars"])
        return {exemplar["labels"]["trace_id"] for exemplar in listed}

    found = wait_until("an exemplar in Prometheus", exemplars, within=60)
    for trace_id in sorted(found):
        path = f"/api/traces/{trace_id}"
        (trace,) = wait_until(f"trace {trace_id}", partial(traces_at, jaeger, path), SOON_S)
        assert trace["traceID"] == trace_id


def traces_at(jaeger: Forward, path: str) -> list[dict[str, Any]]:
    """What Jaeger answers; it answers 404 where it has none."""
    found: list[dict[str, Any]] = jaeger.json(path)["data"]
    return found
