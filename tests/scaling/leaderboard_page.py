"""The stored leaderboard as a page of the documentation, and its picture.

`PYTHONPATH=tests python -m scaling.leaderboard_page RESULT` prints the page, and with `--picture
FILE` draws its picture. `make generate` does both.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from borough_operator.simulator import commands, leaderboard, plot, traces
from borough_operator.simulator.commands import TEXT_COLUMNS, Table
from borough_operator.simulator.leaderboard import (
    HPA_CPU,
    OURS,
    OURS_PROMETHEUS,
    SWEPT,
    Board,
    Leaderboard,
)
from borough_operator.simulator.scores import Scores

PICTURE = "leaderboard.svg"
"""Beside the page."""
INTRODUCTION = (
    "Generated from `docs/results/leaderboard.json` by `make generate`. Every policy runs"
    " on the same loads in the same model of pods and metrics,"
    " `operator/borough_operator/simulator/pods.toml`, and reads only what it would read in a"
    " cluster. A violation-second is one whose modelled 95th percentile is above 250 ms;"
    " replica-hours are the cost; a reversal is a change against the direction of the one"
    " before. This operator (ours) has one setting for every trace, and reads the pods or, in the"
    " second row, Prometheus; a rival's row shows the setting of its sweep whose cost is nearest to"
    " ours."
)
RECORDED = ("diurnal", "noisy")
"""Named as their files are at their origin."""
SOURCE = (
    "are recorded loads: an hour of requests a second each, as they stand in `traces/` of"
    " [microsoft/autothrottle](https://github.com/microsoft/autothrottle) (MIT licence, Copyright"
    " (c) Microsoft Corporation). They are not part of this repository; the other traces are made"
    " by `operator/borough_operator/simulator/traces.py`. With the two files present, this command"
    " reproduces the result exactly:"
)
REVERSAL_RATIO = 3
"""Minimum ratio of HPA's reversals on a rate to this operator's: the goal on `noisy`."""
NOISY = "noisy"
"""The trace that the goal on reversals is about."""
REVERSAL_GOAL = (
    "A goal set before the measurement: on `noisy`, at most a third of the reversals of HPA on"
    " rate. HPA's reversals depend on its windows: the seconds of its scale-down stabilisation,"
    " 300 by default, and those of its `rate()`. For each pair of windows, with the target whose"
    " cost is nearest to ours:"
)


def page(found: Leaderboard) -> str:
    """The whole of a leaderboard, as Markdown."""
    boards = found.boards
    size = "" if found.scale == 1.0 else f" All loads are multiplied by {found.scale:g}."
    won = sum(judged.won for board in boards for judged in board.judged if judged.policy == OURS)
    parts = [
        "# Leaderboard of autoscalers",
        f"{INTRODUCTION}{size}",
        *_origin(found),
        f"![Cost and violations of each policy, trace by trace]({PICTURE})",
        f"## Won: {won} of {len(boards)}",
        commands.EXPLAINED,
        markdown(commands.verdicts(boards)),
        totals(boards),
        *(line for board in boards if board.trace == NOISY for line in _reversal_goal(board)),
        *(line for board in boards for line in _section(board)),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(found: Leaderboard) -> Iterable[str]:
    """The origin of the loads and the code, and the command that reproduces the result."""
    names = [board.trace for board in found.boards]
    recorded = [f"`{name}`" for name in RECORDED if name in names]
    made_by = f"Of borough-operator {found.origin.version}, commit {found.origin.commit}."
    yield f"{made_by} {' and '.join(recorded)} {SOURCE}" if recorded else made_by
    known = traces.synthetic()
    files = (name if name in known else f"{name}.txt" for name in names)
    options = [*(f"--trace {file}" for file in files), "--json docs/results/leaderboard.json"]
    if found.scale != 1.0:
        options.append(f"--scale {found.scale:g}")
    yield f'    make leaderboard ARGS="{" ".join(options)}"'


def _reversal_goal(board: Board) -> Iterable[str]:
    yield "## Reversals on noisy"
    yield REVERSAL_GOAL
    yield markdown(reversal_goal(board))
    met = sum(meets_reversal_goal(board.row(OURS).scores, rival.scores) for rival in board.rate)
    yield f"Ours meets it for {met} of {len(board.rate)}."


def _section(board: Board) -> Iterable[str]:
    yield f"## {board.trace}"
    yield (
        f"{board.seconds} s, {board.mean:.0f} requests a second on average and {board.peak:.0f} at"
        f" the peak. {commands.reversals(board)}"
    )
    yield markdown(commands.scores(board))


def meets_reversal_goal(ours: Scores, rival: Scores) -> bool:
    """Whether ours has at most 1/`REVERSAL_RATIO` of the rival's reversals."""
    return REVERSAL_RATIO * ours.reversals <= rival.reversals


def totals(boards: Sequence[Board]) -> str:
    """The violation-seconds of all traces beside the front's, as a sentence."""
    sums = (_sums(boards, policy) for policy in (OURS, OURS_PROMETHEUS))
    return (
        "All traces together, at the same replica-hours, with one setting of ours and for"
        f" {HPA_CPU} the best of each trace: {'; '.join(sums)}."
    )


def _sums(boards: Sequence[Board], policy: str) -> str:
    own = sum(board.row(policy).scores.violations for board in boards)
    front = sum(
        judged.front_violations
        for board in boards
        for judged in board.judged
        if judged.policy == policy
    )
    share = f", which is {own / front:.0%}" if front else ""
    return f"{policy}, {own} violation-seconds, HPA {front:.0f}{share}"


def reversal_goal(board: Board) -> Table:
    """A row for each pair of windows of HPA on rate, and whether the goal on reversals is met."""
    ours = [board.row(policy) for policy in (OURS, OURS_PROMETHEUS)]
    goals = (f"{row.policy}: {row.scores.reversals}" for row in ours)
    return ("target", "windows", "violation-s", "replica-h", "reversals", *goals), [
        (
            *rival.setting.split(", ", 1),
            f"{rival.scores.violations}",
            f"{rival.scores.replica_hours:.2f}",
            f"{rival.scores.reversals}",
            *(
                "met" if meets_reversal_goal(row.scores, rival.scores) else "not met"
                for row in ours
            ),
        )
        for rival in board.rate
    ]


def markdown(table: Table) -> str:
    """The same table as Markdown."""
    header, body = table
    rule = ["---" if column < TEXT_COLUMNS else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))


def fronts(boards: Sequence[Board], path: Path) -> None:
    """Cost against violations, the front of HPA on CPU as a curve. Raises Undrawable."""
    across = 3
    down = -(-len(boards) // across)
    colours = dict(zip([row.policy for row in boards[0].rows], plot.COLOURS, strict=True))
    with plot.figure(down, 2.5, path) as drawn:
        for place, board in enumerate(boards, start=1):
            _front(drawn.add_subplot(down, across, place), board, colours)
        names = drawn.axes[0].get_legend_handles_labels()
        drawn.legend(*names, loc="outside lower center", ncols=4, frameon=False)


def _front(axes: Axes, board: Board, colours: Mapping[str, str]) -> None:
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


def main() -> None:
    """Print the page, or draw its picture."""
    arguments = argparse.ArgumentParser(description="The leaderboard as a page, or its picture.")
    arguments.add_argument("result", type=Path, help="what `leaderboard --json` wrote")
    arguments.add_argument("--picture", type=Path, help="draw the picture into this file instead")
    parsed = arguments.parse_args()
    try:
        found = leaderboard.read(parsed.result)
        if parsed.picture:
            fronts(found.boards, parsed.picture)
        else:
            sys.stdout.write(page(found))
    except (leaderboard.BrokenResult, plot.Undrawable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
