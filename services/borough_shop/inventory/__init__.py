"""Inventory: the menu, and stock that is never sold twice."""

from borough.app import Definition
from borough_shop.inventory import signals
from borough_shop.inventory.contract import Inventory
from borough_shop.inventory.laws import LAWS, read
from borough_shop.inventory.memory import MemoryStock
from borough_shop.inventory.service import InventoryService
from borough_shop.inventory.store import SqlStock

CAPABILITY = Definition(
    contract=Inventory,
    make=lambda part, store: InventoryService(
        store=store, clock=part.clock, telemetry=part.telemetry
    ),
    sql=SqlStock,
    memory=MemoryStock,
    signals=signals.ALL,
    laws=LAWS,
    ledger=read,
)
