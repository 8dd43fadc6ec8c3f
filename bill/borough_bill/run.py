"""A whole run, from an empty folder to a result: E0, then E1 and E2 in the same blocks.

Whatever is measured is written at once, so that an interrupted run can go on; the result is put
together from the folder and from nothing else.
"""

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict

from borough_bill.experiments import ladder, shapes, spans, validity
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import RESULT, Folder, Intent, WrongFolder
from borough_bill.experiments.ladder import HopLadder
from borough_bill.experiments.towns import (
    AGAIN,
    BASELINE,
    HIGH,
    REFERENCE,
    SETTINGS,
    Towns,
)
from borough_bill.generator import Generator
from borough_bill.lines.ladder import SHIPPED
from borough_bill.machine import commit, machine
from borough_bill.placement import Placement
from borough_bill.results import RUNGS, Freeze, Plan, Result, write
from borough_bill.schedule import CONSTANT, POISSON

SHAPES = ("apis", "extract-payments", "microservices")
"""Beside the monolith; the ladder leads to the last."""
FREEZE, HOPS, SERVED = "freeze", "hops", "served"
"""The names of the steps that are no windows."""
START_S, INTRODUCE_S, FREEZE_S, AUDIT_S = 14, 12, 11, 13
OVERHEAD_S = 0.15
"""What steps take by experience; only the time left that is shown depends on it."""
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


PAUSE_MS, PACED_BLOCKS = 20.0, 3
"""A hop that is asked now and then, as one of an order is: by then its caches are cold."""

Tell = Callable[[str, float], object]
"""Hears what begins, and the seconds it should take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured. Without `rate`, orders a second are chosen by what an order costs here;
    without `seed`, chance is new. `hop_calls` are calls of one hop a rung and block,
    `paced_calls` those with a pause. What the closure needs is measured side by side, in windows
    `longer` times as long.
    """

    kind: Literal["preliminary", "full"]
    shapes: tuple[str, ...] = SHAPES
    blocks: int
    seconds: float
    warm_up_s: float
    hop_calls: int
    paced_calls: int
    idle_s: float
    freeze: bool = True
    rate: float | None = None
    seed: int | None = None
    arrivals: str = POISSON
    longer: float = 1

    @property
    def together(self) -> tuple[tuple[str, ...], ...]:
        """The ladder's ends, and the shapes they must come to."""
        return ((REFERENCE, AGAIN, RUNGS[0]), (self.shapes[-1], SHIPPED))

    @property
    def estimate_s(self) -> float:
        """Seconds a run takes, about."""
        windows, precise = len(self.shapes) + 3 + len(RUNGS), sum(map(len, self.together))
        measuring = self.seconds * (windows + precise * (self.longer - 1))
        block = windows * (self.warm_up_s + OVERHEAD_S) + measuring + self.hop_s
        freeze = FREEZE_S if self.freeze else 0
        return (
            START_S
            + INTRODUCE_S
            + freeze
            + self.paced_s
            + AUDIT_S
            + self.idle_s
            + self.blocks * block
        )

    @property
    def hop_s(self) -> float:
        """Seconds a block of one hop takes, about."""
        return 0.3 + self.hop_calls * 0.003

    @property
    def paced_s(self) -> float:
        """Seconds that all hops with a pause take, about."""
        return PACED_BLOCKS * len(RUNGS) * (self.paced_calls + 3) * (PAUSE_MS + 2) / 1_000


DEMO = Scale(
    kind="preliminary",
    blocks=10,
    seconds=0.8,
    warm_up_s=0.25,
    hop_calls=300,
    paced_calls=25,
    idle_s=5,
    arrivals=CONSTANT,
    longer=3,
)
"""Five minutes hold thirty orders a window: by chance some would queue and others not, and that
would be most of what is measured. So they come evenly spaced.
"""
QUICK = Scale(
    kind="preliminary",
    shapes=("extract-payments",),
    blocks=2,
    seconds=0.4,
    warm_up_s=0.1,
    hop_calls=20,
    paced_calls=2,
    idle_s=0.5,
    freeze=False,
    arrivals=CONSTANT,
)
"""Too little to be believed; it shows in half a minute that everything runs."""
FULL = Scale(
    kind="full", blocks=20, seconds=5, warm_up_s=1, hop_calls=1_000, paced_calls=100, idle_s=30
)


class Run:
    """A run in a folder: the one that was begun there and interrupted, or a new one, `fresh` or
    where there is none.

    Raises WrongFolder where the folder holds something else.
    """

    def __init__(self, folder: Folder, scale: Scale, tell: Tell, *, fresh: bool = False) -> None:
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
        there, told = folder.towns.is_dir(), folder.find(SERVED, Tally)
        folder.towns.mkdir(exist_ok=True)
        kept = folder.towns / "spans"
        self._tell("starting every shape", START_S)
        async with (
            Generator(place.generator) as generator,
            spans.collecting(kept, place.generator) as otlp,
            Towns(
                self._scale.shapes, folder.towns, cpu=place.subjects, otlp=otlp, stores_there=there
            ) as towns,
        ):
            session = Session(
                generator,
                served=told.served if told else {},
                keep=lambda served: folder.put(SERVED, Tally(served=served)),
            )
            self._tell("the first orders everywhere", INTRODUCE_S)
            price = await shapes.introduce(towns, session, folder.towns)
            intent = self._begun or self._intent(price)
            folder.begin(intent)
            frozen = await self._freeze(generator)
            hops = await self._hops(intent, otlp)
            with place.aside():
                await self._windows(intent, towns, session)
            self._tell("asking the auditor", AUDIT_S)
            audits = await shapes.audits(towns, session.served)
            await towns[HIGH].settle()
        result = Result(
            **intent.model_dump(),
            machine=machine(),
            windows=folder.windows(),
            hop_ladder=hops.rungs,
            freeze=frozen,
            critical_path=spans.critical_path(kept),
            audits=audits,
            notes=NOTES,
        )
        write(result, folder.path / RESULT)
        if not any(audits.values()):
            shutil.rmtree(folder.towns)
        return result

    def _intent(self, order_cpu_s: float) -> Intent:
        scale = self._scale
        plan = Plan(
            blocks=scale.blocks,
            seconds=scale.seconds,
            warm_up_s=scale.warm_up_s,
            rate=scale.rate or shapes.affordable_rate(order_cpu_s),
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
            found = await validity.freeze(generator, self._place.subjects)
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

    async def _windows(self, intent: Intent, towns: Towns, session: Session) -> None:
        subjects = (*shapes.subjects(towns), *ladder.subjects(towns))
        self._folder.keep_whole_blocks([subject.label for subject in subjects])
        await session.blocks(self._folder, intent, subjects, self._tell)
        self._tell("nobody asks anything", self._scale.idle_s)
        async for window in shapes.idle(towns, self._scale.idle_s):
            self._folder.keep(window)


def _difference(intent: Intent, scale: Scale) -> str | None:
    """What was begun otherwise than it is asked for now; None where it is the same."""
    plan = intent.plan
    for name, begun, asked in (
        ("kind", intent.kind, scale.kind),
        ("shapes", plan.shapes, scale.shapes),
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
