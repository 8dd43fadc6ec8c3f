"""What travels in every call of the bench: the hop's 0.9 KB of JSON each way.

A file of its own because every stack of the bench sends it.
"""

from borough_shop.experiments.rungs.callee import ANSWER, QUESTION
from borough_shop.inventory.contract import Inventory

PATH = Inventory.endpoints["reserve"].path
JSON = "application/json"

__all__ = ["ANSWER", "JSON", "PATH", "QUESTION"]
