"""Does the bill find a delay that was planted, and put it on the right line?

Real processes and real time: only `make soak` asks for enough rounds to measure anything.
"""

import os
import shutil
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from bill.fakes import planned_only
from borough import commands
from borough.config import Settings
from borough_bill.analysis.lines import edges, hop_lines, latency
from borough_bill.analysis.runs import Runs
from borough_bill.analysis.statistics import Interval
from borough_bill.experiments.application import SHOP
from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.measured import MeasuredShape
from borough_bill.load.customers import make_customers
from borough_bill.load.generator import Generator, Job
from borough_bill.results import Plan, Result
from borough_bill.targets.machine import Placement, machine
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP

ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))
DELAY_MS, TIMER_MS = 2.0, 1.1
"""What is planted, and how much later than asked the event loop's timer may ring."""
EDGE = "payments.charge"
FEWEST, MOST = 8, 3
"""Blocks an interval is worth looking at from; and how many times the rounds they may become."""
NARROW_MS = 0.5
"""Half an interval that separates the delay from none."""
PLAN = Plan(
    blocks=ROUNDS, seconds=1.5, warm_up_s=0.3, rate=20, arrivals="constant", workload="orders",
    noun="order", reference="as-shipped", again="as-shipped-again", shapes=("delayed",),
)  # fmt: skip  # a plan at a glance


class Found:
    """The bill's own lines of what was measured so far, in ms."""

    def __init__(self, result: Result) -> None:
        runs = Runs(result)
        order, tax = next(latency(runs)), next(hop_lines(runs))
        assert order is not None
        assert tax is not None
        assert (order.id, tax.id) == ("D1", "D2")
        self.order, self.tax = order.cells[0].change, _ms(tax.cells[0].change)
        both = PLAN.model_copy(update={"shapes": (PLAN.reference, *PLAN.shapes)})
        self.shipped, self.delayed = (
            _ms(edge.handler)
            for edge in edges(Runs(result.model_copy(update={"plan": both})))
            if edge.edge == EDGE
        )

    @property
    def wide(self) -> bool:
        """Whether chance hides what was planted. The means are not looked at:
        stopping at a liked answer would bias it.
        """
        return any(found.half_width > NARROW_MS for found in (self.tax, self.shipped, self.delayed))


def _ms(us: Interval) -> Interval:
    low, high = (None if end is None else end / 1_000 for end in (us.low, us.high))
    return us.model_copy(update={"mean": us.mean / 1_000, "low": low, "high": high})


@pytest.mark.skipif(ROUNDS < FEWEST, reason="an interval needs the rounds of make soak")
async def test_planted_delay_is_attributed_to_its_handler(sqlite_url: str, tmp_path: Path) -> None:
    """The bill shows the planted delay in payments' handler and in the order's latency, and does
    not charge the hops for it.
    """
    place, people = Placement.here(), {c.name: c.key for c in make_customers(10)}
    await commands.seed(APP, Settings(store=SecretStr(sqlite_url)), {"stock": "1000000"})

    def measured(name: str, delay_ms: float = 0) -> MeasuredShape:
        home = tmp_path / name
        shutil.copytree(tmp_path / "store", home / "data")
        faults = {"payments": {"delay_ms": delay_ms}} if delay_ms else {}
        local = LocalShape(
            shape_named("extract-payments"), home, keys=people, settings=SHOP.settings,
            faults=faults, cpu=place.subjects,
        )  # fmt: skip  # one glance
        return MeasuredShape(local, people)

    places = {
        "as-shipped": measured("as-shipped"),
        "as-shipped-again": measured("as-shipped-again"),
        "delayed": measured("delayed", DELAY_MS),
    }
    subjects = [Subject(name, place) for name, place in places.items()]
    folder = Folder(tmp_path / "run")
    folder.clear()
    async with AsyncExitStack() as stack:
        generator = await stack.enter_async_context(Generator(place.generator))
        for there in places.values():
            await stack.enter_async_context(there.local)
        session = Session(generator)
        for subject in subjects:
            first = Job(
                doors=dict(subject.target.doors), workload="orders", out=tmp_path / "first",
                seconds=0.5, rate=20, customers=people,
            )  # fmt: skip  # a job at a glance
            await session.measure(subject, first)
        blocks = 0
        while True:
            blocks += ROUNDS
            intent = Intent(
                kind="preliminary", created=datetime.now(UTC), seed=1, commit="none",
                plan=PLAN.model_copy(update={"blocks": blocks}),
            )  # fmt: skip  # one glance
            await session.blocks(folder, intent, subjects, lambda *_: None, planned_only(intent))
            result = Result(**intent.model_dump(), machine=machine(), windows=folder.windows())
            found = Found(result)
            if not found.wide or blocks >= MOST * ROUNDS:
                break

    facts = vars(found)
    for shipped, delayed in (
        (found.shipped.high, found.delayed.low),
        (found.tax.high, DELAY_MS),
    ):
        assert shipped is not None, facts
        assert delayed is not None, facts
        assert shipped < delayed, facts
    added = found.delayed.mean - found.shipped.mean
    width = found.delayed.half_width + found.shipped.half_width
    for mean, half in ((added, width), (found.order.mean, found.order.half_width)):
        assert DELAY_MS - half <= mean <= DELAY_MS + TIMER_MS + half, facts
