"""Suites that any application can be put through, given one journey of its user.

    @dataclass
    class Lending(Journey):
        async def prepare(self, stores): await stores["catalog"].add(TITLE)
        async def travel(self, ask): return [await answer(ask(Loans).lend(LEND))]

    async def test_no_crash_loses_a_loan():
        for shape in (monolith(APP), microservices(APP)):
            assert await crashes(APP, shape, Lending()) == []

Each suite answers what it found; nothing found is a pass. `crashes` lets each part die once at each
of its steps; `mishaps` spoils each call over the network in every way there is; `repeats` sends
every call that is marked idempotent twice; `shapes` travels in each shape and compares; `stores`
travels over memory, and over databases, and compares the books.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from borough.app import App, Definition
from borough.audit import Violation, at_rest, read
from borough.capability import Capability, Endpoint
from borough.compose import open_store
from borough.errors import BoroughError
from borough.stores.migrations import migrate
from borough.stores.sql import Database
from borough.testing.chaos import CALM, Mishap, Script
from borough.testing.simulation import (
    InMemory,
    Shape,
    Simulation,
    memory_stores,
)
from borough.testing.transports import Agree, Direct, Twice, same
from borough.transport.calls import remote

C = TypeVar("C", bound=Capability)
Ask = Callable[[type[Any]], Any]
"""Answers a capability, as a client of the application calls it."""


class Journey(Protocol):
    """What a user does: it is repeated from the start for every finding."""

    async def prepare(self, stores: Mapping[str, Any]) -> None:
        """Put into the stores what must be there before."""
        ...

    async def travel(self, ask: Ask) -> Sequence[object]:
        """Call the application; answers what is to be compared, without what differs each time."""
        ...


async def answer(call: Awaitable[Any]) -> object:
    """What a call answers, or the code of the error it raises: a journey goes on."""
    try:
        return await call
    except BoroughError as error:
        return error.code


@dataclass(frozen=True, slots=True)
class Finding:
    """What was done to the journey, and what was wrong after it."""

    script: Script
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class _Trip:
    answers: Sequence[object]
    violations: tuple[Violation, ...]
    steps: Mapping[str, int]
    calls: int


async def _travel(app: App, shape: Shape, journey: Journey, script: Script = CALM) -> _Trip:
    """In a simulation: what is left is settled, what is late arrives, and the auditor reads."""
    simulation = Simulation(app, shape, script)
    with simulation.open():
        await journey.prepare(simulation.stores)
        answers = await journey.travel(simulation.client)
        await simulation.round("")
        steps = {part: simulation.steps(part) for part in shape}
        calls = simulation.network.calls
        await simulation.come_to_rest()
        await simulation.network.deliver_late()
        await simulation.come_to_rest()
        return _Trip(answers, await simulation.audit(), steps, calls)


async def crashes(app: App, shape: Shape, journey: Journey) -> list[Finding]:
    """Each part dies once, at each of its steps."""
    calm = await _travel(app, shape, journey)
    scripts = [
        Script(deaths={part: (step,)})
        for part, steps in calm.steps.items()
        for step in range(1, steps + 1)
    ]
    return await _findings(app, shape, journey, [CALM, *scripts])


async def mishaps(app: App, shape: Shape, journey: Journey) -> list[Finding]:
    """Each call over the network meets each mishap."""
    calm = await _travel(app, shape, journey)
    scripts = [
        Script(mishaps=(Mishap.NONE,) * call + (mishap,))
        for call in range(calm.calls)
        for mishap in Mishap
    ]
    return await _findings(app, shape, journey, scripts)


async def _findings(
    app: App, shape: Shape, journey: Journey, scripts: Collection[Script]
) -> list[Finding]:
    found = [
        Finding(script, (await _travel(app, shape, journey, script)).violations)
        for script in scripts
    ]
    return [finding for finding in found if finding.violations]


async def shapes(
    app: App, known: Mapping[str, Shape], journey: Journey
) -> dict[str, Sequence[object]]:
    """The shapes in which the journey is another than in the first, with its answers there."""
    trips = {name: (await _travel(app, shape, journey)).answers for name, shape in known.items()}
    first = next(iter(trips.values()))
    return {name: answers for name, answers in trips.items() if answers != first}


async def repeats(
    app: App, journey: Journey, *, at_once: bool = False, agree: Agree = same
) -> set[Endpoint]:
    """The idempotent endpoints that the journey did not come by, in calls of clients or of the
    application itself. Raises AssertionError where one that is sent twice is not idempotent.
    """
    part = _Repeating(app, at_once=at_once, agree=agree)
    part.compose(app.contracts)
    await journey.prepare(part.stores)
    await journey.travel(part.ask)
    for loop in part.loops.values():
        await loop.once()
    promised = {
        endpoint
        for contract in app.contracts.values()
        for endpoint in contract.endpoints.values()
        if endpoint.idempotent
    }
    return promised - part.seen


class _Repeating(InMemory):
    """Every call within the application is sent twice, where it may be."""

    def __init__(self, app: App, *, at_once: bool, agree: Agree) -> None:
        super().__init__(app)
        self.seen: set[Endpoint] = set()
        self._at_once = at_once
        self._agree = agree

    def local(self, contract: type[C], service: C) -> C:
        direct = Direct(super().local(contract, service))
        twice = Twice(direct, at_once=self._at_once, agree=self._agree)
        return remote(contract, _Noted(twice, self.seen))


@dataclass(frozen=True, slots=True)
class _Noted:
    transport: Twice
    seen: set[Endpoint]

    async def call(self, endpoint: Endpoint, message: Any) -> Any:
        self.seen.add(endpoint)
        return await self.transport.call(endpoint, message)


async def stores(app: App, journey: Journey, url: str) -> dict[str, tuple[object, object]]:
    """The capabilities whose books are not the same over memory and over the database at `url`,
    with both. The database is migrated first; it must be empty.
    """
    for definition in app.capabilities:
        await _migrated(url, definition)
    databases = {d.name: Database.open(url, d.name) for d in app.capabilities}
    try:
        kept = {d.name: open_store(app, d, databases[d.name]) for d in app.capabilities}
        theirs, ours = [await _books(app, journey, given) for given in (memory_stores(app), kept)]
    finally:
        for database in databases.values():
            await database.close()
    return {
        name: (theirs[name], ours[name])
        for name in theirs
        if _as_set(theirs[name]) != _as_set(ours[name])
    }


async def _migrated(url: str, definition: Definition) -> None:
    import asyncio  # noqa: PLC0415  # only here

    await asyncio.to_thread(migrate, url, definition.name, definition.migrations)


async def _books(app: App, journey: Journey, given: Mapping[str, Any]) -> Mapping[str, object]:
    part = InMemory(app, stores=given)
    part.compose(app.contracts)
    await journey.prepare(part.stores)
    await journey.travel(part.ask)
    for loop in part.loops.values():
        await loop.once()
    assert await at_rest(app, part.stores)  # noqa: S101  # a suite is for tests
    return (await read(app, part.stores, part.clock.now(), timedelta())).of


def _as_set(books: object) -> object:
    """Books without the order of their rows."""
    if isinstance(books, tuple):
        return (
            sorted(map(repr, books))
            if not hasattr(books, "_fields")
            else tuple(map(_as_set, books))
        )
    return books
