"""The stopping rule of a run: fixed before the data, evaluated at fixed numbers of blocks.

At least `Plan.blocks` are measured. Then, at every look, the run ends if each headline line is
resolved: its interval is narrow relative to its difference, or to the reference's value. It ends in
any case after `Plan.most` blocks or `Plan.measuring_s` seconds. Looks reduce coverage, because a
look with an interval that is narrow by chance ends the run; the intervals are therefore those of
`statistics.LOOK_LEVEL`.
"""

import time
from collections.abc import Callable

from borough_bill.analysis.checks import checks
from borough_bill.analysis.line import Cell, Line, narrow
from borough_bill.analysis.lines import cpu_lines, latency
from borough_bill.analysis.runs import Runs
from borough_bill.results import Plan

PRECISE = {"latency": 0.35, "CPU": 0.2}
"""Half-widths, as shares of the difference, that a run aims at. Memory is always narrower."""
LOOK_EVERY = 5
"""Blocks between two looks, after the first."""


class Stopping:
    """Decides before every block whether it is measured; `reason` is why one was not.

    `resolved` evaluates what was measured so far. By `ends_at`, a time of `clock`, the last block
    must be over, whatever is missing then; the bound of `Plan.measuring_s` applies only after
    `Plan.blocks`. A block is expected to take as long as the longest so far.
    """

    def __init__(
        self,
        plan: Plan,
        resolved: Callable[[], bool],
        *,
        ends_at: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason = ""
        self._plan = plan
        self._resolved = resolved
        self._ends_at = ends_at
        self._clock = clock
        self._began = self._last = clock()
        self._longest = 0.0

    def another(self, done: int) -> bool:
        """Whether to measure another block after `done` blocks."""
        now, plan = self._clock(), self._plan
        self._longest = max(self._longest, now - self._last)
        self._last, then = now, now + self._longest
        most = max(plan.most or plan.blocks, plan.blocks)
        self.reason = (
            f"the bound of {most} blocks was reached"
            if done >= most
            else "the time for the whole run was over"
            if then > self._ends_at
            else ""
            if done < plan.blocks
            else f"the {plan.measuring_s:.0f} s for measuring were over"
            if plan.measuring_s is not None and then > self._began + plan.measuring_s
            else "every headline line that can be resolved was resolved"
            if (done - plan.blocks) % LOOK_EVERY == 0 and self._resolved()
            else ""
        )
        return not self.reason


def resolved(runs: Runs) -> bool:
    """Whether every headline line is resolved that more blocks could resolve: lines of a family
    that a check voids whatever the number of blocks are not waited for.
    """
    failed = [check for check in checks(runs) if not check.passed]
    hopeless = {family for check in failed if not check.more_blocks_help for family in check.voids}
    if any(check.more_blocks_help and set(check.voids) - hopeless for check in failed):
        return False
    return all(
        _precise(line, cell)
        for line in (*latency(runs), *cpu_lines(runs))
        if line is not None and line.headline and line.family not in hopeless
        for cell in line.cells
    )


def _precise(line: Line, cell: Cell) -> bool:
    if narrow(cell.change, line.value.mean):
        return True
    return cell.differs and cell.change.half_width <= PRECISE[line.family] * abs(cell.change.mean)
