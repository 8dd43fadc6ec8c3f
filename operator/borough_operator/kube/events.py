"""Kubernetes Events of a scaler, for `kubectl describe`: one a change, equal reasons counted
together.

They are best effort: one that is not written within `TIMEOUT` seconds is dropped.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from borough_operator.kube.api import Refused
from borough_operator.kube.cluster import Cluster
from borough_operator.kube.targets import MANAGER
from borough_operator.moments import format_time

SERIES_S = 600.0
"""Seconds within which an Event of the same reason increments the one before."""
TIMEOUT = 3.0
"""Seconds after which an Event is dropped; its scaler waits so long."""
MAX_SERIES = 1000
"""Maximum series remembered; the oldest is dropped."""


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
    """Writes Events. `clock` is Unix time."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._series: dict[tuple[str, str], _Series] = {}

    async def emit(self, subject: Subject, kind: str, reason: str, message: str) -> None:
        """Write an Event of type `kind`, Normal or Warning. Refusals are ignored."""
        now = self._clock()
        key = subject.uid, reason
        series = self._series.pop(key, None)
        try:
            async with asyncio.timeout(TIMEOUT):
                if series is None or now - series.last > SERIES_S:
                    series = await self._create(subject, kind, reason, message, now)
                else:
                    series = await self._increment(series, subject, message, now)
        except (Refused, TimeoutError):  # it may have expired: the next one starts a new series
            return
        self._series[key] = series
        while len(self._series) > MAX_SERIES:
            del self._series[next(iter(self._series))]  # the oldest

    async def _create(
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

    async def _increment(
        self, series: _Series, subject: Subject, message: str, now: float
    ) -> _Series:
        count = series.count + 1
        change = {"count": count, "message": message, "lastTimestamp": format_time(now)}
        await self._cluster.patch_event(subject.namespace, series.name, change)
        return _Series(series.name, count, now)
