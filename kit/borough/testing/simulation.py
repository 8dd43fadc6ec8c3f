"""A whole application in one event loop, over stores in memory, in any shape, with faults.

Rows survive a crash of a part, which loses all other state and is restarted from the rows.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import chain, cycle, repeat
from typing import Any, TypeVar

from borough.app import App, Definition
from borough.audit import Violation, at_rest, judge, read
from borough.capability import Capability, Endpoint, Message
from borough.compose import Composition, Loop
from borough.config import Settings
from borough.errors import Unavailable
from borough.serving.lifecycle import Tasks
from borough.testing.chaos import CALM, Crashed, Network, Process, Script, Wire
from borough.testing.clock import ManualClock, deadlines_by
from borough.testing.database import MemoryStores
from borough.transport.calls import remote
from borough_telemetry import Telemetry

ROUNDS = 20
"""A drain without faults that takes more rounds than this counts as endless."""

C = TypeVar("C", bound=Capability)
Shape = Mapping[str, tuple[str, ...]]
"""The capabilities of each part."""


def plain_settings(app: App, **changes: Any) -> Settings:
    """The defaults without the environment, and these changes."""
    return app.settings.model_construct(**changes)


class InMemory(Composition):
    """Every capability in one process, over stores in memory."""

    def __init__(
        self,
        app: App,
        *,
        stores: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        telemetry = Telemetry("test", log_level="critical", signals=app.signals)
        settings = settings or plain_settings(app)
        super().__init__(app, settings, telemetry, ManualClock(), Tasks())
        self._given = MemoryStores(app, stores or {})

    def store_of(self, definition: Definition) -> Any:
        return self._given[definition.name]

    def remote(self, contract: type[C], *, from_door: bool) -> C:
        raise AssertionError(f"{contract.name} is not hosted")


class Simulation:
    """`shape` says which capabilities share a process; `stores` replace others by name."""

    def __init__(
        self,
        app: App,
        shape: Shape,
        script: Script = CALM,
        *,
        stores: Mapping[str, Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.app = app
        self.shape = shape
        self.settings = settings or plain_settings(app)
        self.clock = ManualClock()
        self.telemetry = Telemetry("simulation", ratio=0, log_level="critical", signals=app.signals)
        self.stores = MemoryStores(app, stores or {})
        self.network = Network(script.network_faults, self._arrive)
        self.tasks = Tasks()
        self._pace = cycle(script.pace)
        self._crashes = {part: _then_none(script.crashes.get(part, ())) for part in shape}
        self._parts = {part: self._build(part) for part in shape}

    @contextmanager
    def open(self) -> Iterator[None]:
        """In this context deadlines use the clock of the simulation."""
        with deadlines_by(self.clock):
            yield

    def client(self, contract: type[C]) -> C:
        """A capability, as a client outside of every part calls it over the network."""
        return remote(contract, self.network)

    async def round(self, name: str) -> None:
        """One concurrent round of the background loops whose names begin so, each to its end unless
        its part crashes.
        """
        loops = [
            loop
            for part in self.shape
            for loop_name, loop in self._running(part).loops.items()
            if loop_name.startswith(name)
        ]
        await asyncio.gather(*map(_once, loops))

    async def come_to_rest(self) -> None:
        """End all faults and run rounds until no work is in progress, at most ROUNDS. Late calls
        are not delivered by this: a test may deliver them before or after.
        """
        self.network.calm()
        for part in self.shape:
            self._crashes[part] = _then_none(())
            self._parts[part].process.crashes_at = None
        await self.tasks.drain()
        for _ in range(ROUNDS):
            self.clock.advance(60)
            await self.round("")
            if await at_rest(self.app, self.stores):
                return

    async def audit(self) -> tuple[Violation, ...]:
        """The violations that the auditor finds now."""
        horizon = timedelta(seconds=self.settings.reconcile_horizon_s)
        return judge(self.app, await read(self.app, self.stores, self.clock.now(), horizon))

    def steps(self, part: str) -> int:
        """How many steps the part's present process has taken."""
        return self._parts[part].process.steps

    async def _arrive(self, endpoint: Endpoint, message: Message) -> Message:
        host = next(p for p, hosted in self.shape.items() if endpoint.capability in hosted)
        service = self._running(host).services[endpoint.capability]
        try:
            answer: Message = await getattr(service, endpoint.method)(message)
        except Crashed:
            raise Unavailable(f"{endpoint.capability} crashed on the way") from None
        return answer

    def _running(self, part: str) -> "_Running":
        """The part, restarted if it crashed."""
        if not self._parts[part].process.alive:
            self._parts[part] = self._build(part)
        return self._parts[part]

    def _build(self, part: str) -> "_Running":
        process = Process(self._pace, next(self._crashes[part]))
        running = _Running(self, process)
        running.compose(self.shape[part])
        return running


class _Running(Composition):
    """A part in one of its processes."""

    def __init__(self, simulation: Simulation, process: Process) -> None:
        of = simulation
        super().__init__(of.app, of.settings, of.telemetry, of.clock, of.tasks)
        self.process = process
        self._kept = of.stores
        self._network = of.network

    def store_of(self, definition: Definition) -> Any:
        return self._kept.through(definition, self.process.step)

    def remote(self, contract: type[C], *, from_door: bool) -> C:
        return remote(contract, Wire(self.process, self._network))


def monolith(app: App) -> Shape:
    """Every capability in one part."""
    return {"app": tuple(app.contracts)}


def microservices(app: App) -> Shape:
    """Every capability in a part of its own."""
    return {name: (name,) for name in app.contracts}


def extracted(app: App, capabilities: Collection[str]) -> Shape:
    """These capabilities in one part, and the others in another."""
    rest = tuple(name for name in app.contracts if name not in capabilities)
    return {"-".join(capabilities): tuple(capabilities), "app": rest}


async def _once(loop: Loop) -> None:
    with suppress(Crashed):
        await loop.once()


def _then_none(crashes: tuple[int, ...]) -> Iterator[int | None]:
    return chain(crashes, repeat(None))
