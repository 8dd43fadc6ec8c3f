"""What the auditor said: a file of its own because every target and every experiment reads it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Audit:
    """The auditor's word: how many orders of each status the books hold, and what is wrong."""

    orders: Mapping[str, int]
    violations: tuple[str, ...]

    @classmethod
    def read(cls, printed: str) -> Self:
        """From what `borough audit --json` printed."""
        report = json.loads(printed)
        violations = (": ".join(violation.values()) for violation in report["violations"])
        return cls(orders=report["orders"], violations=tuple(violations))
