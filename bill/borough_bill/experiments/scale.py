"""How much is measured: a demonstration, the full bill, or a smoke test."""

from dataclasses import dataclass
from typing import Literal

from borough_bill.analysis.ladder import SHIPPED
from borough_bill.load.schedule import CONSTANT, POISSON
from borough_bill.results import RUNGS

REFERENCE = "monolith"
SHAPES = ("apis", "extract-payments", "microservices")
"""The shop's shapes that are compared with it; the last is that of the highest rungs."""
START_S, FIRST_REQUESTS_S, FREEZE_S, AUDIT_S = 14, 12, 11, 13
OVERHEAD_S = 0.3
"""Typical seconds of steps, for the remaining time on the screen alone."""
PAUSE_MS, PACED_BLOCKS = 20.0, 3
"""Hops with a pause, as in an order, so that caches are cold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured: `shapes`, and the `reference`, which is measured `again` in every
    block. Without `rate`, requests a second follow from the cost of one; without `seed`, it is
    random.

    At least `blocks` are measured, and up to `most` until the headline lines are resolved; none is
    begun after `measuring_s` seconds of measuring, or `within_s` of the whole run. With `ladder`,
    the blocks contain every rung; `hop_calls` are calls of one hop by rung and block, `paced_calls`
    those with a pause. The subjects `together` have windows `longer` times as long.
    """

    kind: Literal["preliminary", "full"]
    reference: str = REFERENCE
    shapes: tuple[str, ...] = SHAPES
    blocks: int
    most: int | None = None
    measuring_s: float | None = None
    within_s: float | None = None
    seconds: float
    warm_up_s: float
    ladder: bool = True
    hop_calls: int = 0
    paced_calls: int = 0
    idle_s: float
    freeze: bool = True
    rate: float | None = None
    seed: int | None = None
    arrivals: str = POISSON
    longer: float = 1

    @property
    def again(self) -> str:
        """The name of the reference's second instance."""
        return f"{self.reference}-again"

    @property
    def together(self) -> tuple[tuple[str, ...], ...]:
        """The ends of the ladder with the shapes they must equal; without a ladder all shapes."""
        if not self.ladder:
            return ((self.reference, self.again, *self.shapes),)
        return ((self.reference, self.again, RUNGS[0]), (self.shapes[-1], SHIPPED))

    @property
    def estimate_s(self) -> float:
        """Seconds that a run takes, about; the upper limit if the number of blocks is open."""
        windows, precise = len(self.shapes) + 3, sum(map(len, self.together))
        windows += len(RUNGS) if self.ladder else 0
        block = windows * (self.warm_up_s + OVERHEAD_S)
        block += self.seconds * (windows + precise * (self.longer - 1))
        measuring = (self.most or self.blocks) * block
        measuring = min(measuring, self.measuring_s or measuring)
        hops = self.blocks * self.hop_s + self.paced_s if self.ladder else 0
        set_up = START_S + FIRST_REQUESTS_S + (FREEZE_S if self.freeze else 0) + hops
        return set_up + measuring + self.idle_s + AUDIT_S

    @property
    def bound_s(self) -> float | None:
        """Seconds that a run takes at most, about, however slow the machine is."""
        return None if self.within_s is None else self.within_s + self.idle_s + AUDIT_S

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
    most=60,
    measuring_s=285,
    within_s=430,
    seconds=0.8,
    warm_up_s=0.25,
    ladder=False,
    idle_s=5,
    arrivals=CONSTANT,
    longer=2.5,
)
"""Without rungs, for time. Arrivals are evenly spaced, because a window has few orders, and random
queueing would be most of their variance.
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
"""A smoke test of half a minute; the figures are void."""
FULL = Scale(
    kind="full",
    blocks=20,
    most=40,
    seconds=5,
    warm_up_s=1,
    hop_calls=1_000,
    paced_calls=100,
    idle_s=30,
)
