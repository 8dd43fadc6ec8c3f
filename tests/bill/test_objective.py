"""Does the bill have the share of requests that met the application's objective?"""

from collections.abc import Callable
from pathlib import Path

import pytest

from bill.fakes import MEASURED, FakeGenerator, intent, planned_only, subjects
from borough_bill.analysis.bill import bill
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import Folder
from borough_bill.results import Objective, Result
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP

OBJECTIVE = Objective(ratio=0.95, threshold_ms=10)


async def test_objective_is_that_of_the_applications_doors(tmp_path: Path) -> None:
    """It is read by the application's command; the bill has no figure of its own."""
    latency = APP.objectives_by_name["gateway"].latency
    assert latency is not None
    found = await LocalShape(shape_named("monolith"), tmp_path).objective()
    assert found == Objective(ratio=latency.ratio, threshold_ms=latency.threshold_ms)


@pytest.mark.parametrize(("threshold_ms", "in_time"), [(5.1, MEASURED), (4.9, 0), (None, None)])
async def test_window_counts_the_requests_that_were_served_in_time(
    tmp_path: Path, threshold_ms: float | None, in_time: int | None
) -> None:
    """Each took 5 ms; without an objective there is no count."""
    objective = None if threshold_ms is None else Objective(ratio=0.9, threshold_ms=threshold_ms)
    wanted = intent()
    plan = wanted.plan.model_copy(update={"objective": objective})
    wanted, folder = wanted.model_copy(update={"plan": plan}), Folder(tmp_path / "run")
    folder.clear()
    folder.begin(wanted)

    await Session(FakeGenerator().generator).blocks(
        folder, wanted, subjects(), lambda *_: None, planned_only(wanted)
    )

    assert {window.in_time for window in folder.windows()} == {in_time}


def test_line_has_the_share_that_met_the_objective(planted: Callable[..., Result]) -> None:
    """Of all requests, including failed ones; without an objective there is no line."""
    made = planted()
    title = "served within 10 ms; the objective is 95 %"
    assert title not in {line.title for line in bill(made).lines}

    late = {"microservices": 0.9}
    windows = [
        window.model_copy(update={"in_time": round(late.get(window.subject, 1.0) * window.offered)})
        for window in made.windows
    ]
    plan = made.plan.model_copy(update={"objective": OBJECTIVE})
    found = bill(made.model_copy(update={"plan": plan, "windows": tuple(windows)}))

    (line,) = [line for line in found.lines if line.title == title]
    assert line.value.mean == 100
    shares = {cell.subject: cell.value.mean for cell in line.cells}
    assert shares == dict.fromkeys(shares, 100) | {"microservices": pytest.approx(90)}
    worse, _, rest = line.sentence.partition("; ")
    assert worse == (
        "The share of orders that is served within 10 ms is 10.00 % lower in microservices "
        "(in every block) than in monolith (100.00 %)"
    )
    assert rest == "apis and extract-payments no different."
