"""Circuit breaker and retry budget. Pure state: time is an argument."""

from dataclasses import dataclass
from enum import Enum, auto

PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
FAILURES = 5


class Permit(Enum):
    """A breaker's decision on a call."""

    CALL = auto()
    PROBE = auto()
    NO = auto()


class Breaker:
    """Opens after `failures` of the peer in a row; after a pause one call is permitted as a probe,
    whose outcome decides. A failed probe doubles the pause, up to a bound; outcomes of calls that
    were in flight when the breaker opened do not count.
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
        """Whether a call may be sent. While open, one per pause may, so that a probe without an
        outcome does not block the peer without end.
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
        """The peer did not respond, or is unavailable. Returns whether that opened the breaker."""
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
    """At most this share of the calls is repeated, so that retries do not increase an overload;
    `most` bounds the saved tries.
    """

    share: float = 0.1
    most: float = 10.0
    _saved: float = 0.0

    @property
    def left(self) -> int:
        """How many retries are available now."""
        return int(self._saved)

    def called(self) -> None:
        """A first try was made."""
        self._saved = min(self._saved + self.share, self.most)

    def take(self) -> bool:
        """Take one retry; False where none is left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True

    def give_back(self) -> None:
        """Return a retry that was taken and not used."""
        self._saved += 1


NO_RETRIES = RetryBudget(share=0)
