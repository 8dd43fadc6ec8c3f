"""Are failing metrics reported, is nothing removed, and is no other scaler affected?"""

import time
from typing import Any

import pytest

from operator_api.objects import Namespace
from operator_api.prometheus import Prometheus, vector
from operator_api.running import Operator
from operator_api.scene import FAST, Scene
from waiting import until


@pytest.fixture
def scene(operator: Operator, shared: Namespace, prometheus: Prometheus) -> Scene:
    """Without objects yet."""
    return Scene(shared, prometheus)


def query(promql: str) -> dict[str, Any]:
    return {"type": "Query", "promql": promql, "perReplica": "10"}


BAD = {
    "several_series": vector({("a", "b"): 1.0, ("c", "d"): 2.0}),
    "not_a_number": {"resultType": "scalar", "result": [0, "NaN"]},
    "words": {"resultType": "string", "result": [0, "many"]},
    "nothing": {"resultType": "vector", "result": []},
}


@pytest.mark.parametrize("kind", BAD)
def test_invalid_query_result_is_a_condition_and_removes_nothing(
    scene: Scene, prometheus: Prometheus, kind: str
) -> None:
    """The status names the goal and the cause, and the target keeps its replicas."""
    prometheus.answers[kind] = BAD[kind]
    scene.create(7, goals=[query(kind)])
    until(lambda: scene.condition("MetricsHealthy") == "False")
    assert scene.inputs()[0]["freshness"] in {"error", "empty"}
    assert scene.reason() in {"MetricsError", "MetricsEmpty"}
    assert scene.replicas() == 7


def test_outage_of_prometheus_removes_nothing(scene: Scene, prometheus: Prometheus) -> None:
    """However idle the target is; the condition is false during the outage only."""
    scene.load(10)
    scene.create(7, behavior=FAST | {"down": {"window": "3s", "maxPercent": 100}})
    until(lambda: scene.condition("MetricsHealthy") == "True")
    prometheus.down = True
    try:
        until(lambda: scene.condition("MetricsHealthy") == "False")
        time.sleep(4)  # longer than the window: an absent change cannot be awaited
        assert scene.replicas() == 7
    finally:
        prometheus.down = False
    until(lambda: scene.replicas() < 7)
    assert scene.condition("MetricsHealthy") == "True"


def test_hanging_query_delays_no_other_scaler(
    scene: Scene, shared: Namespace, prometheus: Prometheus, operator: Operator
) -> None:
    """Others are evaluated in time and get their replicas meanwhile."""
    stuck, name = Scene(shared, prometheus), "it_hangs"
    prometheus.hanging.add(name)
    stuck.create(3, goals=[query(name)])
    scene.load(100)
    scene.create(3)
    until(lambda: stuck.reason() == "MetricsError")
    early, all_before = on_time(operator)
    scene.load(400)
    until(lambda: scene.replicas() > 8)
    until(lambda: on_time(operator)[1] >= all_before + 10)
    in_time, all_after = on_time(operator)
    assert in_time - early == all_after - all_before
    assert stuck.replicas() == 3


def on_time(operator: Operator) -> tuple[float, float]:
    """Evaluations that started within 2.5 s of their due time, and all; a query may hang longer."""
    lag = "borough_operator_tick_lag_seconds"
    samples = {(s.name, s.labels.get("le")): s.value for s in operator.samples()}
    return samples[f"{lag}_bucket", "2.5"], samples[f"{lag}_count", None]
