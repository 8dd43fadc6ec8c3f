"""Is what every part tells soon in Prometheus, and has every panel something to show?"""

import json
from urllib.parse import urlencode

import pytest

from borough_shop.app import APP
from e2e.cluster import ROOT, Forward, wait_until
from e2e.installed import Journey, Platform
from e2e.journey import order_journey
from e2e.queries import has_data, questions
from e2e.visitor import FromPod

SOON_S = 60
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))


def requests_by_part(prometheus: Forward, platform: Platform) -> dict[str, float]:
    """How many requests each part says it has answered, pods summed up."""
    series = f'http_server_request_duration_seconds_count{{namespace="{platform.shop.namespace}"}}'
    query = urlencode({"query": f"sum by (part) ({series})"})
    answer = prometheus.json(f"/api/v1/query?{query}")["data"]["result"]
    return {series["metric"]["part"]: float(series["value"][1]) for series in answer}


def test_metrics_of_all_parts_are_there_soon_after_traffic(
    platform: Platform, door: FromPod, journey: Journey, prometheus: Forward
) -> None:
    """A journey leaves its mark on each of the six within a minute."""
    before = requests_by_part(prometheus, platform)
    order_journey(door, platform.keys["ada"], platform.keys["grace"])

    def all_grew() -> bool:
        now = requests_by_part(prometheus, platform)
        return all(now.get(part, 0) > before.get(part, 0) for part in APP.calls)

    assert wait_until(f"more requests of all parts than {before}", all_grew, SOON_S)


@pytest.fixture(scope="module")
def values(platform: Platform) -> dict[str, str]:
    """What the variables of the dashboards stand for: everything of our release."""
    everything = dict.fromkeys(("workload", "part", "scaler"), ".*")
    times = {"__rate_interval": "1m", "__range": "5m", "__interval": "15s"}
    return {"namespace": platform.shop.namespace, **everything, **times}


def test_every_panel_of_every_dashboard_has_something_to_show(
    platform: Platform, door: FromPod, prometheus: Forward, values: dict[str, str]
) -> None:
    """Each query and each variable, as Grafana would ask it, answers a number within a minute of
    traffic that goes on: a rate needs two scrapes with requests between them.
    """
    assert DASHBOARDS, "there are no dashboards: run make generate"
    asked = [
        question
        for path in DASHBOARDS
        for question in questions(json.loads(path.read_text("utf-8")), values)
    ]
    silent = [question.asker for question in asked]

    def all_answer() -> bool:
        order_journey(door, platform.keys["ada"], platform.keys["grace"])
        silent[:] = [one.asker for one in asked if not has_data(prometheus.json(one.target))]
        return not silent

    try:
        wait_until("an answer to every query", all_answer, SOON_S)
    except AssertionError:
        pytest.fail(f"nothing to show for: {'; '.join(silent)}")
