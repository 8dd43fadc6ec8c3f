"""The composition root: what the running operator is made of, how it starts and how it ends."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from borough_operator.kube import cluster
from borough_operator.kube.api import Api
from borough_operator.kube.cluster import Cluster
from borough_operator.kube.credentials import Credentials
from borough_operator.kube.events import Events
from borough_operator.running.loop import PROMETHEUS, Loop
from borough_operator.running.registry import Registry
from borough_operator.running.relist import Relist
from borough_operator.running.server import OpsServer
from borough_operator.running.telemetry import Telemetry
from borough_operator.running.writer import Writer
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.pods import Pods
from borough_operator.sources.prometheus import Prometheus
from borough_operator.sources.protocol import Source

STUCK_S = 30.0
"""A loop that was silent for longer is taken for dead."""
CLOSE_S = 5.0
"""So long may it take to send the last spans."""

PREFIX = "BOROUGH_OPERATOR_"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one operator runs. Each field is an option of `run` and, with `PREFIX` and in capitals, a
    variable of its environment.
    """

    namespaces: tuple[str, ...] = ()
    """Where scalers and targets are looked for; none: its own."""
    prometheus_url: str = ""
    """Empty: there is none, and the source Prometheus is off."""
    pods_source: bool = False
    """Whether pods may be read, which needs the right to list them."""
    ops_port: int = 9090
    otlp_endpoint: str = ""
    """Where spans go, such as http://collector:4318; empty: nowhere."""
    log_level: str = "info"
    resync_s: float = 300.0
    """Seconds between two full lists."""


class Operator:
    """Everything but the watches. Make it on the event loop it is to live on."""

    def __init__(self, options: Options, mapping: SeriesMapping, credentials: Credentials) -> None:
        self.resources = cluster.WATCHED + ((cluster.PODS,) if options.pods_source else ())
        self._clock = unix_clock()
        self._namespaces = options.namespaces
        self.registry = Registry(pods=options.pods_source)
        self._sources = self._read_from(options, mapping)
        self._telemetry = Telemetry(self.registry, self._clock, options.otlp_endpoint)
        self._api = Api(credentials, self._telemetry.asked)
        self._cluster = Cluster(self._api)
        writer = Writer(
            self.registry, self._cluster, Events(self._cluster, self._clock), self._telemetry,
            clock=self._clock,
        )  # fmt: skip  # what, and how it knows the time
        self._loop = Loop(
            self.registry, self._sources, writer, self._telemetry,
            clock=self._clock, chance=random.random,
        )  # fmt: skip  # as above
        self._relist = Relist(
            self.registry, self._cluster, self.resources, options.namespaces,
            every=options.resync_s, clock=self._clock, chance=random.random,
        )  # fmt: skip  # as above
        self._server = OpsServer(options.ops_port, self._telemetry, self.dying, self._relist.wrong)
        self._running: list[asyncio.Task[None]] = []
        self._stopped = False
        self.failed = False
        """Whether a task of its own died: then the process is better started anew."""
        self.over = asyncio.Event()
        """Set when it has failed or stopped."""

    async def serve(self) -> None:
        """Answer at the ops port. Raises OSError where it is taken."""
        await self._server.start()

    async def start(self) -> None:
        """List, and decide. Returns once the API server knows ServiceScalers, however long that
        takes: who watches before would not be told.
        """
        self._run(self._relist.run())
        self._run(self._decide())
        await self._relist.known.wait()
        for watched in self.registry.watched.values():
            watched.began(self._clock())
        _log.info("started", namespaces=self._namespaces, sources=sorted(self._sources))

    async def stop(self) -> None:
        """End in a few seconds; what was begun is begun again by the next process. A second call
        does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self.over.set()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._loop.abandon()
        for source in self._sources.values():
            await source.close()
        await self._api.close()
        await self._server.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.to_thread(self._telemetry.close)
        except TimeoutError:
            _log.warning("the last spans were not sent in time", seconds=CLOSE_S)

    def seen(self, resource: str, change: str | None, obj: Mapping[str, Any]) -> None:
        """What a watch brought: DELETED, or else the object is there."""
        watched = self.registry.watched[resource]
        (watched.lost if change == "DELETED" else watched.seen)(obj)

    def dying(self) -> str:
        """A sentence about what only a restart mends; empty where nothing is."""
        now = self._clock()
        if (silent := now - self._loop.beat) > STUCK_S and self._relist.tried.is_set():
            return f"the loop has not turned for {silent:.0f} s"
        for resource, watched in self.registry.watched.items():
            if what := watched.deaf(now):
                return f"the watch of {resource} is deaf: it did not bring {what}"
        return ""

    async def _decide(self) -> None:
        await self._relist.tried.wait()
        await self._loop.run()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._running.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.error("a task of the operator died", exc_info=task.exception())
            self.failed = True
            self.over.set()

    def _read_from(self, options: Options, mapping: SeriesMapping) -> dict[str, Source]:
        sources: dict[str, Source] = {}
        if options.prometheus_url:
            sources[PROMETHEUS] = Prometheus(options.prometheus_url, mapping)
        if options.pods_source:
            sources["Pods"] = Pods(self.registry.addresses, mapping)
        return sources


def unix_clock() -> Callable[[], float]:
    """Unix time in seconds, at each call, that never goes back.

    Decisions compare moments, and a clock that an administrator or a time server sets back would
    make an hour happen twice. So it is read once, at the start, and from then on time is what has
    passed since: on a machine that slept, that too.
    """
    started = time.time() - _passed()
    return lambda: started + _passed()


def _passed() -> float:
    """Seconds since the machine was started, sleep included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
