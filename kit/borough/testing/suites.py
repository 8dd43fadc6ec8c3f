"""Test suites for any application, given a few journeys of its users.

    async def lending(ask, stores):
        await stores["catalog"].add(TITLE)
        return [await answer(ask(Loans).lend(LEND))]

    async def test_no_crash_loses_a_loan():
        for shape in suites.simulated(APP).values():
            assert await suites.crashes(APP, shape, lending) == []

A journey is run from the start for each disturbance. `check_contracts` sends every call that is
marked idempotent twice, over each transport; `stores` compares the rows of memory and of a
database; `shapes` reads the shapes and compares the results in each; `crashes`, `network_faults`,
`concurrent_rounds` and `hangups` disturb one step, call or turn after the other; `check_laws` tests
laws on planted violations. The suites that return findings return an empty list on success.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Any, Literal, TypeVar

from borough import shapes as placing
from borough.app import GATEWAY, App
from borough.audit import Ledgers, Violation, at_rest, judge, read
from borough.capability import Capability, Endpoint, Message
from borough.compose import open_store
from borough.config import Settings
from borough.errors import BoroughError
from borough.stores.migrations import migrate
from borough.stores.sql import Database
from borough.testing.chaos import CALM, NetworkFault, Script
from borough.testing.database import MemoryStores
from borough.testing.servers import listen, running, url_of
from borough.testing.simulation import InMemory, Shape, Simulation
from borough.testing.transports import Agree, Asgi, Direct, Twice, same
from borough.transport.addresses import Addresses
from borough.transport.calls import Transport, mount, remote
from borough.transport.client import Http
from borough.transport.wire import Pool

C = TypeVar("C", bound=Capability)
Ask = Callable[[type[Any]], Any]
"""Returns a capability, as a client of the application calls it."""
Stores = Mapping[str, Any]
"""The stores by capability, to set up rows; calls of these are not disturbed."""
Journey = Callable[[Ask, Stores], Awaitable[Any]]
"""The calls of a user. Where results are compared it returns them, without varying values."""
Via = Literal["local", "asgi", "http"]
TRANSPORTS: tuple[Via, ...] = ("local", "asgi", "http")
"""The transports: in this process; through the codec, without a socket; over the network."""


async def answer(call: Awaitable[Any]) -> object:
    """The result of a call, or the code of the error it raises, so that a journey goes on."""
    try:
        return await call
    except BoroughError as error:
        return error.code


# -- contracts over the transports


async def check_contracts(  # noqa: PLR0913  # the options of a test
    app: App,
    cases: Iterable[Journey],
    via: Via,
    *,
    at_once: bool = False,
    agree: Agree = same,
    settings: Settings | None = None,
) -> None:
    """Run every case, with each call between two capabilities, or of the case, over this transport.

    Calls marked idempotent are sent twice, in turn or at once, and `agree` compares both outcomes.

    Raises an ExceptionGroup of what cases raised, of an AssertionError for each call whose mark is
    wrong, and of one that names the idempotent methods that no case sends at all.
    """
    sent: set[Endpoint] = set()
    failed: list[Exception] = []
    for case in cases:
        part = _Repeating(app, settings, via, at_once=at_once, agree=agree)
        async with part.served():
            try:
                await case(part.ask, part.stores)
                for loop in part.loops.values():
                    await loop.once()
            except Exception as error:  # noqa: BLE001  # the other cases run too
                part.wrong[error] = None
        for wrong in part.wrong:
            wrong.add_note(f"in the case {getattr(case, '__name__', case)}, {via}")
        sent |= part.sent
        failed += part.wrong
    contracts = app.contracts.values()
    promised = {e for c in contracts for e in c.endpoints.values() if e.idempotent}
    if unsent := sorted(endpoint.name for endpoint in promised - sent):
        names = ", ".join(unsent)
        failed.append(AssertionError(f"marked idempotent, and sent twice by no case: {names}"))
    if failed:
        raise ExceptionGroup(f"the contracts of {app.name}, {via}", failed)


class _Repeating(InMemory):
    """Every capability, each behind a transport that repeats idempotent calls."""

    def __init__(
        self, app: App, settings: Settings | None, via: Via, *, at_once: bool, agree: Agree
    ) -> None:
        super().__init__(app, settings=settings)
        self.sent: set[Endpoint] = set()
        self.wrong: dict[Exception, None] = {}
        self._via = via
        self._at_once = at_once
        self._agree = agree
        self._pool = Pool()
        self._app = self.empty_app(app.name, internal=True)
        self._listener = listen() if via == "http" else None
        self._callers: dict[str, Any] = {}
        self.compose(app.contracts)
        for contract in app.contracts.values():
            self.ask(contract)

    def local(self, contract: type[C], service: C) -> C:
        if contract.name not in self._callers:
            transport = self._transport(contract, service)
            twice = Twice(transport, at_once=self._at_once, agree=self._agree)
            self._callers[contract.name] = remote(contract, _Noted(twice, self))
        caller: C = self._callers[contract.name]
        return caller

    def _transport(self, contract: type[C], service: C) -> Transport:
        if self._via == "local":
            return Direct(super().local(contract, service))
        mount(self._app, contract, service)
        if self._listener is None:
            return Asgi(self._app)
        addresses = Addresses(contract.name, (url_of(self._listener),), interval=60)
        return Http(contract.name, addresses, self._pool, self.telemetry, call_timeout=600)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """In this context there is a server, if calls go over the network."""
        async with self._pool:
            if self._listener is None:
                yield
            else:
                async with running(self._app, self._listener):
                    yield
            await self.tasks.drain()


@dataclass(frozen=True, slots=True)
class _Noted:
    """Records calls and wrong marks, since a caller may handle an AssertionError as another."""

    transport: Twice
    by: _Repeating

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        self.by.sent.add(endpoint)
        try:
            return await self.transport.call(endpoint, message)
        except AssertionError as wrong:
            self.by.wrong[wrong] = None
            raise


# -- stores


@asynccontextmanager
async def replicas(app: App, url: str | None, count: int = 2) -> AsyncIterator[tuple[Stores, ...]]:
    """The stores of every capability, `count` times on the same rows, as replicas have them.

    `url` is a database that is migrated, or None for memory.
    """
    if url is None:
        yield (MemoryStores(app),) * count
        return
    async with AsyncExitStack() as stack:

        def opened() -> Stores:
            found = {}
            for definition in app.capabilities:
                database = Database.open(url, definition.name, synchronous="NORMAL")
                stack.push_async_callback(database.close)
                found[definition.name] = open_store(app, definition, database)
            return found

        yield tuple(opened() for _ in range(count))


async def stores(
    app: App, journey: Journey, url: str, *, settings: Settings | None = None
) -> dict[str, tuple[object, object]]:
    """The differences between memory and the database at `url`: under the name of a capability its
    rows, or methods that only one of its stores has, and under `answers` the results of the
    journey. The database is migrated here, and must be empty.
    """
    for definition in app.capabilities:
        await asyncio.to_thread(migrate, url, definition.name, definition.migrations)
    async with replicas(app, None, 1) as (memory,), replicas(app, url, 1) as (kept,):
        for name in app.definitions:
            if (ours := _methods(memory[name])) != (theirs := _methods(kept[name])):
                return {name: (ours - theirs, theirs - ours)}
        of_memory, of_kept = [await _kept(app, journey, s, settings) for s in (memory, kept)]
    return {
        name: (of_memory[name], of_kept[name])
        for name in of_memory
        if _as_set(of_memory[name]) != _as_set(of_kept[name])
    }


async def _kept(
    app: App, journey: Journey, given: Stores, settings: Settings | None
) -> dict[str, object]:
    """The results, and all rows after the drain."""
    part = InMemory(app, stores=given, settings=settings)
    part.compose(app.contracts)
    answers = await journey(part.ask, part.stores)
    await part.tasks.drain()
    for loop in part.loops.values():
        await loop.once()
    assert await at_rest(app, part.stores)  # noqa: S101  # a suite is for tests
    return {
        "answers": answers,
        **(await read(app, part.stores, part.clock.now(), timedelta())).of,
    }


def _methods(store: object) -> set[str]:
    own = {name for kind in type(store).__mro__ for name in vars(kind)}
    return {
        n for n in own if not n.startswith("_") and asyncio.iscoroutinefunction(getattr(store, n))
    }


def _as_set(rows: object) -> object:
    """Rows without their sequence."""
    if isinstance(rows, tuple):
        return tuple(map(_as_set, rows)) if hasattr(rows, "_fields") else sorted(map(repr, rows))
    return rows


# -- shapes


def simulated(app: App) -> dict[str, Shape]:
    """The shapes of the application, and each `extract:CAPABILITY`, for simulations: without the
    gateway, which has no store. Of those that are then equal only the first is returned.
    """
    found: dict[str, Shape] = {}
    for name, shape in placing.every(placing.load(app.calls, app.shapes), app.calls).items():
        parts = {
            part: tuple(c for c in hosted if c != GATEWAY) for part, hosted in shape.parts.items()
        }
        parts = {part: hosted for part, hosted in parts.items() if hosted}
        if sorted(parts.values()) not in [sorted(known.values()) for known in found.values()]:
            found[name] = parts
    return found


async def shapes(app: App, journey: Journey, *, settings: Settings | None = None) -> list[str]:
    """The errors of shapes, in a sentence each: a capability that several parts host, and not all
    of them for their own door; a call that no other part serves; a journey with other results
    than in the first shape. Raises WrongShape where they cannot be read.
    """
    known = placing.every(placing.load(app.calls, app.shapes), app.calls)
    found = [sentence for shape in known.values() for sentence in _misplaced(app, shape)]
    first: Sequence[object] | None = None
    for name, shape in simulated(app).items():
        answers = (await disturbed(app, shape, journey, settings=settings)).answers
        if first is not None and answers != first:
            found.append(f"{name}: answered {answers}, not {first}")
        first = answers if first is None else first
    return found


def _misplaced(app: App, shape: placing.Shape) -> Iterable[str]:
    doors = {part for part, hosted in shape.parts.items() if GATEWAY in hosted}
    for capability in app.contracts:
        hosts = {part for part, hosted in shape.parts.items() if capability in hosted}
        if len(hosts) > 1 and not hosts <= doors:
            yield f"{shape.name}: {capability} lives in {', '.join(sorted(hosts))}"
    for part, hosted in shape.parts.items():
        for callee in placing.needed(hosted, app.calls):
            others = shape.parts.keys() - {part}
            if not any(callee in shape.served_to_others(o, app.calls) for o in others):
                yield f"{shape.name}: {part} calls {callee}, which no other part serves"


# -- disturbances


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A disturbance of a journey: a script of crashes and network faults; after how many turns of
    the event loop the horizon of the settings passes, and two rounds of every loop run at once,
    as in two replicas; after how many the client disconnects.
    """

    script: Script = CALM
    rounds_after: int | None = None
    hung_up_after: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results and steps of a journey under a disturbance, and the violations after it."""

    answers: Any
    violations: tuple[Violation, ...]
    steps: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A disturbance after which the auditor finds violations."""

    disturbance: Disturbance
    violations: tuple[Violation, ...]


async def disturbed(
    app: App,
    shape: Shape,
    journey: Journey,
    disturbance: Disturbance = Disturbance(),
    *,
    settings: Settings | None = None,
) -> Outcome:
    """Run a journey under a disturbance, in a simulation: after it pending work is settled, late
    calls arrive, and the auditor runs.
    """
    simulation = Simulation(app, shape, disturbance.script, settings=settings)
    patience = simulation.settings.deadline_ms / 1_000 + simulation.settings.reconcile_horizon_s
    with simulation.open():
        travelling = asyncio.ensure_future(journey(simulation.client, simulation.stores))
        turns = 0
        while not travelling.done():
            if turns == disturbance.rounds_after:
                simulation.clock.advance(patience + 1)
                await asyncio.gather(simulation.round(""), simulation.round(""))
            if turns == disturbance.hung_up_after:
                travelling.cancel()
            await asyncio.sleep(0)
            turns += 1
        with suppress(asyncio.CancelledError):
            await travelling
        simulation.clock.advance(patience + 1)
        await simulation.round("")
        steps = {part: simulation.steps(part) for part in shape}
        calls = simulation.network.calls
        await simulation.come_to_rest()
        await simulation.network.deliver_late()
        await simulation.come_to_rest()
        answers = None if travelling.cancelled() else travelling.result()
        return Outcome(answers, await simulation.audit(), steps, calls, turns)


Search = Callable[..., Awaitable[list[Finding]]]


def _search(disturbances: Callable[[Outcome], Iterable[Disturbance]]) -> Search:
    """Tries the disturbances that are derived from an undisturbed journey, one at a time."""

    @wraps(disturbances)
    async def search(
        app: App, shape: Shape, journey: Journey, *, settings: Settings | None = None
    ) -> list[Finding]:
        found = []
        for disturbance in disturbances(await disturbed(app, shape, journey, settings=settings)):
            outcome = await disturbed(app, shape, journey, disturbance, settings=settings)
            found += [Finding(disturbance, outcome.violations)] if outcome.violations else []
        return found

    return search


@_search
def crashes(calm: Outcome) -> Iterable[Disturbance]:
    """Each part crashes once at each await of a store or of another part: before it, and after."""
    yield Disturbance()
    for part, steps in calm.steps.items():
        for step in range(1, steps + 1):
            yield Disturbance(Script(crashes={part: (step,)}))


@_search
def network_faults(calm: Outcome) -> Iterable[Disturbance]:
    """Each call over the network meets each fault."""
    for call in range(calm.calls):
        for fault in NetworkFault:
            yield Disturbance(Script(network_faults=(NetworkFault.NONE,) * call + (fault,)))


@_search
def concurrent_rounds(calm: Outcome) -> Iterable[Disturbance]:
    """At each turn of the event loop the horizon passes, and the loops of two replicas run."""
    return (Disturbance(rounds_after=turn) for turn in range(calm.turns))


@_search
def hangups(calm: Outcome) -> Iterable[Disturbance]:
    """At each turn of the event loop the client disconnects."""
    return (Disturbance(hung_up_after=turn) for turn in range(calm.turns))


# -- the auditor


def check_laws(
    app: App, clean: Ledgers, planted: Iterable[tuple[Ledgers, Collection[str]]]
) -> None:
    """Check that the auditor finds nothing in `clean` ledgers, in each of the `planted` ones
    violations of exactly these kinds, and that each law finds one of them. Raises AssertionError
    with a line for each failure.
    """
    wrong = [f"in clean ledgers: {violation}" for violation in judge(app, clean)]
    unbroken = {law: law.__name__ for definition in app.capabilities for law in definition.laws}
    for number, (ledgers, kinds) in enumerate(planted):
        found = {violation.kind for violation in judge(app, ledgers)}
        if found != set(kinds):
            wrong.append(f"in the planted ledgers {number}: {sorted(found)}, not {sorted(kinds)}")
        for law in [law for law in unbroken if any(law(ledgers))]:
            del unbroken[law]
    wrong += [f"no breach is planted for the law {name}" for name in sorted(unbroken.values())]
    if wrong:
        raise AssertionError("\n".join(wrong))
