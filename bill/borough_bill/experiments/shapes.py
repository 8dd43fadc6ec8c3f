"""E2: the shapes under load, their CPU at no load, and the audit of their stores.

The rate is below the knee, where a queue builds up and a small difference in speed becomes a large
one in latency: it follows from the cost of a request in the shape with most parts.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from borough_bill.experiments.blocks import Session, Subject
from borough_bill.experiments.measured import BASELINE, MeasuredShapes
from borough_bill.load.generator import Job
from borough_bill.load.recording import Recording
from borough_bill.load.schedule import CONSTANT
from borough_bill.load.workload import workload as workload_of
from borough_bill.results import Window
from borough_bill.targets.attribution import cpu_seconds_of
from borough_bill.targets.shapes import CommandFailed

UTILISATION = 0.3
"""Upper limit, as a share of the core time that the subjects get."""
FEWEST = 2
"""Requests in a window, at least."""
PROBE_RATE, PROBE_S = 20.0, 0.7
SLOWEST, ATTEMPTS = 8, 3
"""The factor by which the first requests are sent slower on a busy core, at most; and attempts."""
SHARE_S = 0.5
"""Seconds for which the available share of the core is measured."""
AUDITS_AT_ONCE = 2
IDLE = 5
"""Windows at no load."""


def subjects(running: MeasuredShapes) -> tuple[Subject, ...]:
    """The shapes, the reference twice for A/A, and the baseline, if there is one."""
    names = (*_shapes(running), BASELINE)
    return tuple(Subject(name, running[name]) for name in names if name in running)


def _shapes(running: MeasuredShapes) -> tuple[str, ...]:
    return (running.scale.reference, running.scale.again, *running.scale.shapes)


async def first_requests(
    running: MeasuredShapes, session: Session, folder: Path, share: float
) -> float:
    """Send the set-up requests and some of the workload to every shape, so that no process is cold
    afterwards. Where the subjects get only a `share` of the core, they are sent more slowly.

    Returns the CPU seconds of a request in the last shape, which has most parts; its latency, where
    CPU cannot be read. Raises CommandFailed if a request fails, and NotCounted if the auditor does
    not count a kind of rows that the workload names.
    """
    price, work = 0.0, workload_of(running.app.workload)
    for name in running:
        shape, out = running[name], folder / f"first-orders-{name}"
        window = await first_orders(Subject(name, shape), session, out, share, running.app.workload)
        if window.served < window.offered:
            reasons = Recording.read(out).header.reasons.items()
            raise CommandFailed(
                f"of {window.offered} first {work.noun}s of {name} {window.served} were answered "
                f"as expected, in the last of {ATTEMPTS} attempts: "
                f"{', '.join(f'{number} x {why}' for why, number in reasons)}; its log ends with:\n"
                f"{shape.local.processes[0].log_tail()}"
            )
        if name == running.scale.shapes[-1]:
            used = sum(window.cpu_s.values()) / window.served
            price = used or (window.from_sent.mean / 1_000 if window.from_sent else 0.0)
    if promised := work.promised({}):
        (await running[running.scale.reference].local.audit()).require(promised)
    return price


async def first_orders(
    subject: Subject, session: Session, out: Path, share: float, workload: str
) -> Window:
    """The window of a subject's first requests; repeated if some failed, since a request to a cold
    process may miss its deadline on a busy machine.
    """
    slower, target = min(1 / share, SLOWEST) if share else SLOWEST, subject.target
    attempt = 0
    while True:
        attempt += 1
        job = Job(
            doors=dict(target.doors),
            workload=workload,
            out=out,
            seconds=PROBE_S * slower,
            rate=PROBE_RATE / slower,
            arrivals=CONSTANT,
            seed=attempt,
            customers=dict(target.customers),
            pids=dict(target.pids),
        )
        window = await session.measure(subject, job)
        if window.served == window.offered or attempt == ATTEMPTS:
            return window


def affordable_rate(order_cpu_s: float, share: float, window_s: float) -> float:
    """Requests a second that keep the subjects below UTILISATION of their `share` of the core, and
    at least FEWEST in a window. Other busy processes take the remainder of the core, so above their
    share the subjects would queue.
    """
    return max(round(UTILISATION * share / order_cpu_s, 1), round(FEWEST / window_s, 1))


async def idle(running: MeasuredShapes, seconds: float) -> AsyncIterator[Window]:
    """The CPU of all shapes without requests, measured at the same time: IDLE windows of `seconds`
    in all, since one has no interval.
    """
    shapes = {name: running[name].pids for name in _shapes(running)}
    for block in range(IDLE):
        before = {name: cpu_seconds_of(pids) for name, pids in shapes.items()}
        await asyncio.sleep(seconds / IDLE)
        after = {name: cpu_seconds_of(pids) for name, pids in shapes.items()}
        for name in shapes:
            yield Window(
                block=block,
                experiment="idle",
                subject=name,
                seconds=seconds / IDLE,
                cpu_s={part: now - before[name][part] for part, now in after[name].items()},
            )


async def audits(
    running: MeasuredShapes, served: Mapping[str, Mapping[str, int]]
) -> dict[str, tuple[str, ...]]:
    """The auditor's violations by shape, and rows missing in the stores that the `served` answers,
    by shape and class, promised.
    """
    slots, promised = (
        asyncio.Semaphore(AUDITS_AT_ONCE),
        workload_of(running.app.workload).promised,
    )

    async def audit(name: str) -> tuple[str, ...]:
        async with slots:
            return (await running[name].local.audit()).with_missing(promised(served[name]))

    names = running.audited
    return dict(zip(names, await asyncio.gather(*map(audit, names)), strict=True))
