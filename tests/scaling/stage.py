"""The evaluation loop with an API server in memory, a scripted source and virtual time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from borough_operator.decision.model import Freshness, Reading
from borough_operator.kube.api import Api, NotFound, Refused
from borough_operator.kube.cluster import Cluster, Events
from borough_operator.running.loop import BATCH_S, Loop
from borough_operator.running.registry import DEPLOYMENTS, SCALERS, Entry, Registry
from borough_operator.running.telemetry import Telemetry
from borough_operator.running.writer import Writer
from borough_operator.sources.protocol import Ask, Source, Target

SHOP = "shop"
START = 1_800_000_000.0
"""Unix time at which every scenario starts."""


class Server(Api):
    """Stores what is written; `refusals` are raised first, one for each call."""

    def __init__(self) -> None:
        self.version = 1000
        self.scaled: list[tuple[str, int]] = []
        self.statuses: list[tuple[str, Mapping[str, Any]]] = []
        self.events: list[Mapping[str, Any]] = []
        self.order: list[str] = []
        """The kinds of writes in order: "scale", "status", "events"."""
        self.scalers: dict[str, Mapping[str, Any]] = {}
        """The stored scalers, which may be newer than the cache."""
        self.answers: list[Any] = []
        """Responses to the first writes of /scale, which are executed."""
        self.refusals: list[Refused] = []
        self.slow = 0.0
        """Seconds that every call takes."""
        self.slow_events = 0.0
        """Further seconds that an Event takes."""

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        await asyncio.sleep(self.slow)
        self.version += 1
        meta = {"resourceVersion": str(self.version), "uid": "another"}
        answer: Mapping[str, Any] = {"metadata": meta, "spec": {}}
        if path.endswith("/scale") and self.refusals:
            raise self.refusals.pop(0)
        name = path.split("/")[-2]
        if verb == "get":
            return answer
        if path.endswith("/scale"):
            self.scaled.append((name, body["spec"]["replicas"]))
            answer = self.answers.pop(0) if self.answers else answer
        elif path.endswith("/status"):
            answer = self._take_status(name, body[1]["value"])
        else:
            await asyncio.sleep(self.slow_events)
            self.events.append(body)
        self.order.append(path.rsplit("/", 1)[-1])
        return answer

    def _take_status(self, name: str, status: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the whole scaler as stored."""
        if name not in self.scalers:
            raise NotFound(name)
        self.statuses.append((name, status))
        stored = self.scalers[name]
        meta = stored["metadata"] | {"resourceVersion": str(self.version)}
        self.scalers[name] = {**stored, "metadata": meta, "status": status}
        return self.scalers[name]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class ScriptedSource:
    """A source with readings set by the test; a target in `hangs` is read late."""

    rates: dict[str, float] = field(default_factory=dict)
    hangs: dict[str, float] = field(default_factory=dict)
    """Seconds, by name of the target."""
    asked: list[list[str]] = field(default_factory=list)
    """The targets of each read."""

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        names = [ask.target.name for ask in asks]
        self.asked.append(list(dict.fromkeys(names)))
        await asyncio.sleep(max(self.hangs.get(name, 0.0) for name in names))
        return {ask: self._reading(ask.target.name) for ask in asks}

    async def close(self) -> None:
        """Nothing is open."""

    def _reading(self, name: str) -> Reading:
        if name not in self.rates:
            return Reading(Freshness.EMPTY)
        return Reading(Freshness.FRESH, self.rates[name], 0.5)


class Stage:
    """The loop and its collaborators, for use within `run_virtually`. `chance` spreads the first
    due times.
    """

    def __init__(self, chance: Callable[[], float] = lambda: 0.0) -> None:
        self.server, self.loads, self.pods = Server(), ScriptedSource(), ScriptedSource()
        self.registry = Registry(pods=False)
        self.telemetry = Telemetry(self.registry, self.now)
        self.cluster = Cluster(self.server)
        writer = Writer(
            self.registry,
            self.cluster,
            Events(self.cluster, self.now),
            self.telemetry,
            clock=self.now,
        )
        self.sources: dict[str, Source] = {"Prometheus": self.loads, "Pods": self.pods}
        self.loop = Loop(
            self.registry,
            self.sources,
            writer,
            self.telemetry,
            clock=self.now,
            chance=chance,
        )
        self._begun = False

    def now(self) -> float:
        """Unix time of the scenario."""
        return START + asyncio.get_running_loop().time()

    def add(self, name: str, replicas: int = 2, *, rate: float | None = 60.0, **spec: Any) -> None:
        """Add a Deployment with all pods ready, and its scaler; a replica carries 50."""
        self.target(name, replicas)
        self.scaler(name, **spec)
        if rate is not None:
            self.loads.rates[name] = rate

    def target(self, name: str, replicas: int, manager: str = "helm", cpu: str = "1") -> None:
        """Add or change a Deployment, as `manager`."""
        ready = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas}
        container = {"resources": {"requests": {"cpu": cpu}}}
        fields = {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        body = {
            "kind": "Deployment",
            "metadata": self._meta(name) | {"managedFields": [fields]},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
            "status": ready,
        }
        self.registry.watched[DEPLOYMENTS].updated(body)

    def scaler(self, name: str, *, generation: int = 1, of: str = "", **spec: Any) -> None:
        """Write a scaler, delivered by the watch."""
        self.write_scaler(name, generation=generation, of=of, **spec)
        self.registry.watched[SCALERS].updated(self.server.scalers[name])

    def write_scaler(self, name: str, *, generation: int = 1, of: str = "", **spec: Any) -> None:
        """Write a scaler that the watch has not delivered."""
        plain = {
            "targetRef": {"kind": "Deployment", "name": of or name},
            "replicas": {"min": 1, "max": 50},
            "goals": [{"type": "RequestRate", "perReplica": "50"}],
            "behavior": {"interval": "5s"},
        }
        body = {"metadata": self._meta(name, generation), "spec": plain | spec}
        self.server.scalers[name] = body

    def remove(self, name: str) -> None:
        """Delete the scaler."""
        del self.server.scalers[name]
        self.registry.watched[SCALERS].deleted({"metadata": self._meta(name)})

    def entry(self, name: str) -> Entry:
        return self.registry.entries[SHOP, name]

    async def play(self, seconds: float) -> None:
        """Run the loop for so long, and finish what it has started."""
        if not self._begun:
            self._begun = True
            self.loop.schedule_all()
        end = self.now() + seconds
        while self.now() < end:
            self.loop.start_due()
            await asyncio.sleep(BATCH_S)
        await self.loop.drain()

    def replicas(self, name: str) -> int:
        """The target's number in the cache."""
        workload = self.registry.workload(Target(SHOP, "Deployment", name))
        assert workload is not None
        return workload.replicas

    def _meta(self, name: str, generation: int = 1) -> dict[str, Any]:
        self.server.version += 1
        return {
            "namespace": SHOP,
            "name": name,
            "uid": f"uid-{name}",
            "generation": generation,
            "creationTimestamp": f"2026-11-23T08:30:{self.server.version % 60:02}Z",
            "resourceVersion": str(self.server.version),
        }
