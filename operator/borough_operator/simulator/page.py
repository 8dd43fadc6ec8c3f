"""The stored leaderboard as a page of the documentation, and its picture.

`python -m borough_operator.simulator.page RESULT` prints the page, and with `--picture FILE` draws
its picture. `make generate` does both.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from borough_operator.simulator import plot, report, tables, traces
from borough_operator.simulator.leaderboard import OURS
from borough_operator.simulator.report import Board, Leaderboard

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
        tables.EXPLAINED,
        tables.markdown(tables.verdicts(boards)),
        tables.totals(boards),
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
    yield tables.markdown(tables.reversal_goal(board))
    met = sum(board.row(OURS).scores.meets_reversal_goal(rival.scores) for rival in board.rate)
    yield f"Ours meets it for {met} of {len(board.rate)}."


def _section(board: Board) -> Iterable[str]:
    yield f"## {board.trace}"
    yield (
        f"{board.seconds} s, {board.mean:.0f} requests a second on average and {board.peak:.0f} at"
        f" the peak. {tables.reversals(board)}"
    )
    yield tables.markdown(tables.scores(board))


def main() -> None:
    """Print the page, or draw its picture."""
    arguments = argparse.ArgumentParser(description="The leaderboard as a page, or its picture.")
    arguments.add_argument("result", type=Path, help="what `leaderboard --json` wrote")
    arguments.add_argument("--picture", type=Path, help="draw the picture into this file instead")
    parsed = arguments.parse_args()
    try:
        found = report.read(parsed.result)
        if parsed.picture:
            plot.fronts(found.boards, parsed.picture)
        else:
            sys.stdout.write(page(found))
    except (report.BrokenResult, plot.Undrawable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
