"""How much is measured: a demonstration, the bill at length, or only whether all of it runs."""

from dataclasses import dataclass
from typing import Literal

from borough_bill.experiments.towns import AGAIN, REFERENCE
from borough_bill.lines.ladder import SHIPPED
from borough_bill.results import RUNGS
from borough_bill.schedule import CONSTANT, POISSON

SHAPES = ("apis", "extract-payments", "microservices")
"""Beside the monolith; the ladder leads to the last."""
START_S, INTRODUCE_S, FREEZE_S, AUDIT_S = 14, 12, 11, 13
OVERHEAD_S = 0.15
"""What steps take by experience; only the time left that is shown depends on it."""
PAUSE_MS, PACED_BLOCKS = 20.0, 3
"""A hop that is asked now and then, as one of an order is: by then its caches are cold."""


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
