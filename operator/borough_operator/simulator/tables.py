"""The leaderboard as tables, for a terminal."""

from collections.abc import Iterable, Sequence

from borough_operator.simulator.leaderboard import HPA_RATE, OURS, Board, Judged
from borough_operator.simulator.scores import CHEAPER, ENOUGH, FEWER

HEADER = ("policy", "setting", "violation-s", "replica-h", "changes", "reversals", "reaction s")
VERDICT = (
    *("trace", "policy", "violation-s", "HPA at that cost", "fewer"),
    *("replica-h", "HPA with no more", "cheaper", "verdict"),
)
TEXT_COLUMNS = 2
"""Columns on the left with text."""

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def scores(board: Board) -> Table:
    """A row for each policy."""
    return HEADER, [
        (
            row.policy,
            row.setting,
            f"{row.scores.violations}",
            f"{row.scores.replica_hours:.2f}",
            f"{row.scores.changes}",
            f"{row.scores.reversals}",
            "" if row.scores.reaction is None else f"{row.scores.reaction:.1f}",
        )
        for row in board.rows
    ]


def verdicts(boards: Iterable[Board]) -> Table:
    """A row for each trace and each policy that was compared with the front of HPA on CPU."""
    return VERDICT, [_verdict(board, judged) for board in boards for judged in board.judged]


def _verdict(board: Board, judged: Judged) -> tuple[str, ...]:
    ours = board.row(judged.policy).scores
    comparable = judged.front_violations >= ENOUGH
    return (
        board.trace,
        judged.policy,
        f"{ours.violations}",
        f"{judged.front_violations:.0f}",
        f"{1.0 - ours.violations / judged.front_violations:.0%}" if comparable else "",
        f"{ours.replica_hours:.2f}",
        f"{judged.front_hours:.2f}",
        f"{1.0 - ours.replica_hours / judged.front_hours:.0%}",
        "won" if judged.won else "not won",
    )


def reversals(board: Board) -> str:
    """Reversals of this operator and of HPA on a rate, as a sentence."""
    theirs = [row.scores.reversals for row in board.rate]
    fewest, most = min(theirs), max(theirs)
    range_ = f"{fewest}" if fewest == most else f"{fewest} to {most}, by its windows"
    ours = board.row(OURS).scores.reversals
    return f"Ours reversed {ours} times; {HPA_RATE} at about our cost: {range_}."


EXPLAINED = (
    f"A win is at most {FEWER:.0%} of the violation-seconds that HPA on CPU has at the same"
    " replica-hours, or at least"
    f" {CHEAPER:.0%} fewer replica-hours than it needs for no more violation-seconds. HPA's figures"
    " are those of its Pareto front over targets of 30 to 90 % and down windows of 60 to 600 s,"
    " with straight lines between its settings, which mixtures of two reach. Where the"
    f" front has fewer than {ENOUGH} violation-seconds, only the hours are compared. The oracle"
    " knows the future: where it does not win, no policy can."
)


def text(table: Table) -> str:
    """Aligned columns: text to the left, numbers to the right."""
    header, body = table
    lines = [header, *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
