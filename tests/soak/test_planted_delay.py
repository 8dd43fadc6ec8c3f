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

from borough import commands
from borough.kit.config import Settings
from borough_bill.customers import crowd
from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.towns import SETTINGS, Town
from borough_bill.generator import Generator, Job
from borough_bill.lines.latency import latency
from borough_bill.lines.runs import Runs, series
from borough_bill.machine import machine
from borough_bill.placement import Placement
from borough_bill.results import Plan, Result, Window
from borough_bill.shapes import LocalShape, shape_named
from borough_bill.statistics import Interval, difference

ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "2"))
DELAY_MS, TIMER_MS = 2.0, 1.1
"""What is planted, and how much later than asked the event loop's timer may ring."""
EDGE = "payments.charge"
FEWEST = 8
"""Blocks an interval is worth looking at from."""
PLAN = Plan(
    blocks=ROUNDS, seconds=1, warm_up_s=0.3, rate=15, workload="orders", noun="order",
    reference="as-shipped", again="as-shipped-again", shapes=("delayed",),
)  # fmt: skip  # a plan at a glance


def handler_ms(window: Window) -> float | None:
    """The time of a charge in its handler."""
    hop = window.hops.get(EDGE)
    return 1_000 * hop.handler_s / hop.calls if hop else None


def tax_ms(window: Window) -> float | None:
    """The time of a charge outside its handler."""
    hop = window.hops.get(EDGE)
    return 1_000 * (hop.total_s - hop.handler_s) / hop.calls if hop else None


def finds_it(found: Interval) -> bool:
    """Whether the interval says that there is a delay, and contains the planted one."""
    if found.low is None or found.high is None:
        return False
    return 0 < found.low <= DELAY_MS + TIMER_MS and found.high >= DELAY_MS


@pytest.mark.skipif(ROUNDS < FEWEST, reason="an interval needs the rounds of make soak")
async def test_two_milliseconds_in_payments_are_found_where_they_are(
    sqlite_url: str, tmp_path: Path
) -> None:
    """The planted delay lies within the interval of payments' handler and of the order's latency,
    and the hop's own tax is not charged for it.
    """
    place, people = Placement.here(), {c.name: c.key for c in crowd(10)}
    await commands.seed(Settings(store=SecretStr(sqlite_url)), 1_000_000, "")

    def town(name: str, delay_ms: float = 0) -> Town:
        home = tmp_path / name
        shutil.copytree(tmp_path / "store", home / "data")
        faults = {"payments": {"delay_ms": delay_ms}} if delay_ms else {}
        local = LocalShape(
            shape_named("extract-payments"), home, keys=people, settings=SETTINGS, faults=faults,
            cpu=place.subjects,
        )  # fmt: skip  # one glance
        return Town(local, people)

    towns = {
        "as-shipped": town("as-shipped"),
        "as-shipped-again": town("as-shipped-again"),
        "delayed": town("delayed", DELAY_MS),
    }
    subjects = [Subject(name, place) for name, place in towns.items()]
    folder = Folder(tmp_path / "run")
    intent = Intent(kind="preliminary", created=datetime.now(UTC), seed=1, commit="none", plan=PLAN)
    folder.clear()
    folder.begin(intent)
    async with AsyncExitStack() as stack:
        generator = await stack.enter_async_context(Generator(place.generator))
        for there in towns.values():
            await stack.enter_async_context(there.local)
        session = Session(generator)
        for subject in subjects:
            first = Job(
                doors=dict(subject.place.doors), workload="orders", out=tmp_path / "first",
                seconds=0.5, rate=20, customers=people,
            )  # fmt: skip  # a job at a glance
            await session.measure(subject, first)
        await session.blocks(folder, intent, subjects, lambda *_: None)

    result = Result(**intent.model_dump(), machine=machine(), windows=folder.windows())
    runs = Runs(result)
    shipped, delayed = runs.windows("as-shipped"), runs.windows("delayed")
    in_handler, in_tax = (
        difference(series(delayed, reading), series(shipped, reading))
        for reading in (handler_ms, tax_ms)
    )
    mean = next(line for line in latency(runs) if line is not None)
    assert finds_it(in_handler), in_handler
    assert finds_it(mean.cells[0].change), mean
    assert in_tax.high is not None
    assert in_tax.high < DELAY_MS / 2, in_tax
