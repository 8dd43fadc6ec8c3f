"""What the commands of `python -m borough` do, apart from how they are called."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from borough.clock import SystemClock
from borough.config import PREFIX, Settings, WrongSettings
from borough.errors import Malformed, Unavailable
from borough.serving.server import run as run_part
from borough.site import Site, open_store
from borough.stores.sql import Database
from borough_shop import shapes, signals, wiring
from borough_shop.audit import Stores, Violation, examine
from borough_shop.inventory.store import SqlStock, menu
from borough_shop.migrations import is_current
from borough_shop.migrations import migrate as migrate_one
from borough_shop.notifications.contract import NotificationState
from borough_shop.notifications.store import SqlNotifications
from borough_shop.orders.store import SqlOrders
from borough_shop.payments.store import SqlVerdicts
from borough_telemetry import Telemetry
from borough_telemetry.signals import ATTRIBUTES, PROCESS

LOOK_AGAIN_S = 1.0
"""How often a store is tried that cannot be reached."""


def serve(settings: Settings, capabilities: Collection[str]) -> None:
    """Build a part and serve it until it is told to stop."""
    run_part(partial(wiring.build, settings, capabilities), settings)


def migrate(
    settings: Settings,
    capabilities: Collection[str],
    *,
    wait_s: float = 0,
    tell: Callable[[str], object] = print,
) -> list[str]:
    """Bring each capability's schema to this version; answers a line for each.

    A store that cannot be reached is tried again for `wait_s` seconds in all; `tell` is told once
    of each that is waited for. Raises Unavailable after that.
    """
    named = [name for name in capabilities if name != "gateway"]  # it keeps nothing
    shapes.check_hosted(named, wiring.CALLS)
    url, until = settings.store.get_secret_value(), time.monotonic() + wait_s
    return [f"{name}: {_migrate_in_time(url, name, until, tell)}" for name in named]


def _migrate_in_time(url: str, name: str, until: float, tell: Callable[[str], object]) -> str:
    told = False
    while True:
        try:
            return migrate_one(url, name)
        except Unavailable as failure:
            if time.monotonic() >= until:
                raise
            if not told:
                tell(f"{failure}: it is tried again every {LOOK_AGAIN_S:.0f} s")
                told = True
            time.sleep(LOOK_AGAIN_S)


async def seed(settings: Settings, stock: int, only: str) -> str:
    """Put the menu into inventory; what is there already stays as it is."""
    articles = [article for article in menu(stock) if not only or article.sku == only]
    if not articles:
        raise Malformed(f"there is no article {only} on the menu")
    async with opened(settings, "inventory") as database:
        await SqlStock(database).receive(tuple(articles))
    return f"{len(articles)} articles are on the menu"


@asynccontextmanager
async def opened(settings: Settings, capability: str) -> AsyncIterator[Database]:
    """The store of one capability, as its part would open it. Raises WrongSettings where the
    schema is not there yet.
    """
    database = open_store(settings, capability)
    try:
        if not is_current(await database.revision(), capability):
            raise WrongSettings(
                f"the schema of {capability} is not migrated: run `borough migrate`"
            )
        yield database
    finally:
        await database.close()


def chart_facts(settings: Settings) -> str:
    """What charts/borough is told of the shop, as YAML: who calls whom, every shape with what each
    of its parts hosts, serves to other parts and calls of them, and the names of all settings.
    """
    known = shapes.every(wiring.load_shapes(settings), wiring.CALLS)
    facts = {
        "calls": {caller: sorted(callees) for caller, callees in wiring.CALLS.items()},
        "shapes": {
            name: {
                "parts": {
                    part: {
                        "hosts": hosted,
                        "serves": sorted(shape.served_to_others(part, wiring.CALLS)),
                        "calls": sorted(shapes.needed(hosted, wiring.CALLS)),
                    }
                    for part, hosted in shape.parts.items()
                },
                "routes": shape.routes(),
            }
            for name, shape in known.items()
        },
        "settings": sorted(Settings.model_fields),
    }
    return _yaml(facts)


def part_names(settings: Settings) -> str:
    """The name of every part of any shape, as YAML: what charts/observability may find to ask."""
    known = shapes.every(wiring.load_shapes(settings), wiring.CALLS)
    return _yaml({"parts": sorted({part for shape in known.values() for part in shape.parts})})


def _yaml(facts: Mapping[str, Any]) -> str:
    head = "# Written by `make generate` from shapes.toml, wiring.CALLS and the settings."
    return "\n".join([head, *_yaml_lines(facts, "")])


def _yaml_lines(facts: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Maps in blocks, the rest as JSON, which YAML contains: any name stays a name."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield f"{indent}{json.dumps(key)}:"
            yield from _yaml_lines(value, indent + "  ")
        else:
            yield f"{indent}{json.dumps(key)}: {json.dumps(value)}"


TYPE_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    SecretStr: "secret",
    Path | None: "path",
}


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The auditor's word, and how much was looked at. Somebody must look after a parked event."""

    orders: dict[str, int]
    parked: int
    violations: tuple[Violation, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "clean": self.clean,
            "orders": self.orders,
            "parked": self.parked,
            "violations": [asdict(violation) for violation in self.violations],
        }

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {status}" for status, count in self.orders.items()) or "none"
        word = "clean" if self.clean else f"{len(self.violations)} violations"
        found = f"orders: {counted}; parked events: {self.parked}; the auditor finds: {word}"
        return "\n".join([*map(str, self.violations), found])


async def audit(settings: Settings, *, wait: bool) -> AuditReport:
    """Read every store, after waiting for the drain where asked to, and judge."""
    async with (
        opened(settings, "orders") as orders,
        opened(settings, "payments") as payments,
        opened(settings, "inventory") as inventory,
        opened(settings, "notifications") as notifications,
    ):
        stores = Stores(
            orders=(books := SqlOrders(orders)),
            outbox=books.outbox,
            verdicts=SqlVerdicts(payments),
            stock=SqlStock(inventory),
            notifications=SqlNotifications(notifications),
        )
        horizon = timedelta(seconds=settings.reconcile_horizon_s)
        violations = await examine(stores, SystemClock(), horizon, wait=wait)
        statuses = Counter(record.order.status.value for record in await stores.orders.ledger())
        states = Counter(row.state for row in await stores.notifications.ledger())
        return AuditReport(
            dict(sorted(statuses.items())), states[NotificationState.PARKED], violations
        )


def settings_table(*, markdown: bool) -> str:
    """Every setting: variable, type, default, meaning. A default is no secret."""
    rows = [("Variable", "Type", "Default", "Meaning")]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        rows.append(
            (
                PREFIX + name.upper(),
                _type_name(field.annotation),
                str(shown),
                field.description or "",
            )
        )
    return _table(rows, markdown=markdown)


def signals_table(*, markdown: bool) -> str:
    """Every metric and every attribute of a span: name, kind, labels, meaning."""
    metrics = [
        ("Metric", "Kind", "Labels", "Meaning"),
        *(
            (told.series, told.kind, ", ".join(told.labels), told.help)
            for told in (*signals.ALL, *PROCESS)
        ),
    ]
    attributes = [("Span attribute", "Meaning"), *ATTRIBUTES.items()]
    return "\n\n".join(_table(rows, markdown=markdown) for rows in (metrics, attributes))


def _table(rows: Sequence[tuple[str, ...]], *, markdown: bool) -> str:
    """The first row is the head; the last column is as wide as it likes."""
    if markdown:
        lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
        lines.insert(1, " | ".join("---" for _ in rows[0]))
        return "\n".join(f"| {line} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(get_args(annotation))
    if get_origin(annotation) is dict:
        return "JSON map"
    return TYPE_NAMES[annotation]


async def openapi() -> dict[str, Any]:
    """The OpenAPI document of the doors, as a gateway of its own serves it."""
    peers = dict.fromkeys(wiring.CONTRACTS, ("http://peer",))
    site = Site(Settings(peers=peers), Telemetry("gateway"))
    try:
        return wiring.doors(site).openapi()
    finally:
        await site.close()
