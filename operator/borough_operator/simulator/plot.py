"""Two pictures: the replicas of each policy over time, and its cost and violations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borough_operator.simulator.leaderboard import (
    HPA_CPU,
    HPA_RATE,
    KPA,
    OURS,
    SWEPT,
    Comparison,
    Result,
)
from borough_operator.simulator.report import Board

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (OURS, HPA_CPU, HPA_RATE, KPA)
"""Policies in the picture of a timeline; KEDA's line would coincide with that of HPA on rate."""
COLOURS = ("#1fae84", "#e0602a", "#e69f00", "#3fa7e0", "#cc79a7", "#8a8f98", "#b3a526", "#5d6673")
"""After Okabe and Ito, Color Universal Design (2008)."""
STYLE: Any = {  # matplotlib types the keys as some hundred literals
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "borough",  # identical results give identical files
}


FORMATS = (".svg", ".png")


class Undrawable(Exception):
    """The picture cannot be drawn; the message says why."""


def check(path: Path) -> None:
    """Raise Undrawable for an unknown file format, and where the extra `plot` is not installed."""
    if path.suffix not in FORMATS:
        raise Undrawable(f"{path} is not a picture: its name must end in {' or '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise Undrawable("a picture needs matplotlib: install borough-operator[plot]")


def timelines(results: Sequence[Result], comparison: Comparison, path: Path) -> None:
    """Load, replicas and violations of each policy on each trace. Raises Undrawable."""
    with _figure(len(results), 3.4, path) as drawn:
        for place, result in enumerate(results, start=1):
            _timeline(drawn.add_subplot(len(results), 1, place), result, comparison)


def _timeline(axes: "Axes", result: Result, comparison: Comparison) -> None:
    load = result.trace.load
    seconds = range(len(load))
    needs = [comparison.station.pods_needed(rate) for rate in load]
    axes.fill_between(seconds, needs, step="post", color="#d8dce2", label="needed")
    lowest = -0.06 * max(needs)
    for row, (policy, colour) in enumerate(zip(SHOWN, COLOURS, strict=False)):
        entry = result.row(policy)
        timeline = comparison.timeline(result.trace, entry.make())
        times = [0, *_changes(timeline.replicas), len(load) - 1]
        sizes = [timeline.replicas[second] for second in times]
        axes.step(times, sizes, where="post", color=colour, linewidth=1.2)
        late = [now for now, second in enumerate(timeline.seconds) if second.violated]
        offset, length = lowest * (row + 1), 0.8 * lowest
        axes.eventplot(late, lineoffsets=offset, linelengths=length, colors=colour, linewidths=0.8)
        name = f"{policy} {entry.setting}".strip()
        label = f"{name}: {entry.scores.violations} s, {entry.scores.replica_hours:.1f} h"
        axes.plot([], [], color=colour, label=label)
    axes.set_title(f"{result.trace.name}: replicas; below, the seconds of violation", loc="left")
    axes.set_xlim(0, len(load))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _changes(sizes: Sequence[int]) -> Iterator[int]:
    """The seconds at which the size changed."""
    pairs = enumerate(pairwise(sizes), start=1)
    return (second for second, (before, after) in pairs if after != before)


def fronts(boards: Sequence[Board], path: Path) -> None:
    """Cost against violations, the front of HPA on CPU as a curve. Raises Undrawable."""
    across = 3
    down = -(-len(boards) // across)
    colours = dict(zip([row.policy for row in boards[0].rows], COLOURS, strict=True))
    with _figure(down, 2.5, path) as drawn:
        for place, board in enumerate(boards, start=1):
            _front(drawn.add_subplot(down, across, place), board, colours)
        names = drawn.axes[0].get_legend_handles_labels()
        drawn.legend(*names, loc="outside lower center", ncols=4, frameon=False)


def _front(axes: "Axes", board: Board, colours: Mapping[str, str]) -> None:
    hours, violations = zip(*board.front, strict=True)
    axes.plot(hours, violations, color=colours[HPA_CPU], linewidth=1.2, label="front of HPA on CPU")
    for row in board.rows:
        if row.policy == HPA_CPU:
            continue
        point = row.scores.replica_hours, row.scores.violations
        shape = "s" if row.policy in SWEPT else "o"
        axes.scatter(*point, color=colours[row.policy], marker=shape, s=26, label=row.policy)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(-1, max(100.0, 2.0 * max(violations)))
    axes.set_title(board.trace, loc="left")
    axes.set_xlabel("replica-hours", loc="right")
    axes.set_ylabel("violation-s")


@contextmanager
def _figure(rows: int, height: float, path: Path) -> Iterator["Figure"]:
    """A figure that is saved at the end in the format of the file's name."""
    check(path)
    from matplotlib import rc_context  # noqa: PLC0415  # an optional extra
    from matplotlib.figure import Figure  # noqa: PLC0415  # as above

    with rc_context(STYLE):
        drawn = Figure(figsize=(11.0, height * rows), layout="constrained", facecolor="white")
        yield drawn
        drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
