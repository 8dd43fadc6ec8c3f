"""The baseline as a part: the doors of the monolith, on one database."""

from dataclasses import replace
from typing import Any, cast

from sqlalchemy import Connection

from borough.app import App, Definition
from borough.capability import Capability
from borough.compose import PartBuilder, open_database, open_store
from borough.compose import build as compose
from borough.config import Settings, WrongSettings
from borough.outbox import Outbox
from borough.serving.lifecycle import Part, watch_store
from borough.stores.schema import in_transaction
from borough.stores.sql import parse
from borough_shop import orders
from borough_shop.app import APP
from borough_shop.experiments.baseline.order import OneTransaction
from borough_shop.inventory.store import SqlStock, menu, shelf
from borough_shop.notifications.store import notifications
from borough_shop.orders import OrdersSettings
from borough_shop.orders.service import Patience
from borough_shop.orders.store import SqlOrders
from borough_shop.orders.store import orders as orders_table
from borough_shop.payments.store import verdicts
from borough_shop.profiles.store import profiles
from borough_telemetry import Telemetry

NAME = "baseline"


class BaselineBuilder(PartBuilder):
    """Every capability on one database, and orders in one transaction."""

    def __init__(self, app: App, settings: Settings, telemetry: Telemetry) -> None:
        super().__init__(app, settings, telemetry)
        self.database = open_database(settings, NAME)
        watch_store(telemetry, self.database)

    def store_of(self, definition: Definition) -> Any:
        return open_store(self.app, definition, self.database)

    def _relay(self, definition: Definition, outbox: Outbox) -> None:
        """None: the notification is written in the transaction of the order."""

    async def close(self) -> None:
        await super().close()
        await self.database.close()


def _orders(part: BaselineBuilder, store: SqlOrders) -> Capability:
    settings, own = part.settings, part.own(OrdersSettings)
    made = cast(dict[str, Any], part.services)
    return OneTransaction(
        store=store,
        profiles=made["profiles"],
        inventory=made["inventory"],
        payments=made["payments"],
        clock=part.clock,
        tasks=part.tasks,
        telemetry=part.telemetry,
        patience=Patience(settings.deadline_ms / 1_000, own.settle_budget_ms / 1_000),
        database=part.database,
        outbox=store.outbox,
    )


BASELINE = APP.replacing(replace(orders.CAPABILITY, make=_orders))


async def build(settings: Settings, stock: int) -> Part:
    """Create tables and menu, and build one process, independent of the settings' shape.
    Raises WrongSettings.
    """
    if settings.faults:
        raise WrongSettings("BOROUGH_FAULTS: nothing in the baseline can fail apart from the rest")
    url = settings.store.get_secret_value()
    if parse(url, NAME).drivername != "sqlite":
        raise WrongSettings("BOROUGH_STORE: the baseline is measured on SQLite: sqlite:///FOLDER")

    def create(connection: Connection) -> None:
        for table in (orders_table, shelf, verdicts, profiles, notifications):
            table.create(connection, checkfirst=True)

    await in_transaction(url, NAME, create)
    database = open_database(settings, NAME)
    try:
        await SqlStock(database).receive(tuple(menu(stock)))
    finally:
        await database.close()
    alone = settings.model_copy(update={"part": settings.part or NAME, "shape": ""})
    return await compose(BASELINE, alone, list(APP.calls), builder=BaselineBuilder)
