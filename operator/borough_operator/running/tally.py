"""Accumulated cost of a scaler's decisions, beside that of the alternatives."""

from dataclasses import dataclass

from borough_operator.decision.model import Decision


@dataclass(slots=True)
class Tally:
    """Sums since this process first saw the scaler, in replica-seconds and core-seconds: of the
    scaler's decisions (ours), of the HPA's, and of the maximum all the time (most).
    """

    ours: float = 0.0
    hpa: float = 0.0
    most: float = 0.0
    ours_cores: float = 0.0
    hpa_cores: float = 0.0
    most_cores: float = 0.0
    ups: int = 0
    downs: int = 0
    reversals: int = 0
    _direction: int = 0

    def add_period(self, decision: Decision, most: int, cores: float, seconds: float) -> None:
        """Add `seconds` of this decision. Without an HPA number its own counts for the HPA too."""
        number = decision.final
        if number is None:
            return
        ours = seconds * number
        hpa = seconds * (number if decision.hpa is None else decision.hpa)
        self.ours += ours
        self.hpa += hpa
        self.most += seconds * most
        self.ours_cores += ours * cores
        self.hpa_cores += hpa * cores
        self.most_cores += seconds * most * cores

    def add_change(self, before: int, after: int) -> None:
        """Count a change of the target's number."""
        direction = 1 if after > before else -1
        self.ups += direction > 0
        self.downs += direction < 0
        self.reversals += direction == -self._direction
        self._direction = direction
