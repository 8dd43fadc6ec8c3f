"""When to stop asking a peer, and when asking again is affordable. Pure state; time comes in."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
FAILURES = 5


class Permit(Enum):
    """What a breaker says to a call."""

    CALL = auto()
    PROBE = auto()
    NO = auto()


class Breaker:
    """Open after some failures in a row; after a pause one call may try, and its outcome decides.

    A probe that fails doubles the pause, up to a bound; calls that were under way before the
    breaker opened no longer count. Only failures of the peer itself are told to it.
    """

    def __init__(self, failures: int = FAILURES) -> None:
        self._limit = failures
        self._failures = 0
        self._pause = PAUSE_S
        self._shut_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are refused but for a probe now and then."""
        return self._failures >= self._limit

    def permit(self, now: float) -> Permit:
        """Whether a call may go out; while open, one a pause, so a lost probe blocks nothing."""
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
        """The peer did not answer, or said that it cannot. True when that opened the breaker."""
        if permit is Permit.PROBE:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            self._shut_until = now + self._pause
            return False
        if self.open:
            return False
        self._failures += 1
        self._shut_until = now + self._pause
        return self.open


class RetryBudget:
    """At most this share of calls is sent again: retries must not feed an overload."""

    def __init__(self, share: float = 0.1, most: float = 10.0) -> None:
        self._share = share
        self._most = most
        self._saved = 0.0

    @property
    def left(self) -> int:
        """How many more tries are affordable now."""
        return int(self._saved)

    def called(self) -> None:
        """A first try was made."""
        self._saved = min(self._saved + self._share, self._most)

    def take(self) -> bool:
        """Whether one more try is affordable; it is spent with that."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True

    def give_back(self) -> None:
        """What was taken was not needed."""
        self._saved += 1


@dataclass(slots=True)
class Address:
    """One replica of a peer: where it is, what is under way to it, until when it is left alone."""

    url: str
    in_flight: int = 0
    resting_until: float = 0.0


def choose(
    addresses: list[Address],
    now: float,
    chance: Callable[[list[Address]], tuple[Address, Address]],
    avoid: Address | None = None,
) -> Address:
    """The less loaded of two taken by chance ("power of two choices", Mitzenmacher 2001).

    One that just failed is passed over while there is another. `addresses` must not be empty.
    """
    others = [address for address in addresses if address is not avoid] or addresses
    awake = [address for address in others if address.resting_until <= now] or others
    if len(awake) == 1:
        return awake[0]
    one, two = chance(awake)
    return one if one.in_flight <= two.in_flight else two
