"""The picture of timelines: the replicas of each policy over time, and its violations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from borough_operator.simulator.leaderboard import HPA_CPU, HPA_RATE, KPA, OURS, Board, Comparison
from borough_operator.simulator.traces import Trace

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


def timelines(boards: Sequence[tuple[Trace, Board]], comparison: Comparison, path: Path) -> None:
    """Load, replicas and violations of each policy on each trace. Raises Undrawable."""
    with figure(len(boards), 3.4, path) as drawn:
        for place, (trace, board) in enumerate(boards, start=1):
            _timeline(drawn.add_subplot(len(boards), 1, place), trace, board, comparison)


def _timeline(axes: "Axes", trace: Trace, board: Board, comparison: Comparison) -> None:
    load = trace.load
    needs = [comparison.station.pods_needed(rate) for rate in load]
    axes.fill_between(range(len(load)), needs, step="post", color="#d8dce2", label="needed")
    lowest, policies = -0.06 * max(needs), comparison.policies(trace)
    for place, (policy, colour) in enumerate(zip(SHOWN, COLOURS, strict=False)):
        row = board.row(policy)
        timeline = comparison.timeline(trace, policies[policy, row.setting]())
        times = [0, *_changes(timeline.replicas), len(load) - 1]
        sizes = [timeline.replicas[second] for second in times]
        axes.step(times, sizes, where="post", color=colour, linewidth=1.2)
        late = [now for now, second in enumerate(timeline.seconds) if second.violated]
        offset, length = lowest * (place + 1), 0.8 * lowest
        axes.eventplot(late, lineoffsets=offset, linelengths=length, colors=colour, linewidths=0.8)
        name = f"{policy} {row.setting}".strip()
        label = f"{name}: {row.scores.violations} s, {row.scores.replica_hours:.1f} h"
        axes.plot([], [], color=colour, label=label)
    axes.set_title(f"{trace.name}: replicas; below, the seconds of violation", loc="left")
    axes.set_xlim(0, len(load))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _changes(sizes: Sequence[int]) -> Iterator[int]:
    pairs = enumerate(pairwise(sizes), start=1)
    return (second for second, (before, after) in pairs if after != before)


@contextmanager
def figure(rows: int, height: float, path: Path) -> Iterator["Figure"]:
    """A figure that is saved at the end in the format of the file's name."""
    check(path)
    from matplotlib import rc_context  # noqa: PLC0415  # an optional extra
    from matplotlib.figure import Figure  # noqa: PLC0415  # as above

    with rc_context(STYLE):
        drawn = Figure(figsize=(11.0, height * rows), layout="constrained", facecolor="white")
        yield drawn
        drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
