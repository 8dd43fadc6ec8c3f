"""The results of a leaderboard as values that are printed, stored and read."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from borough_operator.simulator import front
from borough_operator.simulator.leaderboard import OURS, Entry, Result
from borough_operator.simulator.origin import Origin
from borough_operator.simulator.scores import Scores


class BrokenResult(ValueError):
    """A file without a leaderboard; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one trace."""

    policy: str
    setting: str
    """Its target and windows; empty where it has one setting only."""
    scores: Scores


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy compared with the front of HPA on CPU."""

    policy: str
    front_violations: float
    """Violations of the front at the policy's cost."""
    front_hours: float
    """Cost of the front at no more violations than the policy's."""
    won: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The results of one trace."""

    trace: str
    seconds: int
    mean: float
    peak: float
    """Requests a second."""
    rows: tuple[Row, ...]
    judged: tuple[Judged, ...]
    rate: tuple[Row, ...]
    """HPA on rate: for each pair of its windows, the target whose cost is nearest to ours."""
    front: tuple[tuple[float, float], ...]
    """Replica-hours and violation-seconds of HPA on CPU, the cheapest first."""

    def row(self, policy: str) -> Row:
        """The row of this policy."""
        return next(row for row in self.rows if row.policy == policy)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The results of all traces, and the factor of their loads."""

    boards: tuple[Board, ...]
    scale: float
    origin: Origin


def board(result: Result) -> Board:
    """The part of a result that is stored."""
    load = result.trace.load
    curve = front.front([entry.point for entry in result.sweep])
    return Board(
        result.trace.name,
        len(load),
        round(sum(load) / len(load), 2),
        max(load),
        tuple(_row(entry) for entry in result.rows),
        tuple(
            Judged(policy, round(verdict.violations, 3), round(verdict.hours, 6), verdict.won)
            for policy, verdict in result.verdicts.items()
        ),
        tuple(_row(entry) for entry in _by_windows(result)),
        tuple((round(point.hours, 6), point.violations) for point in curve),
    )


def _by_windows(result: Result) -> Iterator[Entry]:
    """HPA on rate: for each pair of windows, the entry whose cost is nearest to ours."""
    hours = result.row(OURS).scores.replica_hours
    windows: dict[str, list[Entry]] = {}
    for entry in result.rate_sweep:
        windows.setdefault(entry.setting.partition(", ")[2], []).append(entry)
    for entries in windows.values():
        yield min(entries, key=lambda entry: abs(entry.scores.replica_hours - hours))


def _row(entry: Entry) -> Row:
    return Row(entry.policy, entry.setting, entry.scores)


def write(found: Leaderboard, path: Path) -> None:
    """Store a leaderboard."""
    stored = {
        **asdict(found.origin),
        "scale": found.scale,
        "traces": [asdict(board) for board in found.boards],
    }
    path.write_text(json.dumps(stored, indent=1) + "\n")


def read(path: Path) -> Leaderboard:
    """A stored leaderboard. Raises BrokenResult."""
    try:
        stored = json.loads(path.read_text())
        return Leaderboard(
            tuple(_board(found) for found in stored["traces"]),
            stored["scale"],
            Origin(stored["version"], stored["commit"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenResult(f"{path} is not a leaderboard: {error!r}") from None


def _board(stored: Any) -> Board:
    rows, rate = (tuple(map(_stored_row, stored.pop(name))) for name in ("rows", "rate"))
    judged = [Judged(**each) for each in stored.pop("judged")]
    curve = [(hours, violations) for hours, violations in stored.pop("front")]
    return Board(rows=rows, rate=rate, judged=tuple(judged), front=tuple(curve), **stored)


def _stored_row(stored: Any) -> Row:
    return Row(stored["policy"], stored["setting"], Scores(**stored["scores"]))
