"""The schedule: the intended send time of each request, whether earlier ones are answered or not.

Times are float64 seconds from the start, ascending. The same seed gives the same times. All
functions raise BadSchedule.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

POISSON, CONSTANT = "poisson", "constant"


class BadSchedule(ValueError):
    """A schedule is impossible; the message says why."""


def arrivals(kind: str, rate: float, seconds: float, seed: int) -> Times:
    """The schedule of a kind: "poisson", "constant", or the path of a file of times.

    `rate` is requests a second; a file has its own rate, and its times before `seconds` are used.
    """
    if kind == POISSON:
        return poisson(rate, seconds, seed)
    if kind == CONSTANT:
        return constant(rate, seconds)
    times = from_file(Path(kind))
    return times[: np.searchsorted(times, seconds)]


def poisson(rate: float, seconds: float, seed: int) -> Times:
    """Independent arrivals, `rate` a second on average: exponential gaps of mean 1 / rate."""
    _check(rate, seconds)
    chance = np.random.default_rng(seed)
    # Mean + 6 standard deviations: more are needed, and then drawn, once in a billion runs.
    enough = int(rate * seconds + 6 * (rate * seconds) ** 0.5) + 1
    times = np.cumsum(chance.exponential(1 / rate, enough))
    while times[-1] < seconds:
        times = np.append(times, times[-1] + np.cumsum(chance.exponential(1 / rate, enough)))
    return times[times < seconds]


def constant(rate: float, seconds: float) -> Times:
    """One arrival every 1 / rate seconds, the first at 0."""
    _check(rate, seconds)
    return np.arange(max(1, round(rate * seconds)), dtype=np.float64) / rate


def from_file(path: Path) -> Times:
    """Times from a file: seconds from the start, ascending, one a line; `#` begins a comment."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSchedule(
            f"arrivals are {POISSON}, {CONSTANT} or a file of times; {path} cannot be read: {error}"
        ) from error
    times: list[float] = []
    last = 0.0
    for number, line in enumerate(lines, start=1):
        if not (text := line.partition("#")[0].strip()):
            continue
        try:
            time = float(text)
        except ValueError:
            raise BadSchedule(f"{path}, line {number}: {text!r} is no time in seconds") from None
        if not last <= time < float("inf"):  # NaN fails too
            raise BadSchedule(f"{path}, line {number}: {text} does not follow {last:g}")
        times.append(last := time)
    if not times:
        raise BadSchedule(f"{path} holds no times")
    return np.array(times)


def _check(rate: float, seconds: float) -> None:
    """Raise BadSchedule where no request would be sent, or the schedule would not end."""
    for name, value in (("rate", rate), ("duration", seconds)):
        if not 0 < value < float("inf"):
            raise BadSchedule(f"the {name} must be positive and finite, and is {value:g}")
