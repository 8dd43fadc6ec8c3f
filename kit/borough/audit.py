"""The auditor: reads the books of every capability after a drain, and finds what must never be.

Each law is judged from rows that capabilities wrote on their own, so that a wrong settlement cannot
hide: what one of them keeps, the book of another contradicts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from borough.clock import Clock

GRACE = timedelta(seconds=30)
"""How much longer than their bound a drain may take."""
LOOK_EVERY_S = 0.1
UNSENT, RESTLESS = "outbox-not-empty", "not-drained"


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of one law. `subject` is what it is about: an id, or a book's name."""

    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """Every row that a law speaks of: what `ledger()` of each store answered, by capability."""

    of: Mapping[str, Any]
    unsent: Mapping[str, int]
    """Deliveries outstanding, by the capability that published the events."""
    now: datetime
    horizon: timedelta
    """How long after its deadline something under way is not judged yet."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found, and how many rows of each kind the books of a capability hold."""

    counts: Mapping[str, Mapping[str, int]]
    violations: tuple[Violation, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    def as_dict(self) -> dict[str, Any]:
        """For machines: the counts by capability, `clean`, and `violations`."""
        violations = [asdict(violation) for violation in self.violations]
        return {**self.counts, "clean": self.clean, "violations": violations}

    def __str__(self) -> str:
        word = "clean" if self.clean else f"{len(self.violations)} violations"
        counts = [
            f"{name}: {', '.join(f'{n} {kind}' for kind, n in kinds.items()) or 'none'}"
            for name, kinds in self.counts.items()
        ]
        return "\n".join([*map(str, self.violations), "; ".join([*counts, f"audit: {word}"])])


Law = Callable[[Ledgers], Iterator[Violation]]
"""Finds every breach of one kind of law in drained books."""


async def read(app: Any, stores: Mapping[str, Any], now: datetime, horizon: timedelta) -> Ledgers:
    """Read all rows of every store."""
    return Ledgers(
        of={d.name: await d.ledger(stores[d.name]) for d in app.capabilities},
        unsent={
            d.name: await stores[d.name].outbox.unsent() for d in app.capabilities if d.publishes
        },
        now=now,
        horizon=horizon,
    )


def judge(app: Any, ledgers: Ledgers) -> tuple[Violation, ...]:
    """Every violation in drained books."""
    laws = (law for definition in app.capabilities for law in definition.laws)
    found = [violation for law in laws for violation in law(ledgers)]
    left = [
        Violation(UNSENT, name, f"{count} events wait to be delivered")
        for name, count in ledgers.unsent.items()
        if count
    ]
    return (*found, *left)


async def examine(
    app: Any, stores: Mapping[str, Any], clock: Clock, horizon: timedelta, *, wait: bool
) -> "Report":
    """The whole audit: wait for the drain where asked to, read, judge."""
    rested = await drained(app, stores, clock, horizon) if wait else True
    ledgers = await read(app, stores, clock.now(), horizon)
    late = Violation(RESTLESS, app.name, "work or events were still under way at the end")
    found = judge(app, ledgers)
    return Report(
        {
            d.name: dict(sorted(d.counts(ledgers.of[d.name]).items()))
            for d in app.capabilities
            if d.counts
        },
        found if rested else (late, *found),
    )


async def drained(app: Any, stores: Mapping[str, Any], clock: Clock, horizon: timedelta) -> bool:
    """Wait until every capability is at rest and every outbox is empty; False when that takes too
    long: past the latest moment to which something under way may last, plus the horizon and 30 s.
    """
    latest = [await d.until(stores[d.name]) for d in app.capabilities if d.until]
    bound = max([clock.now(), *filter(None, latest)]) + horizon + GRACE
    while not await at_rest(app, stores):
        if clock.now() > bound:
            return False
        await clock.sleep(LOOK_EVERY_S)
    return True


async def at_rest(app: Any, stores: Mapping[str, Any]) -> bool:
    """Whether nothing is under way: no work that a capability knows of, and no event."""
    for definition in app.capabilities:
        store = stores[definition.name]
        if not await definition.at_rest(store):
            return False
        if definition.publishes and await store.outbox.unsent():
            return False
    return True
