"""The auditor: reads all rows of every capability after a drain, and reports violated laws.

Each law compares rows that different capabilities wrote independently, so that a wrong settlement
of one of them is detected by the rows of another.
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
    """One breach of one law. `subject` is what it is about: an id, or a capability."""

    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """All rows: what `ledger()` of each store returned, by capability, and how many deliveries are
    outstanding, by publisher. Work in progress is not judged before its deadline and `horizon`.
    """

    of: Mapping[str, Any]
    unsent: Mapping[str, int]
    now: datetime
    horizon: timedelta


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found, and how many rows of each kind a capability has."""

    counts: Mapping[str, Mapping[str, int]]
    violations: tuple[Violation, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    def as_dict(self) -> dict[str, Any]:
        """For machines: the counts by capability, `clean`, and `violations`."""
        return {**self.counts, "clean": self.clean, "violations": [*map(asdict, self.violations)]}

    def __str__(self) -> str:
        word = "clean" if self.clean else f"{len(self.violations)} violations"
        counts = [
            f"{name}: {', '.join(f'{n} {kind}' for kind, n in kinds.items()) or 'none'}"
            for name, kinds in self.counts.items()
        ]
        return "\n".join([*map(str, self.violations), "; ".join([*counts, f"audit: {word}"])])


Law = Callable[[Ledgers], Iterator[Violation]]
"""Finds every breach of it in the ledgers after a drain."""


async def read(app: Any, stores: Mapping[str, Any], now: datetime, horizon: timedelta) -> Ledgers:
    """Read all rows of every store."""
    rows = {d.name: await d.ledger(stores[d.name]) for d in app.capabilities}
    senders = [d.name for d in app.capabilities if d.publishes]
    unsent = {name: await stores[name].outbox.unsent() for name in senders}
    return Ledgers(of=rows, unsent=unsent, now=now, horizon=horizon)


def judge(app: Any, ledgers: Ledgers) -> tuple[Violation, ...]:
    """Every violation after a drain."""
    found = [v for definition in app.capabilities for law in definition.laws for v in law(ledgers)]
    left = [
        Violation(UNSENT, name, f"{count} events wait to be delivered")
        for name, count in ledgers.unsent.items()
        if count
    ]
    return (*found, *left)


async def examine(
    app: Any, stores: Mapping[str, Any], clock: Clock, horizon: timedelta, *, wait: bool
) -> "Report":
    """The whole audit: wait for the drain if `wait`, read, judge."""
    rested = await drained(app, stores, clock, horizon) if wait else True
    ledgers = await read(app, stores, clock.now(), horizon)
    late = Violation(RESTLESS, app.name, "work or events were under way at the end")
    counts = {
        d.name: dict(sorted(d.counts(ledgers.of[d.name]).items()))
        for d in app.capabilities
        if d.counts
    }
    found = judge(app, ledgers)
    return Report(counts, found if rested else (late, *found))


async def drained(app: Any, stores: Mapping[str, Any], clock: Clock, horizon: timedelta) -> bool:
    """Wait until every capability is at rest and every outbox is empty; False when that takes too
    long: past the latest time to which work in progress may last, plus the horizon and 30 s.
    """
    latest = [await d.until(stores[d.name]) for d in app.capabilities if d.until]
    bound = max([clock.now(), *filter(None, latest)]) + horizon + GRACE
    while not await at_rest(app, stores):
        if clock.now() > bound:
            return False
        await clock.sleep(LOOK_EVERY_S)
    return True


async def at_rest(app: Any, stores: Mapping[str, Any]) -> bool:
    """Whether no capability has work in progress and no event is undelivered."""
    for definition in app.capabilities:
        store = stores[definition.name]
        if not await definition.at_rest(store):
            return False
        if definition.publishes and await store.outbox.unsent():
            return False
    return True
