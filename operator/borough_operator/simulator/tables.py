"""The leaderboard as tables, for a terminal or as Markdown."""

from collections.abc import Iterable, Sequence

from borough_operator.simulator.front import CHEAPER, ENOUGH, FEWER
from borough_operator.simulator.leaderboard import HPA_CPU, HPA_RATE, OURS, OURS_PROMETHEUS
from borough_operator.simulator.report import Board, Judged

HEADER = ("policy", "setting", "violation-s", "replica-h", "changes", "reversals", "reaction s")
VERDICT = (
    "trace",
    "policy",
    "violation-s",
    "HPA at that cost",
    "fewer",
    "replica-h",
    "HPA with no more",
    "cheaper",
    "verdict",
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


def reversals(board: Board) -> str:
    """Reversals of this operator and of HPA on a rate, as a sentence."""
    theirs = [row.scores.reversals for row in board.rate]
    fewest, most = min(theirs), max(theirs)
    range_ = f"{fewest}" if fewest == most else f"{fewest} to {most}, by its windows"
    ours = board.row(OURS).scores.reversals
    return f"Ours reversed {ours} times; {HPA_RATE} at about our cost: {range_}."


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
            *("met" if row.scores.meets_reversal_goal(rival.scores) else "not met" for row in ours),
        )
        for rival in board.rate
    ]


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


def markdown(table: Table) -> str:
    """The same table as Markdown."""
    header, body = table
    rule = ["---" if column < TEXT_COLUMNS else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *body))
