"""The rungs by name, and the rung a process stands on, which a signal changes while it runs.

One set of processes serves every rung in turn: what differs between two windows of an experiment is
the rung, and neither the process, nor its memory, nor the layout of its files.
"""

import asyncio
import signal

from borough.config import WrongSettings
from borough_telemetry import Telemetry

RUNGS = ("T0", "T1", "T3", "T5", "T6", "T7a", "T7b")
"""T0 direct call · T1 and encoded and decoded · T3 over TCP to another process · T5 with deadline,
retry, breaker and balancing · T6 with metrics: as shipped, without traces · T7a with 1 % of traces
· T7b with all of them.
"""
NETWORK = RUNGS.index("T3")
"""Below it there is one process; from here on there are two."""
RATIOS = {"T7a": 0.01, "T7b": 1.0}
"""Share of the requests that are traced; none on the other rungs."""


def index_of(rung: str) -> int:
    """Raises WrongSettings where there is no such rung."""
    if rung not in RUNGS:
        raise WrongSettings(f"there is no rung {rung}; there are {', '.join(RUNGS)}")
    return RUNGS.index(rung)


def signal_for(rung: str) -> int:
    """The number of the signal that puts a process on this rung."""
    return signal.SIGRTMIN + index_of(rung)


class Standing:
    """Where a part stands: its boundaries look at `index` on every call."""

    def __init__(self, rung: str) -> None:
        self.index = index_of(rung)
        self.networked = False

    def needs_network(self) -> None:
        """The part calls others or is called, which rungs below the network cannot do. Raises
        WrongSettings where it stands on one of them.
        """
        self.networked = True
        if refusal := self.refuses(RUNGS[self.index]):
            raise WrongSettings(refusal)

    def refuses(self, rung: str) -> str | None:
        """Why the part cannot stand on this rung, where it cannot."""
        if not self.networked or index_of(rung) >= NETWORK:
            return None
        return f"rung {rung} knows no network, and this part talks to another"


class Switch:
    """Puts a part on another rung. `facts` are for /readyz: the rung, and how many switches were
    completed.
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
        """Stand there from the next call on."""
        self._standing.index = index_of(rung)
        self._telemetry.ratio = RATIOS.get(rung, 0.0)

    def listen(self) -> None:
        """Follow the signals from now on. Needs a running loop."""
        for rung in RUNGS:
            asyncio.get_running_loop().add_signal_handler(signal_for(rung), self._ask, rung)

    def _ask(self, rung: str) -> None:
        if refusal := self._standing.refuses(rung):
            self._telemetry.log.error(refusal)
            return
        self.step(rung)
        self._last = asyncio.create_task(self._confirm(rung, self._last))

    async def _confirm(self, rung: str, before: asyncio.Task[None] | None) -> None:
        """Say so once every span of the rung before is exported, whose price belongs there."""
        if before is not None:
            await before
        await asyncio.to_thread(self._telemetry.close)
        self._count += 1
        self.facts.update(rung=rung, switches=self._count)
