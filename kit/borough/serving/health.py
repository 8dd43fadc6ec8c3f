"""How a part is, for those who ask: kubelets, load balancers and people at the ops port.

Ready is whether it is to be sent work; that may hang on others, such as its schema or a peer. Alive
is only whether its event loop turns.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

from borough.config import Timeouts

BEAT_S = 1.0
"""How often a part's event loop shows that it turns."""


class State(StrEnum):
    """Where a part is in its life. It takes work in each; it is to be sent work only when ready."""

    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    DRAINING = "draining"


class Health:
    """How a part is: written on its event loop, read by the ops port from other threads."""

    def __init__(
        self, facts: Mapping[str, object], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._facts = facts
        self._now = now
        self._condition: tuple[State, str | None] = (State.STARTING, "not looked yet")
        self._restarts: Counter[str] = Counter()
        self._last_beat = now()

    @property
    def state(self) -> State:
        return self._condition[0]

    def become(self, state: State, reason: str | None = None) -> None:
        """Enter a state; `reason` is a sentence for whoever asks why the part is not ready."""
        self._condition = (state, reason)  # one assignment: a reader never sees half of it

    def restarted(self, loop: str) -> None:
        """Count a background loop that died."""
        self._restarts[loop] += 1

    def report(self) -> dict[str, object]:
        """What /readyz answers."""
        state, reason = self._condition
        restarts = dict(self._restarts)
        return {"state": state, "reason": reason, "loop_restarts": restarts, "facts": self._facts}

    def silence(self) -> float:
        """Seconds since the event loop last turned."""
        return self._now() - self._last_beat

    async def beat(self) -> NoReturn:
        """Show, as long as the event loop turns, that it does."""
        while True:
            self._last_beat = self._now()
            await asyncio.sleep(BEAT_S)


async def watch(
    health: Health,
    ready: Callable[[], Awaitable[str | None]],
    announce: Callable[[], object],
    log: Any,
    timeouts: Timeouts,
) -> NoReturn:
    """Keep looking whether the part is ready, away from the path of any request; `announce` says so
    when it first is.
    """
    while True:
        reason, before = await _why_not(ready, timeouts.check_s), health.state
        if reason is None:
            health.become(State.READY)
            if before is State.STARTING:
                announce()
        elif before is State.STARTING:
            health.become(before, reason)
        else:
            health.become(State.UNREADY, reason)
            log.warning("no longer ready", reason=reason)
        pause = timeouts.check_until_ready_s if reason else timeouts.check_while_ready_s
        await asyncio.sleep(pause)


async def _why_not(ready: Callable[[], Awaitable[str | None]], within_s: float) -> str | None:
    try:
        async with asyncio.timeout(within_s):
            return await ready()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is why the part is not ready
        return f"{type(error).__name__}: {error}"
