"""Inventory: the menu, and stock that is never sold twice."""

from borough.app import Definition
from borough.compose import Composition
from borough_shop.inventory import signals
from borough_shop.inventory.contract import Inventory
from borough_shop.inventory.domain import StockStore
from borough_shop.inventory.laws import LAWS, read
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.service import InventoryService
from borough_shop.inventory.store import SqlStock


def make(part: Composition, store: StockStore) -> InventoryService:
    """The service."""
    return InventoryService(store=store, clock=part.clock, telemetry=part.telemetry)


CAPABILITY = Definition(
    contract=Inventory,
    make=make,
    sql=SqlStock,
    memory=MemoryStock,
    signals=signals.ALL,
    laws=LAWS,
    ledger=read,
)
