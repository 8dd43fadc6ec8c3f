"""What the auditor said of the books of a deployment, and what customers say of it.

The auditor compares the books with each other: a row that is in none of them it cannot miss. The
customer who was told of it can.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

Counts = Mapping[str, Mapping[str, int]]
"""How many rows there are of each kind, by capability."""


class NotCounted(Exception):
    """A workload is counted as something that the auditor does not count; the message names it."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the books hold, and what is wrong with them."""

    counts: Counts
    violations: tuple[str, ...]

    @classmethod
    def read(cls, printed: str) -> Self:
        """From what `borough audit --json` printed."""
        report = json.loads(printed)
        violations = (": ".join(violation.values()) for violation in report["violations"])
        counts = {name: kinds for name, kinds in report.items() if isinstance(kinds, dict)}
        return cls(counts, tuple(violations))

    @property
    def orders(self) -> Mapping[str, int]:
        """How many orders there are of each status, in the books of the shop."""
        return self.counts.get("orders", {})

    def need(self, kinds: Collection[str]) -> None:
        """Raises NotCounted unless it counts rows of the capability of each CAPABILITY.KIND."""
        for kind in kinds:
            if kind.partition(".")[0] not in self.counts:
                counted = ", ".join(self.counts) or "nothing"
                raise NotCounted(f"counts_as = {kind!r}: the auditor counts {counted}")

    def complaints(self, told: Mapping[str, int], before: Counts | None = None) -> tuple[str, ...]:
        """The violations, and where customers were `told` of more rows of a CAPABILITY.KIND than
        the books gained since `before`.
        """
        return (*self.violations, *self._missing(told, before or {}))

    def _missing(self, told: Mapping[str, int], before: Counts) -> Iterator[str]:
        for counted, number in told.items():
            name, _, kind = counted.partition(".")
            gained = self.counts.get(name, {}).get(kind, 0) - before.get(name, {}).get(kind, 0)
            if gained < number:
                yield f"customers were told of {number} {name}, the books gained {gained}"
