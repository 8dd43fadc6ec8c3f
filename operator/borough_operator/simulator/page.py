"""The stored leaderboard as a page of the documentation, and its picture.

`python -m borough_operator.simulator.page RESULT` prints the page, and with `--picture FILE` draws
the picture in it. `make generate` does both; nobody writes a figure by hand.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from borough_operator.simulator import plot, report, tables
from borough_operator.simulator.leaderboard import OURS
from borough_operator.simulator.report import Board

PICTURE = "leaderboard.svg"
"""Beside the page."""
INTRODUCTION = (
    "Generated from `docs/results/leaderboard.json` by `make generate`;"
    " `python -m borough_operator leaderboard --json FILE` writes its like. Every policy lives"
    " through the same seconds in the same model of pods and metrics,"
    " `operator/borough_operator/simulator/pods.toml`, and sees no more of them than it would in a"
    " cluster. A violation-second is one whose modelled 95th percentile is above 250 ms;"
    " replica-hours are what is paid for; a reversal is a change against the direction of the one"
    " before. Ours has one setting for every trace, and reads the pods themselves or, in the second"
    " row, a Prometheus; a rival's row shows the setting of its sweep that costs most nearly what"
    " ours costs."
)


def page(boards: Sequence[Board], scale: float) -> str:
    """The whole of a leaderboard, as Markdown."""
    size = "" if scale == 1.0 else f" All loads are multiplied by {scale:g}."
    won = sum(judged.won for board in boards for judged in board.judged if judged.policy == OURS)
    parts = [
        "# Who scales best?",
        f"{INTRODUCTION}{size}",
        f"![Cost and violations of each policy, trace by trace]({PICTURE})",
        f"## Won: {won} of {len(boards)}",
        tables.EXPLAINED,
        tables.markdown(tables.verdicts(boards)),
        *(line for board in boards for line in _section(board)),
    ]
    return "\n\n".join(parts) + "\n"


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
        boards, scale = report.read(told.result)
        if told.picture:
            plot.fronts(boards, told.picture)
        else:
            sys.stdout.write(page(boards, scale))
    except (report.BrokenResult, plot.MissingExtra) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
