"""The stored leaderboard as a page of the documentation, and its picture.

`python -m borough_operator.simulator.page RESULT` prints the page, and with `--picture FILE` draws
the picture in it. `make generate` does both; nobody writes a figure by hand.
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
    "Generated from `docs/results/leaderboard.json` by `make generate`. Every policy lives"
    " through the same seconds in the same model of pods and metrics,"
    " `operator/borough_operator/simulator/pods.toml`, and sees no more of them than it would in a"
    " cluster. A violation-second is one whose modelled 95th percentile is above 250 ms;"
    " replica-hours are what is paid for; a reversal is a change against the direction of the one"
    " before. Ours has one setting for every trace, and reads the pods themselves or, in the second"
    " row, a Prometheus; a rival's row shows the setting of its sweep that costs most nearly what"
    " ours costs."
)
RECORDED = ("diurnal", "noisy")
"""By the names that their files have where they come from."""
SOURCE = (
    "are recorded loads: an hour of requests a second each, as they stand in `traces/` of"
    " [microsoft/autothrottle](https://github.com/microsoft/autothrottle) (MIT licence, Copyright"
    " (c) Microsoft Corporation). They are no part of this repository; the other traces are recipes"
    " in `operator/borough_operator/simulator/traces.py`. With the two files at hand, this makes"
    " the result again, to the last figure:"
)
NOISY = "noisy"
"""The trace that the goal on reversals is about."""
RESTLESS = (
    "A goal that was set beforehand: on `noisy`, at most a third of the reversals of HPA on rate."
    " That has as many answers as HPA has windows: the seconds for which it waits on the way down,"
    " 300 where nobody says otherwise, and those of its `rate()`. For each pair, with the target"
    " that costs most nearly what ours costs:"
)


def page(found: Leaderboard) -> str:
    """The whole of a leaderboard, as Markdown."""
    boards = found.boards
    size = "" if found.scale == 1.0 else f" All loads are multiplied by {found.scale:g}."
    won = sum(judged.won for board in boards for judged in board.judged if judged.policy == OURS)
    parts = [
        "# Who scales best?",
        f"{INTRODUCTION}{size}",
        *_origin(found),
        f"![Cost and violations of each policy, trace by trace]({PICTURE})",
        f"## Won: {won} of {len(boards)}",
        tables.EXPLAINED,
        tables.markdown(tables.verdicts(boards)),
        tables.together(boards),
        *(line for board in boards if board.trace == NOISY for line in _restless(board)),
        *(line for board in boards for line in _section(board)),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(found: Leaderboard) -> Iterable[str]:
    """Where the loads come from, and how all of it is made again."""
    names = [board.trace for board in found.boards]
    recorded = [f"`{name}`" for name in RECORDED if name in names]
    told = f"Of borough-operator {found.origin.version}, commit {found.origin.commit}."
    yield f"{told} {' and '.join(recorded)} {SOURCE}" if recorded else told
    known = traces.synthetic()
    files = (name if name in known else f"{name}.txt" for name in names)
    options = [*(f"--trace {file}" for file in files), "--json docs/results/leaderboard.json"]
    if found.scale != 1.0:
        options.append(f"--scale {found.scale:g}")
    yield f'    make leaderboard ARGS="{" ".join(options)}"'


def _restless(board: Board) -> Iterable[str]:
    yield "## Reversals on noisy"
    yield RESTLESS
    yield tables.markdown(tables.calm(board))
    met = sum(board.row(OURS).scores.calm(rival.scores) for rival in board.rate)
    yield f"Ours meets it against {met} of these {len(board.rate)}."


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
    told = arguments.parse_args()
    try:
        found = report.read(told.result)
        if told.picture:
            plot.fronts(found.boards, told.picture)
        else:
            sys.stdout.write(page(found))
    except (report.BrokenResult, plot.Undrawable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
