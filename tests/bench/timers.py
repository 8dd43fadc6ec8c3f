"""The operator that Kopf's documents suggest first: a timer for each object.

    python -m bench.timers KUBECONFIG NAMESPACE PROMETHEUS INTERVAL

Beside ours it is let off lightly: it reads all targets' loads in one query that all its objects
share, looks at no target, decides by a bare division, and writes a status only when it changes.
It answers each line with how late its timers were since the last one.
"""

import asyncio
import math
import os
import sys
import threading
import time
from typing import Any

import aiohttp
import kopf
import uvloop

from bench.talk import say

SHARED_S = 2.0
PER_REPLICA = 50.0


class Loads:
    """What Prometheus said last, asked again after two seconds."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1/query"
        self._asked = -math.inf
        self._rates: dict[str, float] = {}
        self._turn = asyncio.Lock()

    async def of(self, name: str) -> float:
        """Requests a second of one target."""
        async with self._turn:
            if time.monotonic() - self._asked > SHARED_S:
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(self._url, data={"query": "rate"}) as answer,
                ):
                    rows = (await answer.json())["data"]["result"]
                self._rates = {r["metric"]["workload"]: float(r["value"][1]) for r in rows}
                self._asked = time.monotonic()
        return self._rates[name]


class Lateness:
    """How long after its interval each timer ran again."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._ran: dict[str, float] = {}
        self.late: list[float] = []

    def ran(self, name: str) -> None:
        now = time.monotonic()
        if name in self._ran:
            self.late.append(now - self._ran[name] - self._interval)
        self._ran[name] = now

    def as_dict(self) -> dict[str, float]:
        """The 99th percentile since it was asked last, of how many runs, over how many objects."""
        late, self.late = sorted(self.late), []
        p99 = late[int(0.99 * (len(late) - 1))] if late else 0.0
        return {"p99_s": p99, "runs": len(late), "objects": len(self._ran)}


async def serve(namespace: str, url: str, interval: float) -> None:
    """Until the bench ends."""
    registry = kopf.OperatorRegistry()
    loads, lateness = Loads(url), Lateness(interval)

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True

    @kopf.timer(
        "borough.dev", "v1alpha1", "servicescalers",
        interval=interval, initial_delay=interval, registry=registry,
    )  # fmt: skip  # what, and when
    async def tick(name: str, status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
        lateness.ran(name)
        desired = math.ceil(await loads.of(name) / PER_REPLICA)
        if status.get("desiredReplicas") != desired:
            patch.status["desiredReplicas"] = desired

    threading.Thread(target=_answer, args=(lateness,), daemon=True).start()
    say(ready=1)
    await kopf.operator(registry=registry, namespaces=[namespace], standalone=True)


def _answer(lateness: Lateness) -> None:
    for _ in sys.stdin:
        say(**lateness.as_dict())


if __name__ == "__main__":
    os.environ["KUBECONFIG"] = sys.argv[1]
    uvloop.run(serve(sys.argv[2], sys.argv[3], float(sys.argv[4])))
