"""The composition root: creates, starts and stops the parts of the operator."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from borough_operator.kube import cluster
from borough_operator.kube.api import Api
from borough_operator.kube.cluster import Cluster, Events
from borough_operator.kube.credentials import Credentials
from borough_operator.running.loop import PROMETHEUS, Loop
from borough_operator.running.registry import Registry
from borough_operator.running.relist import Relist
from borough_operator.running.telemetry import CONTENT_TYPE, Telemetry
from borough_operator.running.writer import Writer
from borough_operator.sources.mapping import SeriesMapping, setting
from borough_operator.sources.pods import Pods
from borough_operator.sources.prometheus import Prometheus
from borough_operator.sources.protocol import Source  # noqa: TC001  # a real import: the cycle check counts it

STUCK_S = 30.0
"""Seconds without a run of the loop after which it counts as stuck."""
CLOSE_S = 5.0
"""Seconds for sending the last spans."""

PREFIX = "BOROUGH_OPERATOR_"

Check = Callable[[], str]
"""Returns a sentence about a problem, empty where there is none."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one operator. Each field is an option of `run` and, in capitals with
    `PREFIX`, an environment variable.
    """

    namespaces: tuple[str, ...] = setting(
        (), "Namespaces to serve, separated by commas; the operator's own if empty."
    )
    prometheus_url: str = setting("", "Base URL of Prometheus; none if empty.")
    pods_source: bool = setting(default=False, about="Enable the source Pods, which scrapes pods.")
    ops_port: int = setting(9090, "Port of /metrics, /livez and /readyz.")
    otlp_endpoint: str = setting(
        "", "OTLP/HTTP endpoint of spans, such as http://collector:4318; none if empty."
    )
    log_level: str = setting("info", "Minimum: debug, info, warning or error.")
    resync_s: float = setting(300.0, "Seconds between two full lists.", min=1)


class Operator:
    """The operator without Kopf's watches. Create it on its event loop."""

    def __init__(self, options: Options, mapping: SeriesMapping, credentials: Credentials) -> None:
        self.resources = cluster.WATCHED + ((cluster.PODS,) if options.pods_source else ())
        self._clock = unix_clock()
        self._namespaces = options.namespaces
        self.registry = Registry(pods=options.pods_source)
        self._sources: dict[str, Source] = {}
        if options.prometheus_url:
            self._sources[PROMETHEUS] = Prometheus(options.prometheus_url, mapping)
        if options.pods_source:
            self._sources["Pods"] = Pods(self.registry.metrics_urls, mapping)
        self._telemetry = Telemetry(self.registry, self._clock, options.otlp_endpoint)
        self._api = Api(credentials, self._telemetry.api_request)
        self._cluster = Cluster(self._api)
        writer = Writer(
            self.registry, self._cluster, Events(self._cluster, self._clock), self._telemetry,
            self._clock,
        )  # fmt: skip  # one line of collaborators
        self._loop = Loop(
            self.registry, self._sources, writer, self._telemetry,
            clock=self._clock, chance=random.random,
        )  # fmt: skip  # as above
        self._relist = Relist(
            self.registry, self._cluster, self.resources, options.namespaces,
            every=options.resync_s, clock=self._clock, chance=random.random,
        )  # fmt: skip  # as above
        self._server = _ops_server(self._telemetry, self.liveness_problem, self._relist.problem)
        self._ops_port = options.ops_port
        self._running: list[asyncio.Task[None]] = []
        self._stopped = False
        self.failed = False
        """Whether one of its tasks died; the process should be restarted then."""
        self.ended = asyncio.Event()
        """Set when it has failed or stopped."""

    async def serve(self) -> None:
        """Open the ops port. Raises OSError where it is taken."""
        await self._server.setup()
        await web.TCPSite(self._server, port=self._ops_port).start()

    async def start(self) -> None:
        """Start lists and decisions. Returns once the API server knows ServiceScalers, however long
        that takes: a watch that starts earlier would not be opened.
        """
        self._run(self._relist.run())
        self._run(self._decide())
        await self._relist.crd_known.wait()
        for watched in self.registry.watched.values():
            watched.watch_started(self._clock())
        _log.info("started", namespaces=self._namespaces, sources=sorted(self._sources))

    async def stop(self) -> None:
        """Stop within a few seconds; interrupted writes are repeated by the next process. A second
        call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self.ended.set()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._loop.cancel()
        for source in self._sources.values():
            await source.close()
        await self._api.close()
        await self._server.cleanup()
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.to_thread(self._telemetry.close)
        except TimeoutError:
            _log.warning("the last spans were not sent in time", seconds=CLOSE_S)

    def on_event(self, resource: str, change: str | None, obj: Mapping[str, Any]) -> None:
        """An event of a watch: DELETED, or else the object exists."""
        watched = self.registry.watched[resource]
        (watched.deleted if change == "DELETED" else watched.updated)(obj)

    def liveness_problem(self) -> str:
        """A sentence about a problem that a restart repairs; empty where there is none."""
        now = self._clock()
        if (stuck := now - self._loop.heartbeat) > STUCK_S and self._relist.all_tried.is_set():
            return f"the loop has not run for {stuck:.0f} s"
        for resource, watched in self.registry.watched.items():
            if missing := watched.stalled(now):
                return f"the watch of {resource} is stalled: it did not deliver {missing}"
        return ""

    async def _decide(self) -> None:
        await self._relist.all_tried.wait()
        await self._loop.run()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._running.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.error("a task of the operator died", exc_info=task.exception())
            self.failed = True
            self.ended.set()


def _ops_server(telemetry: Telemetry, alive: Check, ready: Check) -> web.AppRunner:
    """The ops port: /metrics for Prometheus, /livez and /readyz for the kubelet.

    /livez fails where only a restart helps: a stuck loop, a stalled watch. /readyz fails until
    everything that must be read was read; failures of others make the operator unready and never
    restart it. The server runs on the loop that it checks, so a stuck loop does not respond.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE})

    def probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(_: web.Request) -> web.Response:
            problem = check()
            body = {"ok": not problem, "reason": problem}
            return web.json_response(body, status=503 if problem else 200)

        return respond

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", probe(alive))
    app.router.add_get("/readyz", probe(ready))
    return web.AppRunner(app, access_log=None, shutdown_timeout=1.0)


def unix_clock() -> Callable[[], float]:
    """A function that returns the Unix time in seconds, which never goes back.

    Decisions compare times, and a system clock that is set back would repeat an interval. So the
    system clock is read once, at the start, and the elapsed time is added, time asleep included.
    """
    started = time.time() - _elapsed()
    return lambda: started + _elapsed()


def _elapsed() -> float:
    """Seconds since the machine started, time asleep included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
