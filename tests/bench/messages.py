"""What travels in every call of the bench: the hop's 0.9 KB of JSON each way, for all stacks."""

from borough.contracts.inventory import Inventory
from borough.testing.rungs.callee import ANSWER, QUESTION

PATH = Inventory.endpoints["reserve"].path
JSON = "application/json"

__all__ = ["ANSWER", "JSON", "PATH", "QUESTION"]
