"""What a leaderboard found, as values that are printed, stored and read again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from borough_operator.simulator import front
from borough_operator.simulator.leaderboard import HPA_RATE, OURS, Entry, Result
from borough_operator.simulator.scores import Scores

NEAR = 0.1
"""Share of our cost within which another cost is about the same."""


class BrokenResult(ValueError):
    """A file holds no leaderboard; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one trace."""

    policy: str
    setting: str
    """What it aims at, and its windows; empty where it has one setting only."""
    scores: Scores


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy against the front of HPA on CPU."""

    policy: str
    front_violations: float
    """Of the front, at the policy's cost."""
    front_hours: float
    """Of the front, at no more violations than the policy's."""
    won: bool


@dataclass(frozen=True, slots=True)
class Board:
    """One trace."""

    trace: str
    seconds: int
    mean: float
    peak: float
    """Requests a second."""
    rows: tuple[Row, ...]
    judged: tuple[Judged, ...]
    rate_reversals: tuple[int, int]
    """The fewest and the most of HPA on rate, of its settings that cost what ours costs or up to a
    tenth more or less; of its row where there are none."""
    front: tuple[tuple[float, float], ...]
    """Replica-hours and violation-seconds of HPA on CPU, the cheapest first."""

    def row(self, policy: str) -> Row:
        """What this policy did."""
        return next(row for row in self.rows if row.policy == policy)


def board(result: Result) -> Board:
    """What is worth keeping of a result."""
    load = result.trace.load
    curve = front.front([entry.point for entry in result.sweep])
    return Board(
        result.trace.name,
        len(load),
        round(sum(load) / len(load), 2),
        max(load),
        tuple(_row(entry) for entry in result.rows),
        tuple(
            Judged(policy, round(told.violations, 3), round(told.hours, 6), told.won)
            for policy, told in result.verdicts.items()
        ),
        _rate_reversals(result),
        tuple((round(point.hours, 6), point.violations) for point in curve),
    )


def _rate_reversals(result: Result) -> tuple[int, int]:
    hours = result.row(OURS).scores.replica_hours
    near = [
        entry.scores.reversals
        for entry in result.rate_sweep
        if abs(entry.scores.replica_hours - hours) <= NEAR * hours
    ]
    near = near or [result.row(HPA_RATE).scores.reversals]
    return min(near), max(near)


def _row(entry: Entry) -> Row:
    return Row(entry.policy, entry.setting, entry.scores)


def write(boards: Sequence[Board], scale: float, path: Path) -> None:
    """Store a leaderboard."""
    stored = {"scale": scale, "traces": [asdict(found) for found in boards]}
    path.write_text(json.dumps(stored, indent=1) + "\n")


def read(path: Path) -> tuple[list[Board], float]:
    """A stored leaderboard and its scale. Raises BrokenResult."""
    try:
        stored = json.loads(path.read_text())
        return [_board(found) for found in stored["traces"]], stored["scale"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenResult(f"{path} is no leaderboard: {error!r}") from None


def _board(stored: Any) -> Board:
    rows = [{**row, "scores": Scores(**row["scores"])} for row in stored.pop("rows")]
    judged = [Judged(**told) for told in stored.pop("judged")]
    curve = [(hours, violations) for hours, violations in stored.pop("front")]
    fewest, most = stored.pop("rate_reversals")
    return Board(
        rows=tuple(Row(**row) for row in rows),
        judged=tuple(judged),
        rate_reversals=(fewest, most),
        front=tuple(curve),
        **stored,
    )
