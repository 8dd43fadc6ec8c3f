"""The loads: files with one number a line, and synthetic traces by seeded recipes.

Each synthetic trace tests one property (a step, a ramp, a spike, ...) and is the same on every
machine, since Python guarantees the sequence of a seeded `random()`. Periodic ones repeat after a
prime number of seconds, so that they coincide with no autoscaler's period.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LENGTH = 3600
"""Seconds of a synthetic trace."""
SEED = 6
"""Chosen before the first result and kept."""


class TraceInvalid(ValueError):
    """A file that is not a trace; the message names the line."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests per second, one number for each second."""

    name: str
    load: tuple[float, ...]

    def scaled(self, factor: float) -> "Trace":
        return Trace(self.name, tuple(rate * factor for rate in self.load))


def read(path: Path) -> Trace:
    """The trace of a file with one number a line; empty lines and lines with # are skipped.

    Raises `TraceInvalid`.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceInvalid(f"{path} cannot be read: {error}") from None
    lines = enumerate(text.splitlines(), start=1)
    numbered = [(number, line.strip()) for number, line in lines]
    load = [_rate(path, n, line) for n, line in numbered if line and not line.startswith("#")]
    if len(load) < 2:  # noqa: PLR2004  # a change needs two
        why = "a trace has at least two, one for each second"
        raise TraceInvalid(f"{path} has {len(load)} numbers; {why}")
    return Trace(path.stem, tuple(load))


def _rate(path: Path, number: int, line: str) -> float:
    try:
        rate = float(line)
    except ValueError:
        raise TraceInvalid(f'{path}, line {number}: "{line[:40]}" is not a number') from None
    if not (math.isfinite(rate) and rate >= 0.0):
        why = "is not a rate: it must be 0 or more"
        raise TraceInvalid(f"{path}, line {number}: {line[:40]} {why}")
    return rate


def _wandering(base: Sequence[float], spread: float, memory: float) -> list[float]:
    """A base with first-order autoregressive noise: standard deviation `spread` as a share of the
    base, correlation time `memory` in seconds.
    """
    chance, keep, drift, load = random.Random(SEED), math.exp(-1.0 / memory), 0.0, []  # noqa: S311  # seeded, not cryptography
    for rate in base:
        drift = keep * drift + math.sqrt(1.0 - keep * keep) * chance.gauss(0.0, spread)
        load.append(max(0.0, rate * (1.0 + drift)))
    return load


def synthetic() -> Mapping[str, Trace]:
    """Every synthetic trace by its name, in whole requests per second."""
    formulas: Mapping[str, Callable[[int], float]] = {
        "flat": lambda _: 200.0,
        "step": lambda second: 320.0 if second in range(907, 2711) else 80.0,
        "ramp": lambda second: 60.0 + 300.0 * min(second, LENGTH - second) / (LENGTH / 2),
        "spike": lambda second: 400.0 if second % 1201 in range(607, 667) else 100.0,
        "sawtooth": lambda second: 80.0 + 240.0 * (second % 613) / 613,
    }
    loads = {name: [rate(second) for second in range(LENGTH)] for name, rate in formulas.items()}
    # The load of a day, compressed into an hour, and one without a shape.
    day = [260.0 - 120.0 * math.cos(2.0 * math.pi * second / LENGTH) for second in range(LENGTH)]
    loads |= {
        "daily": _wandering(day, 0.03, 60.0),
        "restless": _wandering([160.0] * LENGTH, 0.18, 15.0),
    }
    return {name: Trace(name, tuple(float(round(r)) for r in load)) for name, load in loads.items()}
