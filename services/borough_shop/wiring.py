"""The composition root: what calls what, and how the parts of a shape are put together.

Nothing else knows the topology. `CALLS` is the whole system; `build` gives each capability either
the object in this process or a caller over the network, and nobody can tell which they got.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp

from borough import __version__
from borough.capability import Capability
from borough.config import Settings, WrongSettings
from borough.serving.lifecycle import Part
from borough.site import Site
from borough.stores.sql import Database
from borough.transport.addresses import Addresses
from borough_shop import shapes, signals
from borough_shop.gateway.admission import Admission
from borough_shop.gateway.policy import ApiKeys, RateLimit
from borough_shop.gateway.rest import rest
from borough_shop.inventory.contract import Inventory
from borough_shop.inventory.service import InventoryService
from borough_shop.inventory.store import SqlStock
from borough_shop.migrations import is_current
from borough_shop.notifications.contract import Notifications
from borough_shop.notifications.service import NotificationsService
from borough_shop.notifications.store import SqlNotifications
from borough_shop.orders.contract import Orders
from borough_shop.orders.reconcile import Reconcile
from borough_shop.orders.service import OrdersService, Patience
from borough_shop.orders.store import SqlOrders
from borough_shop.outbox import Relay
from borough_shop.payments.contract import Payments
from borough_shop.payments.service import PaymentsService
from borough_shop.payments.store import SqlVerdicts
from borough_shop.profiles.contract import Profiles
from borough_shop.profiles.service import ProfilesService
from borough_shop.profiles.store import SqlProfiles
from borough_telemetry import Export, Telemetry, otlp

CALLS: Mapping[str, frozenset[str]] = {
    "gateway": frozenset({"orders", "profiles", "inventory"}),
    "orders": frozenset({"profiles", "inventory", "payments", "notifications"}),
    "payments": frozenset(),
    "profiles": frozenset(),
    "inventory": frozenset(),
    "notifications": frozenset(),
}
"""Who asks whom. Traces, network policies and the chart are compared with this."""

CONTRACTS: Mapping[str, type[Capability]] = {
    contract.name: contract for contract in (Orders, Payments, Profiles, Inventory, Notifications)
}
"""Every capability but the gateway, which fronts them and keeps nothing."""


async def build(
    settings: Settings,
    hosted: Collection[str],
    *,
    export: Export | None = None,
    site_of: Callable[[Settings, Telemetry], Site] = Site,
) -> Part:
    """Put a part together. Raises WrongShape or WrongSettings with a sentence that says why not.

    `export` receives the spans; without it they go to the OTLP endpoint of the settings, if any.
    `site_of` makes the site, which decides how boundaries are crossed.
    """
    exposed = _exposed(settings, hosted)
    _check_names(settings, hosted)
    part = settings.part or "-".join(sorted(hosted))
    site = site_of(settings, _telemetry(settings, part, hosted, export))
    try:
        for capability, make in MAKERS.items():
            if capability in hosted:
                site.host(capability, make)
        return Part(
            name=part,
            public=_watched(site) if "gateway" in hosted else None,
            internal=site.inner(part, [CONTRACTS[c] for c in sorted(exposed)]) if exposed else None,
            telemetry=site.telemetry,
            tasks=site.tasks,
            loops=tuple(site.loops),
            ready=partial(site.unready, is_current),
            close=site.close,
            facts={
                "capabilities": sorted(hosted),
                "shape": settings.shape,
                "faults": {k: v.model_dump(exclude_unset=True) for k, v in settings.faults.items()},
            },
        )
    except BaseException:
        await site.close()
        raise


def doors(site: Site) -> FastAPI:
    """The public app: every door, each asking the same capabilities."""
    settings = site.settings
    keys = {name: key.get_secret_value() for name, key in settings.api_keys.items()}
    admission = Admission(
        keys=ApiKeys(keys),
        limit=RateLimit(
            rate=settings.rate_limit_per_s,
            burst=settings.rate_limit_burst,
            clock=site.clock.monotonic,
        ),
        deadline_ms=settings.deadline_ms,
        tasks=site.tasks,
    )
    app = site.app("Borough")
    app.include_router(
        rest(
            admission,
            orders=site.ask(Orders, from_door=True),
            profiles=site.ask(Profiles, from_door=True),
            inventory=site.ask(Inventory, from_door=True),
        )
    )
    return app


def _watched(site: Site) -> ASGIApp:
    return site.telemetry.middleware(doors(site), capability="gateway", trusted=False)


def _payments(site: Site, database: Database) -> Payments:
    return PaymentsService(
        store=SqlVerdicts(database),
        clock=site.clock,
        telemetry=site.telemetry,
        iterations=site.settings.pbkdf2_iterations,
    )


def _profiles(site: Site, database: Database) -> Profiles:
    return ProfilesService(store=SqlProfiles(database), clock=site.clock)


def _inventory(site: Site, database: Database) -> Inventory:
    return InventoryService(store=SqlStock(database), clock=site.clock, telemetry=site.telemetry)


def _notifications(site: Site, database: Database) -> Notifications:
    return NotificationsService(
        store=SqlNotifications(database),
        clock=site.clock,
        telemetry=site.telemetry,
        park_after=site.settings.park_after,
    )


def _orders(site: Site, database: Database) -> Orders:
    settings, store = site.settings, SqlOrders(database)
    relay = Relay(
        outbox=store.outbox,
        deliver=site.ask(Notifications).deliver,
        clock=site.clock,
        telemetry=site.telemetry,
        interval=settings.outbox_interval_s,
        lease=settings.outbox_lease_s,
        retention=settings.outbox_retention_s,
        linger=settings.outbox_linger_s,
    )
    service = OrdersService(
        store=store,
        profiles=site.ask(Profiles),
        inventory=site.ask(Inventory),
        payments=site.ask(Payments),
        clock=site.clock,
        tasks=site.tasks,
        telemetry=site.telemetry,
        patience=Patience(settings.deadline_ms / 1_000, settings.settle_budget_ms / 1_000),
        on_placed=relay.wake,
    )
    reconcile = Reconcile(
        service=service,
        store=store,
        clock=site.clock,
        horizon=settings.reconcile_horizon_s,
        interval=settings.reconcile_interval_s,
    )
    site.loops += [relay.run, reconcile.run]
    return service


MAKERS: Mapping[str, Callable[[Site, Database], Capability]] = {
    "payments": _payments,
    "profiles": _profiles,
    "inventory": _inventory,
    "notifications": _notifications,
    "orders": _orders,
}
"""How each is put together, in this order: whoever asks comes after whom it asks."""


def load_shapes(settings: Settings) -> dict[str, shapes.Shape]:
    """Ours, or those of the file the settings name. Raises WrongShape."""
    return shapes.load(CALLS, settings.shapes_file)


def _exposed(settings: Settings, hosted: Collection[str]) -> frozenset[str]:
    """What the internal port serves: what another part of the shape calls. A part that was told no
    shape serves whatever has a caller that it does not host.
    """
    shapes.check_hosted(hosted, CALLS)
    known = load_shapes(settings)
    if settings.shape:
        shape = shapes.named(settings.shape, known, CALLS)
        return shape.served_to_others(shape.part_hosting(hosted), CALLS)
    elsewhere = set(CALLS) - set(hosted)
    return frozenset(c for c in hosted if any(c in CALLS[caller] for caller in elsewhere))


def _check_names(settings: Settings, hosted: Collection[str]) -> None:
    needed = shapes.needed(hosted, CALLS)
    if missing := sorted(needed - set(settings.peers)):
        raise shapes.WrongShape(
            f"this part calls {', '.join(missing)} and neither hosts it nor has an address of it: "
            f"name it in BOROUGH_PEERS"
        )
    for setting, names in (("PEERS", settings.peers), ("FAULTS", settings.faults)):
        if unknown := sorted(set(names) - set(CONTRACTS)):
            raise WrongSettings(f"BOROUGH_{setting}: there is no capability {', '.join(unknown)}")
    if elsewhere := sorted(set(settings.faults) - set(hosted)):
        raise WrongSettings(f"BOROUGH_FAULTS: this part does not host {', '.join(elsewhere)}")
    for name in needed:
        try:
            Addresses(name, settings.peers[name], interval=1)
        except ValueError as error:
            raise WrongSettings(f"BOROUGH_PEERS: {error}") from None


def _telemetry(
    settings: Settings, part: str, hosted: Collection[str], export: Export | None
) -> Telemetry:
    if export is None and settings.otlp_endpoint:
        export = otlp(settings.otlp_endpoint)
    build_facts = {
        "version": __version__,
        "shape": settings.shape,
        "capabilities": ",".join(sorted(hosted)),
    }
    return Telemetry(
        part,
        build=build_facts,
        ratio=settings.trace_ratio,
        export=export,
        log_level=settings.log_level,
        access_log=settings.access_log_ratio,
        signals=signals.OURS,
    )
