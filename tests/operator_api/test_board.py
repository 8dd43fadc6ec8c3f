"""Does a real Prometheus that scrapes a real operator answer whatever its board asks?"""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from borough_bill.processes import HOST, Ports, die_with_parent
from dashboards.prometheus import program
from e2e.queries import has_data, questions
from operator_api.objects import Namespace, scaler, workload
from operator_api.prometheus import Prometheus
from operator_api.running import Operator, until

BOARD = Path(__file__).parents[2] / "dashboards" / "who-scales-and-why.json"
TITLE = "Who scales, and why?"
EVERY = "500ms"
WITHIN_S = 60.0
WINDOW = {"__rate_interval": "10s", "__range": "60s"}


@contextmanager
def scraping(operator: Operator, folder: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes the operator as our chart's does: its own labels
    hold, and what it says of itself gets those of its pod.
    """
    found = program("prometheus")
    place = {"namespace": "operators", "workload": "borough-operator"}
    job = {
        "job_name": "operators", "honor_labels": True, "scrape_interval": EVERY,
        "scrape_timeout": EVERY,
        "static_configs": [{"targets": [f"{HOST}:{operator.port}"], "labels": place}],
    }  # fmt: skip  # one glance
    settings = folder / "prometheus.json"  # JSON is YAML
    settings.write_text(json.dumps({"scrape_configs": [job]}))
    ports = Ports()
    address = f"{HOST}:{ports.public}"
    words = (
        f"--config.file={settings}", f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
    )  # fmt: skip  # as one types it
    with ExitStack() as stack, (folder / "prometheus.log").open("wb") as log:
        stack.callback(ports.release)
        server = subprocess.Popen(  # noqa: S603  # our own words
            [found, *words],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # it calls prctl, and nothing else
        )
        try:
            yield f"http://{address}"
        finally:
            server.kill()  # nothing of it is kept
            server.wait()


@pytest.fixture
def answers(
    operator: Operator, shared: Namespace, prometheus: Prometheus, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """By who asks it, what Prometheus answers to every question of the board: asked until none is
    met by silence, or until the end of patience.
    """
    target = "board"
    prometheus.rates[shared.name, target] = 120.0
    shared.create(workload(target, replicas=2))
    shared.create(scaler(target))
    board = json.loads(BOARD.read_text("utf-8"))
    asked = list(questions(board, {"namespace": shared.name, "scaler": ".+", **WINDOW}))
    with scraping(operator, tmp_path) as url:
        give_up = time.monotonic() + WITHIN_S

        def look() -> dict[str, Any]:
            said = {question.asker: ask(url + question.target) for question in asked}
            whole = all(map(has_data, said.values()))
            return said if whole or time.monotonic() > give_up else {}

        yield until(look, within=2 * WITHIN_S)


def ask(url: str) -> Any:
    """What is answered there; Prometheus is not there at once."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own
            return json.load(answer)
    except OSError as error:
        return {"status": "error", "error": str(error)}


def test_every_query_of_the_board_has_data(answers: dict[str, Any], shared: Namespace) -> None:
    """Also where nothing ever went wrong, nobody holds anything and nobody changed its mind."""
    assert [asker for asker, said in answers.items() if not has_data(said)] == []
    assert shared.name in answers[f"{TITLE}, variable namespace"]["data"]
    assert "board" in answers[f"{TITLE}, variable scaler"]["data"]
