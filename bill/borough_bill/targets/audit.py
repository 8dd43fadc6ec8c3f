"""The auditor's report of a deployment, compared with the answers that customers got.

The auditor compares the stores with each other, so it cannot miss a row that is in none of them.
The answer that promised it shows the loss.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

Counts = Mapping[str, Mapping[str, int]]
"""The number of rows of each kind, by capability."""


class NotCounted(Exception):
    """A workload's `counts_as` is not counted by the auditor; the message names it."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The rows in the stores, and the violations found in them."""

    counts: Counts
    violations: tuple[str, ...]

    @classmethod
    def read(cls, printed: str) -> Self:
        """From the output of `borough audit --json`."""
        report = json.loads(printed)
        violations = (": ".join(violation.values()) for violation in report["violations"])
        counts = {name: kinds for name, kinds in report.items() if isinstance(kinds, dict)}
        return cls(counts, tuple(violations))

    @property
    def orders(self) -> Mapping[str, int]:
        """The number of orders by status, in the stores of the shop."""
        return self.counts.get("orders", {})

    def require(self, kinds: Collection[str]) -> None:
        """Raises NotCounted if it does not count rows of the capability of a CAPABILITY.KIND."""
        for kind in kinds:
            if kind.partition(".")[0] not in self.counts:
                counted = ", ".join(self.counts) or "nothing"
                raise NotCounted(f"counts_as = {kind!r}: the auditor counts {counted}")

    def with_missing(
        self, promised: Mapping[str, int], before: Counts | None = None
    ) -> tuple[str, ...]:
        """The violations, and each CAPABILITY.KIND of which answers `promised` more rows than the
        stores gained since `before`.
        """
        return (*self.violations, *self._missing(promised, before or {}))

    def _missing(self, promised: Mapping[str, int], before: Counts) -> Iterator[str]:
        for counted, number in promised.items():
            name, _, kind = counted.partition(".")
            gained = self.counts.get(name, {}).get(kind, 0) - before.get(name, {}).get(kind, 0)
            if gained < number:
                yield f"customers were answered {number} {name}, the stores gained {gained}"
