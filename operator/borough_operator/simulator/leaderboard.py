"""The comparison on the same loads: this operator, each rival over its whole sweep, and two bounds.

A rival's row shows the setting of its front whose cost is nearest to this operator's. The operator
has one setting for all traces; a rival's is chosen for each trace afterwards.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

from borough_operator.simulator import rivals
from borough_operator.simulator.ours import Ours, Source
from borough_operator.simulator.scores import Point, Scores, compare, front, score
from borough_operator.simulator.station import Model, Station
from borough_operator.simulator.timeline import Autoscaler, Timeline, run
from borough_operator.simulator.traces import Trace

TARGETS = range(30, 95, 5)
"""Percent of a pod's capacity that a rival targets."""
DOWN_WINDOWS = (60, 120, 180, 300, 600)
"""Seconds of HPA's scale-down stabilisation, on CPU."""
RATE_DOWN_WINDOWS = (60, 300)
"""The same on a rate, and of KEDA."""
RATE_WINDOWS = (15, 60)
"""Seconds of `rate()` for those that read Prometheus: this operator's, and the usual."""

OURS = "ours"
"""This operator with the source Pods."""
OURS_PROMETHEUS = "ours, Prometheus"
HPA_CPU, HPA_RATE, KEDA, KPA = "HPA on CPU", "HPA on rate", "KEDA", "KPA"
STATIC, ORACLE = "static", "oracle"
SWEPT = (HPA_CPU, HPA_RATE, KEDA, KPA)
JUDGED = (OURS, OURS_PROMETHEUS, ORACLE)
"""Those compared with HPA on CPU; the oracle shows what is possible."""

CODE = Path(__file__).parents[1]
"""The folder that a result depends on."""
UNKNOWN = "unknown"

Factory = Callable[[], Autoscaler]


class BrokenResult(ValueError):
    """A file without a leaderboard; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    policy: str
    setting: str
    """Its target and windows; empty where it has one setting only."""
    scores: Scores

    @property
    def point(self) -> Point:
        return Point(self.scores.replica_hours, float(self.scores.violations))


@dataclass(frozen=True, slots=True)
class Judged:
    policy: str
    front_violations: float
    """Violations of the front at the policy's cost."""
    front_hours: float
    """Cost of the front at no more violations than the policy's."""
    won: bool


@dataclass(frozen=True, slots=True)
class Board:
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
        return next(row for row in self.rows if row.policy == policy)


@dataclass(frozen=True, slots=True)
class Origin:
    """A version of borough-operator and the commit of its code: `unknown` outside a repository,
    with `-dirty` where the code differs from the commit.
    """

    version: str
    commit: str


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The results of all traces, and the factor of their loads."""

    boards: tuple[Board, ...]
    scale: float
    origin: Origin


class Comparison:
    """Runs policies on a model and its station."""

    def __init__(self, model: Model) -> None:
        self.model, self.station = model, Station(model)

    def timeline(self, trace: Trace, policy: Autoscaler) -> Timeline:
        return run(trace.load, policy, self.station, self.model)

    def policies(self, trace: Trace) -> dict[tuple[str, str], Factory]:
        """What creates each policy with each of its settings, by the two."""
        load, station = trace.load, self.station
        return {
            (OURS, ""): partial(Ours, self.model, station, Source.PODS),
            (OURS_PROMETHEUS, ""): partial(Ours, self.model, station, Source.PROMETHEUS),
            **{(name, setting): make for name in SWEPT for setting, make in self._settings(name)},
            (STATIC, ""): partial(rivals.static, load, station),
            (ORACLE, ""): partial(rivals.oracle, load, station, self.model),
        }

    def rows(self, trace: Trace) -> list[Row]:
        """The results of every policy with every setting on one trace."""
        return [
            Row(*name, score(self.timeline(trace, make()), self.station))
            for name, make in self.policies(trace).items()
        ]

    def _settings(self, policy: str) -> Iterator[tuple[str, Factory]]:
        for target in TARGETS:
            if policy == KPA:
                yield f"{target} %", partial(rivals.Kpa, self.model, target)
            elif policy == HPA_CPU:
                for down in DOWN_WINDOWS:
                    make = partial(rivals.HpaCpu, self.model, target, float(down))
                    yield f"{target} %, {down} s", make
            else:
                rival = rivals.HpaRate if policy == HPA_RATE else rivals.Keda
                for down, rate in product(RATE_DOWN_WINDOWS, RATE_WINDOWS):
                    make_rival = partial(rival, self.model, target, float(down), rate)
                    yield f"{target} %, {down} s, rate[{rate}s]", make_rival


def board(trace: Trace, rows: Sequence[Row]) -> Board:
    """The board of a trace from the rows of all policies with all settings."""
    found: dict[str, list[Row]] = {}
    windows: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.policy, []).append(row)
        if row.policy == HPA_RATE:
            windows.setdefault(row.setting.partition(", ")[2], []).append(row)
    hours, load = found[OURS][0].point.hours, trace.load
    curve = front([row.point for row in found[HPA_CPU]])
    judged = []
    for policy in JUDGED:
        verdict = compare(found[policy][0].point, curve)
        violations, cost = round(verdict.violations, 3), round(verdict.hours, 6)
        judged.append(Judged(policy, violations, cost, verdict.won))
    return Board(
        trace.name,
        len(load),
        round(sum(load) / len(load), 2),
        max(load),
        tuple(_nearest(_on_front(each), hours) for each in found.values()),
        tuple(judged),
        tuple(_nearest(each, hours) for each in windows.values()),
        tuple((round(point.hours, 6), point.violations) for point in curve),
    )


def _on_front(rows: Sequence[Row]) -> list[Row]:
    curve = set(front([row.point for row in rows]))
    return [row for row in rows if row.point in curve]


def _nearest(rows: Sequence[Row], hours: float) -> Row:
    return min(rows, key=lambda row: abs(row.point.hours - hours))


def write(found: Leaderboard, path: Path) -> None:
    """Store a leaderboard."""
    boards = [asdict(board) for board in found.boards]
    stored = {**asdict(found.origin), "scale": found.scale, "traces": boards}
    path.write_text(json.dumps(stored, indent=1) + "\n")


def read(path: Path) -> Leaderboard:
    """A stored leaderboard. Raises BrokenResult."""
    try:
        stored = json.loads(path.read_text())
        boards = tuple(_board(**found) for found in stored["traces"])
        return Leaderboard(boards, stored["scale"], Origin(stored["version"], stored["commit"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenResult(f"{path} is not a leaderboard: {error!r}") from None


def _board(rows: Any, rate: Any, judged: Any, front: Any, **plain: Any) -> Board:
    return Board(
        rows=tuple(map(_row, rows)),
        rate=tuple(map(_row, rate)),
        judged=tuple(Judged(**each) for each in judged),
        front=tuple((hours, violations) for hours, violations in front),
        **plain,
    )


def _row(stored: Mapping[str, Any]) -> Row:
    return Row(stored["policy"], stored["setting"], Scores(**stored["scores"]))


def origin(code: Path = CODE) -> Origin:
    """The origin of the code in this folder."""
    name = _git(code, "rev-parse", "--short=12", "HEAD")
    dirty = "-dirty" if _git(code, "status", "--porcelain", "--", ".") else ""
    return Origin(metadata.version("borough-operator"), f"{name}{dirty}" if name else UNKNOWN)


def _git(code: Path, *arguments: str) -> str | None:
    """The output of git, None where it is empty or git fails."""
    try:
        done = subprocess.run(  # noqa: S603  # constant arguments
            ["git", *arguments],  # noqa: S607  # the user's git
            cwd=code, capture_output=True, text=True, check=False,
        )  # fmt: skip  # the command on one line
    except OSError:
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None
