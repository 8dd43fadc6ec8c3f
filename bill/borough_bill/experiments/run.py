"""A whole run, from an empty folder to a result: E0, then E1 and E2 in the same blocks.

Whatever is measured is written at once, so that an interrupted run can go on; the result is put
together from the folder and from nothing else.
"""

import math
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.lines.runs import Runs
from borough_bill.experiments import ladder, shapes, spans
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.experiments.ladder import HopLadder
from borough_bill.experiments.scale import (
    AUDIT_S,
    FREEZE_S,
    INTRODUCE_S,
    PACED_BLOCKS,
    PAUSE_MS,
    START_S,
    Scale,
)
from borough_bill.experiments.stopping import Stopping, told
from borough_bill.experiments.towns import (
    AGAIN,
    BASELINE,
    HIGH,
    REFERENCE,
    SETTINGS,
    Towns,
)
from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator
from borough_bill.results import Freeze, Plan, Result, write
from borough_bill.targets.machine import commit, machine
from borough_bill.targets.placement import Placement

FREEZE, HOPS, SERVED = "freeze", "hops", "served"
"""The names of the steps that are no windows."""
SEED_BELOW = 100_000
LABELS = {
    AGAIN: "the monolith a second time",
    BASELINE: "the order as one transaction on one database",
}

NOTES = (
    "PSS is read with all deployments up: what they share of Python is divided among all of them.",
    (
        "CPU of T7a and T7b contains the export of every span; where the exporter's timer fell "
        "into the window, of the warm-up's too."
    ),
)


class Tally(BaseModel):
    """Orders that customers were told of, by deployment, over all sessions of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    served: Mapping[str, int]


Tell = Callable[[str, float], object]
"""Hears what begins, and the seconds it should take."""


class Run:
    """A run in a folder: the one that was begun there and interrupted, or a new one, `fresh` or
    where there is none.

    Raises WrongFolder where the folder holds something else.
    """

    def __init__(self, folder: Folder, scale: Scale, tell: Tell, *, fresh: bool = False) -> None:
        self._began = time.monotonic()
        self._folder = folder
        self._scale = scale
        self._tell = tell
        self._place = Placement.here()
        self._begun = folder.intent() if folder.unfinished and not fresh else None
        if self._begun is None:
            folder.clear()
        elif (difference := _difference(self._begun, scale)) is not None:
            raise WrongFolder(
                f"{folder.path} holds an unfinished run with {difference}: repeat the command it "
                "was begun with, or begin anew with --fresh"
            )
        elif folder.windows() and not folder.towns.is_dir():
            raise WrongFolder(
                f"{folder.path} holds windows, but the stores of their orders are gone, so nobody "
                "could audit them: begin anew with --fresh"
            )

    async def measure(self) -> Result:
        """Measure what is not there yet, and put the result together.

        Raises BrokenResult where a file of the folder is broken, and what the experiments raise.
        """
        folder, place = self._folder, self._place
        there, served = folder.towns.is_dir(), folder.find(SERVED, Tally)
        folder.towns.mkdir(exist_ok=True)
        kept = folder.towns / "spans"
        self._tell("starting every shape", START_S)
        async with (
            Generator(place.generator) as generator,
            self._collecting(kept) as otlp,
            Towns(
                self._scale.shapes, folder.towns, cpu=place.subjects, otlp=otlp, stores_there=there
            ) as towns,
        ):
            session = Session(
                generator,
                served=served.served if served else {},
                keep=lambda served: folder.put(SERVED, Tally(served=served)),
                core=place.subjects,
            )
            self._tell("the first orders everywhere", INTRODUCE_S)
            share = place.share(shapes.SHARE_S)
            price = await shapes.introduce(towns, session, folder.towns, share)
            intent = self._begun or self._intent(price, share)
            folder.begin(intent)
            frozen = await self._freeze(generator)
            hops = HopLadder(rungs=()) if otlp is None else await self._hops(intent, otlp)
            began = time.monotonic()
            with place.aside():
                stopped = await self._windows(intent, towns, session)
            measured = time.monotonic()
            self._tell("asking the auditor", AUDIT_S)
            audits = await shapes.audits(towns, session.served)
            if otlp is not None:
                await towns[HIGH].settle()
        result = Result(
            **intent.model_dump(),
            machine=machine(),
            windows=folder.windows(),
            hop_ladder=hops.rungs,
            freeze=frozen,
            critical_path=spans.critical_path(kept) if kept.exists() else None,
            audits=audits,
            took_s={
                "set-up": began - self._began,
                "measuring": measured - began,
                "books": time.monotonic() - measured,
            },
            stopped=stopped,
            notes=NOTES if self._scale.ladder else NOTES[:1],
        )
        write(result, folder.path / RESULT)
        if not any(audits.values()):
            shutil.rmtree(folder.towns)
        return result

    @asynccontextmanager
    async def _collecting(self, kept: Path) -> AsyncIterator[str | None]:
        """Where the ladder's spans go, if there is a ladder."""
        if not self._scale.ladder:
            yield None
            return
        async with spans.collecting(kept, self._place.generator) as otlp:
            yield otlp

    def _intent(self, order_cpu_s: float, share: float) -> Intent:
        scale = self._scale
        plan = Plan(
            blocks=scale.blocks,
            most=scale.most,
            measuring_s=scale.measuring_s,
            ladder=scale.ladder,
            seconds=scale.seconds,
            warm_up_s=scale.warm_up_s,
            rate=scale.rate or shapes.affordable_rate(order_cpu_s, share, scale.seconds),
            arrivals=scale.arrivals,
            together=scale.together,
            longer=scale.longer,
            workload=shapes.WORKLOAD,
            noun="order",
            reference=REFERENCE,
            again=AGAIN,
            shapes=scale.shapes,
            baseline=BASELINE,
            top=scale.shapes[-1],
            settings={f"BOROUGH_{name}": value for name, value in SETTINGS.items()},
            placement=self._place.sentence,
            labels=LABELS,
        )
        seed = scale.seed
        return Intent(
            kind=scale.kind,
            created=datetime.now(UTC),
            seed=random.SystemRandom().randrange(SEED_BELOW) if seed is None else seed,
            commit=commit(),
            plan=plan,
        )

    async def _freeze(self, generator: Generator) -> Freeze | None:
        found = self._folder.find(FREEZE, Freeze)
        if found is None and self._scale.freeze:
            self._tell("a server that stands still", FREEZE_S)
            found = await freeze_check(generator, self._place.subjects)
            self._folder.put(FREEZE, found)
        return found

    async def _hops(self, intent: Intent, otlp: str) -> HopLadder:
        found = self._folder.find(HOPS, HopLadder)
        if found is None:
            blocks, calls, place = intent.plan.blocks, self._scale.hop_calls, self._place
            self._tell("one hop on every rung", blocks * self._scale.hop_s + self._scale.paced_s)
            alone = partial(
                ladder.one_hop,
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

    async def _windows(self, intent: Intent, towns: Towns, session: Session) -> str:
        """Measure, and say why no block more was."""
        subjects = shapes.subjects(towns)
        if intent.plan.ladder:
            subjects += ladder.subjects(towns)
        self._folder.keep_whole_blocks([subject.label for subject in subjects])
        scale = self._scale
        ends_at = math.inf if scale.within_s is None else self._began + scale.within_s
        stopping = Stopping(intent.plan, lambda: told(self._so_far(intent)), ends_at=ends_at)
        await session.blocks(self._folder, intent, subjects, self._tell, stopping)
        self._tell("no requests at all", scale.idle_s)
        async for window in shapes.idle(towns, scale.idle_s):
            self._folder.keep(window)
        return stopping.reason

    def _so_far(self, intent: Intent) -> Runs:
        found = self._folder
        return Runs(
            Result(
                **intent.model_dump(),
                machine=machine(),
                windows=found.windows(),
                freeze=found.find(FREEZE, Freeze),
            )
        )


def _difference(intent: Intent, scale: Scale) -> str | None:
    """What was begun otherwise than it is asked for now; None where it is the same."""
    plan = intent.plan
    for name, begun, asked in (
        ("kind", intent.kind, scale.kind),
        ("shapes", plan.shapes, scale.shapes),
        ("a ladder:", plan.ladder, scale.ladder),
        ("blocks", plan.blocks, scale.blocks),
        ("seconds a window", plan.seconds, scale.seconds),
        ("seconds of warm-up", plan.warm_up_s, scale.warm_up_s),
        ("rate", plan.rate, scale.rate),
        ("seed", intent.seed, scale.seed),
        ("commit", intent.commit, commit()),
    ):
        if asked not in (None, begun):
            return f"{name} {begun}, not {asked}"
    return None
