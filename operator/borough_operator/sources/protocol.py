"""The protocol of a source, and the values of its interface.

A file of its own because every source implements it, and its callers import no source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from borough_operator.decision.model import Need, Reading


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """The workload that a scaler scales."""

    namespace: str
    kind: str
    """Deployment or StatefulSet."""
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Ask:
    target: Target
    need: Need


class Source(Protocol):
    """Reads needs of many targets at once."""

    async def read(self, asks: Sequence[Ask]) -> Mapping[Ask, Reading]:
        """A reading for every ask, in bounded time. Raises nothing: a failure is a reading with
        Freshness.ERROR.
        """
        ...

    async def close(self) -> None: ...
