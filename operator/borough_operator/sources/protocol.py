"""Where readings come from: one protocol, and the values that pass through it.

A file of its own because every source implements it, and what asks imports no source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from borough_operator.decision.model import Need, Reading


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What a scaler scales."""

    namespace: str
    kind: str
    """Deployment or StatefulSet."""
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Ask:
    """One need of one target."""

    target: Target
    need: Need


class Source(Protocol):
    """Reads many needs of many targets at once."""

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, in bounded time. What fails is a reading of its own truth,
        never an exception.
        """
        ...

    async def close(self) -> None:
        """Give back what is held open."""
        ...
