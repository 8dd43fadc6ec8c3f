"""Does every query of the dashboard return data from a real Prometheus and a real operator?"""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from borough_bill.targets.processes import HOST
from dashboards.prometheus import scraping
from e2e.queries import has_data, questions
from operator_api.objects import Namespace, scaler, workload
from operator_api.prometheus import Prometheus
from operator_api.running import Operator
from waiting import LOOK_S, LOOKS

BOARD = Path(__file__).parents[3] / "dashboards" / "who-scales-and-why.json"
TITLE = "Who scales, and why?"
EVERY = "500ms"
WINDOW = {"__rate_interval": "10s", "__range": "60s"}


def job(operator: Operator) -> dict[str, Any]:
    """A scrape job as in the chart: with honor_labels, and the labels of the operator's pod for its
    own metrics.
    """
    place = {"namespace": "operators", "workload": "borough-operator"}
    return {
        "job_name": "operators", "honor_labels": True, "scrape_interval": EVERY,
        "scrape_timeout": EVERY,
        "static_configs": [{"targets": [f"{HOST}:{operator.port}"], "labels": place}],
    }  # fmt: skip  # a table


@pytest.fixture
def answers(
    operator: Operator, shared: Namespace, prometheus: Prometheus, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """The responses to all queries of the dashboard, by their panel: repeated until each has data,
    or until the limit.
    """
    target = "board"
    prometheus.rates[shared.name, target] = 120.0
    shared.create(workload(target, replicas=2))
    shared.create(scaler(target))
    board = json.loads(BOARD.read_text("utf-8"))
    asked = list(questions(board, {"namespace": shared.name, "scaler": ".+", **WINDOW}))
    with scraping([job(operator)], tmp_path) as url:
        found: dict[str, Any] = {}
        for _ in range(LOOKS):
            found = {question.asker: ask(url + question.target) for question in asked}
            if all(map(has_data, found.values())):
                break
            time.sleep(LOOK_S)
        yield found


def ask(url: str) -> Any:
    """The response, or an error while Prometheus starts."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # a local URL
            return json.load(answer)
    except OSError as error:
        return {"status": "error", "error": str(error)}


def test_every_query_of_the_board_has_data(answers: dict[str, Any], shared: Namespace) -> None:
    """Also where there was no failure, no hold and no reversal."""
    assert [asker for asker, found in answers.items() if not has_data(found)] == []
    assert shared.name in answers[f"{TITLE}, variable namespace"]["data"]
    assert "board" in answers[f"{TITLE}, variable scaler"]["data"]
