"""The rungs by name, and the rung of a process, which a signal changes while it runs.

The same processes serve every rung in turn, so that two windows of an experiment differ in the rung
and not in the process, its memory or the layout of its files.
"""

import asyncio
import signal

from borough.config import WrongSettings
from borough_telemetry import Telemetry

RUNGS = ("T0", "T1", "T3", "T5", "T6", "T7a", "T7b")
"""T0 direct call · T1 encoded and decoded as well · T3 over TCP to another process · T5 with
deadline, retry, breaker and balancing · T6 with metrics: as shipped, without traces · T7a with 1 %
of traces · T7b with all of them.
"""
NETWORK = RUNGS.index("T3")
"""The first rung with two processes."""
RATIOS = {"T7a": 0.01, "T7b": 1.0}
"""Share of the requests that are traced, by rung; none on the others."""


def index_of(rung: str) -> int:
    """The index of a rung. Raises WrongSettings if it does not exist."""
    if rung not in RUNGS:
        raise WrongSettings(f"there is no rung {rung}; there are {', '.join(RUNGS)}")
    return RUNGS.index(rung)


def signal_for(rung: str) -> int:
    """The number of the signal that puts a process on this rung."""
    return signal.SIGRTMIN + index_of(rung)


class Standing:
    """The current rung of a part: its boundaries read `index` on every call."""

    def __init__(self, rung: str) -> None:
        self.index = index_of(rung)
        self.networked = False

    def needs_network(self) -> None:
        """To be called for a part that calls others or is called. Raises WrongSettings if its rung
        has no network.
        """
        self.networked = True
        if refusal := self.refuses(RUNGS[self.index]):
            raise WrongSettings(refusal)

    def refuses(self, rung: str) -> str | None:
        """Why the part cannot use this rung; None if it can."""
        if not self.networked or index_of(rung) >= NETWORK:
            return None
        return f"rung {rung} knows no network, and this part talks to another"


class Switch:
    """Switches a part to another rung. `facts` are for /readyz: the rung, and how many switches
    were completed.
    """

    def __init__(self, standing: Standing, telemetry: Telemetry) -> None:
        self._standing = standing
        self._telemetry = telemetry
        self._last: asyncio.Task[None] | None = None
        self._count = 0
        rung = RUNGS[standing.index]
        self.facts: dict[str, object] = {"rung": rung, "switches": 0}
        self.step(rung)

    def step(self, rung: str) -> None:
        """Use this rung from the next call on."""
        self._standing.index = index_of(rung)
        self._telemetry.ratio = RATIOS.get(rung, 0.0)

    def listen(self) -> None:
        """Install the signal handlers. Needs a running loop."""
        for rung in RUNGS:
            asyncio.get_running_loop().add_signal_handler(signal_for(rung), self._ask, rung)

    def _ask(self, rung: str) -> None:
        if refusal := self._standing.refuses(rung):
            self._telemetry.log.error(refusal)
            return
        self.step(rung)
        self._last = asyncio.create_task(self._confirm(rung, self._last))

    async def _confirm(self, rung: str, before: asyncio.Task[None] | None) -> None:
        """Count the switch after the export of the previous rung's spans, as part of its cost."""
        if before is not None:
            await before
        await asyncio.to_thread(self._telemetry.close)
        self._count += 1
        self.facts.update(rung=rung, switches=self._count)
