"""The memory twins of every store: the same promises as the SQL ones, under the same suite."""

from borough.testing.memory.inventory import MemoryStock
from borough.testing.memory.notifications import MemoryNotifications
from borough.testing.memory.orders import MemoryOrders
from borough.testing.memory.outbox import MemoryOutbox
from borough.testing.memory.payments import MemoryVerdicts
from borough.testing.memory.profiles import MemoryProfiles
from borough.testing.memory.rows import Checkpoint, atomic, turn

__all__ = [
    "Checkpoint",
    "MemoryNotifications",
    "MemoryOrders",
    "MemoryOutbox",
    "MemoryProfiles",
    "MemoryStock",
    "MemoryVerdicts",
    "atomic",
    "turn",
]
