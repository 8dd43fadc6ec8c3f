"""When a peer is not called, and when a call may be repeated. Pure state: time is an argument."""

from dataclasses import dataclass
from enum import Enum, auto

PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
FAILURES = 5


class Permit(Enum):
    """A breaker's answer to a call."""

    CALL = auto()
    PROBE = auto()
    NO = auto()


class Breaker:
    """Opens after some failures of the peer in a row; after a pause one call is let through as a
    probe, whose outcome decides. A failed probe doubles the pause, up to a bound; calls that were
    in flight when the breaker opened no longer count.
    """

    def __init__(self, failures: int = FAILURES) -> None:
        self._limit = failures
        self._failures = 0
        self._pause = PAUSE_S
        self._shut_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls other than probes are refused."""
        return self._failures >= self._limit

    def permit(self, now: float) -> Permit:
        """Whether a call may be sent. While open, one is a pause, so that a lost probe does not
        block the peer for ever.
        """
        if not self.open:
            return Permit.CALL
        if now < self._shut_until:
            return Permit.NO
        self._shut_until = now + self._pause
        return Permit.PROBE

    def succeeded(self) -> None:
        """The peer answered."""
        self._failures = 0
        self._pause = PAUSE_S

    def failed(self, now: float, permit: Permit = Permit.CALL) -> bool:
        """The peer did not answer, or answered that it cannot. True where that opened it."""
        if permit is Permit.PROBE:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            self._shut_until = now + self._pause
            return False
        if self.open:
            return False
        self._failures += 1
        self._shut_until = now + self._pause
        return self.open


@dataclass(slots=True, eq=False)
class RetryBudget:
    """At most this share of the calls is repeated, so that retries do not feed an overload; `most`
    bounds what is saved up in quiet times.
    """

    share: float = 0.1
    most: float = 10.0
    _saved: float = 0.0

    @property
    def left(self) -> int:
        """How many more tries are affordable now."""
        return int(self._saved)

    def called(self) -> None:
        """A first try was made."""
        self._saved = min(self._saved + self.share, self.most)

    def take(self) -> bool:
        """Spend one try; False where none is left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True

    def give_back(self) -> None:
        """A try that was taken was not needed."""
        self._saved += 1


NO_RETRIES = RetryBudget(share=0)
