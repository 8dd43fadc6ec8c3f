"""E2: the shapes under load, and what they are at rest: idle CPU, and books that hold all of it.

Below the knee: where a queue builds up, a small difference in speed looks like a large one in
latency, so the rate is chosen by what a request costs the shape of most parts.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.towns import BASELINE, Towns
from borough_bill.load.generator import Job
from borough_bill.load.recording import Recording
from borough_bill.load.schedule import CONSTANT
from borough_bill.load.workload import workload as workload_of
from borough_bill.results import Window
from borough_bill.targets.attribution import cpu_seconds
from borough_bill.targets.shapes import CommandFailed

UTILISATION = 0.3
"""Of what the parts of a shape get of the one core that all share, at most."""
FEWEST = 2
"""Requests in a window, however slow the machine is."""
PROBE_RATE, PROBE_S = 20.0, 0.7
SLOWEST, ATTEMPTS = 8, 3
"""Times that the first requests are sent slower, where the core gives little; and tries of them."""
SHARE_S = 0.5
"""Seconds for which it is tried how much of the core there is to get."""
AUDITS_AT_ONCE = 2
IDLE = 5
"""Windows at rest."""


def subjects(towns: Towns) -> tuple[Subject, ...]:
    """The shapes, the reference twice for A/A, and the baseline, where there is one."""
    return tuple(
        Subject(name, towns[name]) for name in (*_shapes(towns), BASELINE) if name in towns
    )


def _shapes(towns: Towns) -> tuple[str, ...]:
    return (towns.scale.reference, towns.scale.again, *towns.scale.shapes)


async def introduce(towns: Towns, session: Session, folder: Path, share: float) -> float:
    """Customers and first requests everywhere, so that nothing is new to any process afterwards; as
    slowly as the `share` of the core demands that the subjects get.

    Answers the CPU seconds of a request in the last of the shapes, which has most parts; where they
    cannot be read, the seconds it takes. Raises CommandFailed where a request goes wrong by now,
    and NotCounted where the auditor does not count what the workload says that it counts.
    """
    price, work = 0.0, workload_of(towns.of.workload)
    for name in towns:
        town, out = towns[name], folder / f"first-orders-{name}"
        window = await first_orders(Subject(name, town), session, out, share, towns.of.workload)
        if window.served < window.offered:
            reasons = Recording.read(out).header.reasons.items()
            raise CommandFailed(
                f"of {window.offered} first {work.noun}s of {name} {window.served} were answered "
                f"as expected, and no more in {ATTEMPTS} tries: "
                f"{', '.join(f'{number} x {why}' for why, number in reasons)}; it says:\n"
                f"{town.local.processes[0].words()}"
            )
        if name == towns.scale.shapes[-1]:
            used = sum(window.cpu_s.values()) / window.served
            price = used or (window.from_sent.mean / 1_000 if window.from_sent else 0.0)
    if promised := work.promised({}):
        (await towns[towns.scale.reference].local.audit()).need(promised)
    return price


async def first_orders(
    subject: Subject, session: Session, out: Path, share: float, workload: str
) -> Window:
    """The window of a subject's first requests; tried again where some failed, since a first one,
    for which nothing is ready yet, may miss its deadline on a busy machine.
    """
    slower, place = min(1 / share, SLOWEST) if share else SLOWEST, subject.place
    attempt = 0
    while True:
        attempt += 1
        job = Job(
            doors=dict(place.doors),
            workload=workload,
            out=out,
            seconds=PROBE_S * slower,
            rate=PROBE_RATE / slower,
            arrivals=CONSTANT,
            seed=attempt,
            customers=dict(place.customers),
            pids=dict(place.pids),
        )
        window = await session.measure(subject, job)
        if window.served == window.offered or attempt == ATTEMPTS:
            return window


def affordable_rate(order_cpu_s: float, share: float, window_s: float) -> float:
    """Requests a second that keep the subjects below UTILISATION of their `share` of the core, but
    FEWEST in a window. Others that never rest take the remainder of the core, and above their share
    of it the subjects would queue.
    """
    return max(round(UTILISATION * share / order_cpu_s, 1), round(FEWEST / window_s, 1))


async def idle(towns: Towns, seconds: float) -> AsyncIterator[Window]:
    """What all shapes use while nobody asks anything, measured at the same time: IDLE windows of
    `seconds` in all, since one says nothing of chance.
    """
    shapes = {name: towns[name].pids for name in _shapes(towns)}
    for block in range(IDLE):
        before = {name: _clocks(pids) for name, pids in shapes.items()}
        await asyncio.sleep(seconds / IDLE)
        after = {name: _clocks(pids) for name, pids in shapes.items()}
        for name in shapes:
            yield Window(
                block=block,
                experiment="idle",
                subject=name,
                seconds=seconds / IDLE,
                cpu_s={part: now - before[name][part] for part, now in after[name].items()},
            )


def _clocks(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


async def audits(
    towns: Towns, served: Mapping[str, Mapping[str, int]]
) -> dict[str, tuple[str, ...]]:
    """What the auditor complains of in each shape; and customers, where the books hold less than
    they were told of by the right answers that were `served`, by deployment and class.
    """
    turn, promised = asyncio.Semaphore(AUDITS_AT_ONCE), workload_of(towns.of.workload).promised

    async def ask(name: str) -> tuple[str, ...]:
        async with turn:
            return (await towns[name].local.audit()).complaints(promised(served[name]))

    names = tuple(towns.audited)
    return dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))
