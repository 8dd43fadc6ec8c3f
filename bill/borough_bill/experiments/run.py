"""A whole run, from an empty folder to a result: E0, then E1 and E2 in the same blocks.

Everything measured is written at once, so that an interrupted run can be resumed; the result is
computed from the folder alone.
"""

import math
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from borough_bill.analysis.runs import Runs
from borough_bill.experiments import ladder, shapes
from borough_bill.experiments.application import PREFIX, SHOP, Application
from borough_bill.experiments.blocks import Served, Session
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.experiments.ladder import HopLadder
from borough_bill.experiments.measured import BASELINE, HIGH, MeasuredShapes
from borough_bill.experiments.scale import (
    AUDIT_S,
    FIRST_REQUESTS_S,
    FREEZE_S,
    PACED_BLOCKS,
    PAUSE_MS,
    START_S,
    Scale,
)
from borough_bill.experiments.stopping import Stopping, resolved
from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator
from borough_bill.load.workload import workload as workload_of
from borough_bill.results import Freeze, Frozen, Objective, Plan, Result, write
from borough_bill.targets.machine import Placement, commit, machine

FREEZE, HOPS, SERVED = "freeze", "hops", "served"
"""The names of the steps that are not windows, under which the folder has their results."""
NOTES = (
    "PSS is read while all shapes run: pages that they share are divided among all of them.",
    (
        "CPU of T7a and T7b contains the export of every span; of the warm-up's too, where the "
        "exporter's timer fired in the window."
    ),
)


class Tally(Frozen):
    """Expected answers by shape and class, over all sessions of a run."""

    served: Served


OnStep = Callable[[str, float], object]
"""Called with the name of each step before it begins, and the seconds it should take."""


class Run:
    """A run of an application in a folder: the interrupted one, or a new one if there is none or if
    it is to begin `fresh`.

    Raises WrongFolder if the folder has other files, or a run with other options.
    """

    def __init__(
        self,
        folder: Folder,
        scale: Scale,
        on_step: OnStep,
        *,
        app: Application = SHOP,
        fresh: bool = False,
    ) -> None:
        self._app = app
        self._began = time.monotonic()
        self._folder = folder
        self._scale = scale
        self._on_step = on_step
        self._place = Placement.here()
        self._begun = folder.intent() if folder.unfinished and not fresh else None
        if self._begun is None:
            folder.clear()
        elif (difference := _difference(self._begun, scale, app)) is not None:
            raise WrongFolder(
                f"{folder.path} holds an unfinished run with {difference}: repeat the command it "
                "was begun with, or begin anew with --fresh"
            )
        elif folder.windows() and not folder.deployments.is_dir():
            raise WrongFolder(
                f"{folder.path} holds windows, but the stores of their orders are gone, so they "
                "cannot be audited: begin anew with --fresh"
            )

    async def measure(self) -> Result:
        """Measure what is missing, and write the result.

        Raises BrokenResult if a file of the folder is broken, and what the experiments raise.
        """
        folder, place = self._folder, self._place
        stores_exist, served = folder.deployments.is_dir(), folder.find(SERVED, Tally)
        folder.deployments.mkdir(exist_ok=True)
        kept = folder.deployments / "spans"
        collector = (
            ladder.collecting(kept, place.generator) if self._scale.ladder else nullcontext()
        )
        self._on_step("starting every shape", START_S)
        async with (
            Generator(place.generator) as generator,
            collector as otlp,
            MeasuredShapes(
                self._app,
                self._scale,
                folder.deployments,
                cpu=place.subjects,
                otlp=otlp,
                stores_exist=stores_exist,
            ) as running,
        ):
            session = Session(
                generator,
                served=served.served if served else {},
                on_served=lambda served: folder.put(SERVED, Tally(served=served)),
                core=place.subjects,
            )
            self._on_step("first requests to every shape", FIRST_REQUESTS_S)
            share = place.core_share(shapes.SHARE_S)
            price = await shapes.first_requests(running, session, folder.deployments, share)
            objective = await running[self._scale.reference].local.objective()
            intent = self._begun or self._intent(price, share, objective)
            folder.begin(intent)
            if self._scale.freeze:
                await measure_freeze(folder, generator, place.subjects, self._on_step)
            hops = await self._hops(intent, otlp)
            began = time.monotonic()
            with place.runner_pinned():
                stopped = await self._windows(intent, running, session)
            measured = time.monotonic()
            self._on_step("running the auditor", AUDIT_S)
            audits = await shapes.audits(running, session.served)
            if otlp is not None:
                await running[HIGH].settle()
        rungs = self._app.rungs
        result = result_of(
            folder,
            intent,
            hop_ladder=hops.rungs,
            critical_path=ladder.critical_path(kept, rungs.root)
            if rungs is not None and kept.exists()
            else None,
            audits=audits,
            took_s={
                "set-up": began - self._began,
                "measuring": measured - began,
                "books": time.monotonic() - measured,
            },
            stopped=stopped,
            notes=(*(NOTES if self._scale.ladder else NOTES[:1]), *self._app.left_out),
        )
        write(result, folder.path / RESULT)
        if not any(audits.values()):
            shutil.rmtree(folder.deployments)
        return result

    def _intent(self, order_cpu_s: float, share: float, objective: Objective | None) -> Intent:
        scale, app = self._scale, self._app
        noun = workload_of(app.workload).noun
        labels = {scale.again: f"a second instance of {scale.reference}", **app.labels}
        if app.baseline is not None:
            labels[BASELINE] = f"the {noun} as one transaction on one database"
        same = {name: getattr(scale, name) for name in Plan.model_fields if hasattr(scale, name)}
        plan = Plan(
            **same
            | {
                "rate": scale.rate or shapes.affordable_rate(order_cpu_s, share, scale.seconds),
                "workload": app.workload,
                "noun": noun,
                "baseline": app.baseline and BASELINE,
                "top": scale.shapes[-1],
                "settings": {f"{PREFIX}{name}": value for name, value in app.settings.items()},
                "placement": self._place.sentence,
                "labels": labels,
                "objective": objective,
            }
        )
        return Intent.now(scale.kind, plan, scale.seed)

    async def _hops(self, intent: Intent, otlp: str | None) -> HopLadder:
        if otlp is None or self._app.rungs is None:
            return HopLadder(rungs=())
        found = self._folder.find(HOPS, HopLadder)
        if found is None:
            blocks, calls, place = intent.plan.blocks, self._scale.hop_calls, self._place
            self._on_step("one hop on every rung", blocks * self._scale.hop_s + self._scale.paced_s)
            alone = partial(
                ladder.one_hop,
                self._app.rungs.module,
                seed=intent.seed,
                otlp=otlp,
                caller_cpu=place.generator,
                callee_cpu=place.subjects,
            )
            busy = await alone(blocks=blocks, calls=calls)
            paced = await alone(
                blocks=PACED_BLOCKS, calls=self._scale.paced_calls, pause_ms=PAUSE_MS
            )
            found = HopLadder(rungs=(*busy.rungs, *paced.rungs))
            self._folder.put(HOPS, found)
        return found

    async def _windows(self, intent: Intent, running: MeasuredShapes, session: Session) -> str:
        """Measure the blocks; the reason why no more were measured."""
        subjects = shapes.subjects(running)
        if intent.plan.ladder:
            subjects += ladder.subjects(running)
        self._folder.keep_whole_blocks([subject.label for subject in subjects])
        scale = self._scale
        ends_at = math.inf if scale.within_s is None else self._began + scale.within_s
        stopping = Stopping(
            intent.plan, lambda: resolved(Runs(result_of(self._folder, intent))), ends_at=ends_at
        )
        await session.blocks(self._folder, intent, subjects, self._on_step, stopping)
        self._on_step("no requests at all", scale.idle_s)
        async for window in shapes.idle(running, scale.idle_s):
            self._folder.keep(window)
        return stopping.reason


async def measure_freeze(
    folder: Folder, generator: Generator, cpu: int | None, on_step: OnStep
) -> None:
    """Measure a frozen server on core `cpu`, unless the folder holds that already."""
    if folder.find(FREEZE, Freeze) is None:
        on_step("a server that freezes", FREEZE_S)
        folder.put(FREEZE, await freeze_check(generator, cpu))


def result_of(folder: Folder, intent: Intent, **more: Any) -> Result:
    """The result of what the folder holds so far, and of `more` fields."""
    return Result(
        **intent.model_dump(),
        machine=machine(),
        windows=folder.windows(),
        freeze=folder.find(FREEZE, Freeze),
        **more,
    )


def _difference(intent: Intent, scale: Scale, app: Application) -> str | None:
    """The first option in which the interrupted run differs from this one; None if none does."""
    plan = intent.plan
    sent = app.labels.get("workload", app.workload)  # the digest, or a shipped one of the commit
    for name, begun, wanted in (
        ("kind", intent.kind, scale.kind),
        ("application", plan.labels.get("application", SHOP.name), app.name),
        ("workload", plan.labels.get("workload", plan.workload), sent),
        ("reference", plan.reference, scale.reference),
        ("shapes", plan.shapes, scale.shapes),
        ("a ladder:", plan.ladder, scale.ladder),
        ("blocks", plan.blocks, scale.blocks),
        ("seconds a window", plan.seconds, scale.seconds),
        ("seconds of warm-up", plan.warm_up_s, scale.warm_up_s),
        ("rate", plan.rate, scale.rate),
        ("seed", intent.seed, scale.seed),
        ("commit", intent.commit, commit()),
    ):
        if wanted not in (None, begun):
            return f"{name} {begun}, not {wanted}"
    return None
