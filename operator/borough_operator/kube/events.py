"""Events that `kubectl describe` shows beside a scaler: one a change, like ones counted together.

They are told, never relied on: what cannot be written soon is dropped.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from borough_operator.kube.api import Refused
from borough_operator.kube.cluster import Cluster
from borough_operator.kube.targets import MANAGER
from borough_operator.moments import format_time

SERIES = 600.0
"""Seconds within which an Event of the same reason continues the one before."""
WITHIN = 3.0
"""Seconds after which one that was not taken is dropped; its scaler waits for it so long."""
REMEMBERED = 1000
"""Series known at a time; who exceeds them begins a new one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The scaler an Event is about."""

    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class _Series:
    name: str
    count: int
    last: float


class Events:
    """Tells what has changed. `clock` is Unix time."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._series: dict[tuple[str, str], _Series] = {}

    async def tell(self, subject: Subject, kind: str, reason: str, message: str) -> None:
        """An Event of the kind Normal or Warning. It never raises for what the API server says."""
        now = self._clock()
        key = subject.uid, reason
        series = self._series.pop(key, None)
        try:
            async with asyncio.timeout(WITHIN):
                if series is None or now - series.last > SERIES:
                    series = await self._begin(subject, kind, reason, message, now)
                else:
                    series = await self._go_on(series, subject, message, now)
        except (Refused, TimeoutError):  # perhaps it was cleared away: the next one begins anew
            return
        self._series[key] = series
        while len(self._series) > REMEMBERED:
            del self._series[next(iter(self._series))]  # the one that was told longest ago

    async def _begin(
        self, subject: Subject, kind: str, reason: str, message: str, now: float
    ) -> _Series:
        name = f"{subject.name}.{uuid.uuid4().hex[:16]}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": subject.namespace, "name": name},
            "involvedObject": {
                "apiVersion": "borough.dev/v1alpha1",
                "kind": "ServiceScaler",
                "namespace": subject.namespace,
                "name": subject.name,
                "uid": subject.uid,
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": format_time(now),
            "lastTimestamp": format_time(now),
            "source": {"component": MANAGER},
            "reportingComponent": MANAGER,
        }
        await self._cluster.create_event(subject.namespace, event)
        return _Series(name, 1, now)

    async def _go_on(self, series: _Series, subject: Subject, message: str, now: float) -> _Series:
        count = series.count + 1
        change = {"count": count, "message": message, "lastTimestamp": format_time(now)}
        await self._cluster.patch_event(subject.namespace, series.name, change)
        return _Series(series.name, count, now)
