"""What a scaler's decisions have cost, beside what others' would have: the bill that runs along."""

from dataclasses import dataclass

from borough_operator.decision.model import Decision


@dataclass(slots=True)
class Tally:
    """Sums since this process first saw the scaler. Seconds times replicas, and times cores."""

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

    def lasted(self, decision: Decision, most: int, cores: float, seconds: float) -> None:
        """An answer stood for so long. Where the HPA has none yet, it would have kept ours; where
        there was nothing to decide about, nobody is charged.
        """
        answer = decision.final
        if answer is None:
            return
        ours = seconds * answer
        hpa = seconds * (answer if decision.hpa is None else decision.hpa)
        self.ours += ours
        self.hpa += hpa
        self.most += seconds * most
        self.ours_cores += ours * cores
        self.hpa_cores += hpa * cores
        self.most_cores += seconds * most * cores

    def changed(self, before: int, after: int) -> None:
        """The target was given another number."""
        direction = 1 if after > before else -1
        self.ups += direction > 0
        self.downs += direction < 0
        self.reversals += direction == -self._direction
        self._direction = direction
