"""How many writes there may be: so many a second, and a few at once after a rest.

What is refused is not queued. Whoever asks works from the present state and asks again at its next
turn, so that what is written late is never what was true early.
"""


class Budget:
    """A token bucket. Pure: time is an argument."""

    def __init__(self, per_second: float, at_once: float) -> None:
        self._rate = per_second
        self._most = at_once
        self._left = at_once
        self._since: float | None = None

    def grants(self, now: float) -> bool:
        """Whether one more may be written now."""
        elapsed = 0.0 if self._since is None else max(0.0, now - self._since)
        self._left = min(self._most, self._left + elapsed * self._rate)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
