"""A token bucket, which limits the rate of writes.

A refused write is not queued: it is decided again at the scaler's next evaluation, so that an old
state is never written late.
"""


class TokenBucket:
    """So many tokens a second, and `burst` at most saved up. Pure: time is an argument."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._rate = per_second
        self._burst = burst
        self._left = burst
        self._since: float | None = None

    def take(self, now: float) -> bool:
        """Take a token; False where none is left."""
        elapsed = 0.0 if self._since is None else max(0.0, now - self._since)
        self._left = min(self._burst, self._left + elapsed * self._rate)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
