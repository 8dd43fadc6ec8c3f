"""The baseline as a part: what the monolith serves at its doors, on one database."""

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Connection

from borough.capability import Capability
from borough.config import Settings, WrongSettings
from borough.serving.lifecycle import Part
from borough.serving.runtime import watch_store
from borough.site import Site, open_store
from borough.stores.schema import in_transaction
from borough.stores.sql import Database, parse
from borough_shop import wiring
from borough_shop.inventory.store import SqlStock, menu, shelf
from borough_shop.notifications.store import notifications
from borough_shop.orders.service import Patience
from borough_shop.orders.store import SqlOrders, orders
from borough_shop.payments.store import verdicts
from borough_shop.profiles.store import profiles
from borough_shop.testing.baseline.order import OneTransaction
from borough_telemetry import Telemetry

NAME = "baseline"
"""Of the one database."""


class BaselineSite(Site):
    """Every capability on one database, and orders in one transaction."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        super().__init__(settings, telemetry)
        self._database = open_store(settings, NAME)
        watch_store(telemetry, self._database)

    def host(self, capability: str, make: Callable[[Site, Database], Any]) -> None:
        own = _orders if capability == OneTransaction.name else make
        self.services[capability] = own(self, self._database)

    async def close(self) -> None:
        await super().close()
        await self._database.close()


def _orders(site: Site, database: Database) -> Capability:
    settings, services = site.settings, cast(dict[str, Any], site.services)
    return OneTransaction(
        store=SqlOrders(database),
        profiles=services["profiles"],
        inventory=services["inventory"],
        payments=services["payments"],
        clock=site.clock,
        tasks=site.tasks,
        telemetry=site.telemetry,
        patience=Patience(settings.deadline_ms / 1_000, settings.settle_budget_ms / 1_000),
        database=database,
    )


async def build(settings: Settings, stock: int) -> Part:
    """Put it together, its tables made and its menu filled; it is one process, whatever shape the
    settings speak of. Raises WrongSettings.
    """
    if settings.faults:
        raise WrongSettings("BOROUGH_FAULTS: nothing in the baseline can fail apart from the rest")
    await _prepare(settings, stock)
    alone = settings.model_copy(update={"part": settings.part or NAME, "shape": ""})
    return await wiring.build(alone, list(wiring.CALLS), site_of=BaselineSite)


async def _prepare(settings: Settings, stock: int) -> None:
    """Make what tables are missing, and put so many pieces of each article on the menu; what is
    there already stays as it is.
    """
    url = settings.store.get_secret_value()
    if parse(url, NAME).drivername != "sqlite":
        raise WrongSettings("BOROUGH_STORE: the baseline is measured on SQLite: sqlite:///FOLDER")

    def create(connection: Connection) -> None:
        for table in (orders, shelf, verdicts, profiles, notifications):
            table.create(connection, checkfirst=True)

    await in_transaction(url, NAME, create)
    database = open_store(settings, NAME)
    try:
        await SqlStock(database).receive(tuple(menu(stock)))
    finally:
        await database.close()
