"""Does a run measure until its lines are told, within bounds, and do intervals keep their word?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy has no types

from borough_bill.analysis.lines.line import NARROW
from borough_bill.analysis.lines.runs import Runs
from borough_bill.analysis.statistics import LEVEL, LOOKED
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import Folder
from borough_bill.experiments.scale import DEMO, FULL, Scale
from borough_bill.experiments.stopping import LOOK_EVERY, PRECISE, Stopping, told
from borough_bill.results import Plan, Result
from borough_bill.testing import Scripted, intent, subjects

RUNS = 4_000


def plan_of(scale: Scale, **changes: object) -> Plan:
    """The plan of a scale, as far as it says when to stop."""
    plan = intent(scale.blocks).plan
    bounds = {"most": scale.most, "measuring_s": scale.measuring_s}
    return plan.model_copy(update=bounds | changes)


def blocks_of(
    plan: Plan,
    *,
    told_from: float = np.inf,
    block_s: Callable[[int], float] = lambda _: 15.0,
    set_up_s: float = 40.0,
    within_s: float = np.inf,
) -> tuple[int, str, float]:
    """How many blocks are measured where all is told from a number of blocks on; why no more; and
    the seconds from the start of the run to the end of the last, by a clock that nothing waits for.
    """
    now, measured = [set_up_s], [0]
    stopping = Stopping(
        plan, lambda: measured[0] >= told_from, ends_at=within_s, clock=lambda: now[0]
    )
    for number in takewhile(stopping.another, count()):
        now[0] += block_s(number)
        measured[0] += 1
    return measured[0], stopping.reason, now[0]


@pytest.mark.parametrize(
    ("told_from", "blocks"), [(0, 10), (10, 10), (11, 15), (15, 15), (16, 19), (99, 19)]
)
def test_blocks_are_added_until_a_look_finds_every_line_told(told_from: int, blocks: int) -> None:
    """Looks are at 10, 15, 20, ...: what is told between two of them is seen at the second. Of
    blocks of 15 s there are at most 19 in 285 s.
    """
    found, reason, _ = blocks_of(plan_of(DEMO), told_from=told_from)

    assert found == blocks
    assert reason == (
        "the 285 s for measuring were over"
        if blocks == 19
        else "every headline line that can be told was told"
    )


def test_a_run_without_a_bound_of_time_ends_at_its_bound_of_blocks() -> None:
    """`run` may take an hour; it does not go on forever."""
    assert FULL.most is not None
    found, reason, _ = blocks_of(plan_of(FULL), block_s=lambda _: 90.0)

    assert found == FULL.most
    assert reason == f"the bound of {FULL.most} blocks was reached"


def test_a_plan_without_more_blocks_is_measured_as_planned_and_never_looked_at() -> None:
    """So an interval of it is one of the nominal level."""
    assert blocks_of(plan_of(replace(FULL, most=None)), told_from=0)[0] == FULL.blocks
    assert not plan_of(replace(FULL, most=None)).open_ended
    assert plan_of(FULL).open_ended


@pytest.mark.parametrize("set_up_s", [20, 60, 120, 200, 400, 600])
@pytest.mark.parametrize("block_s", [8, 14, 25, 45, 90, 300])
def test_the_demonstration_ends_within_its_time_on_any_machine(
    set_up_s: float, block_s: float
) -> None:
    """Whatever was slow before: at most five minutes of measuring where ten blocks fit into them,
    and less than eight minutes in all where the set-up leaves any of them. No block is begun that
    is expected to end after that; only the first, of which nothing is known, may.
    """
    assert DEMO.measuring_s is not None
    assert DEMO.within_s is not None
    found, _, end = blocks_of(
        plan_of(DEMO), block_s=lambda _: block_s, set_up_s=set_up_s, within_s=DEMO.within_s
    )

    if found >= DEMO.blocks:
        needed = DEMO.blocks * block_s
        assert end - set_up_s <= max(DEMO.measuring_s, needed)
    assert end <= max(DEMO.within_s, set_up_s + (block_s if set_up_s < DEMO.within_s else 0))
    assert DEMO.within_s + DEMO.idle_s < 450  # what is left of eight minutes is the auditor's
    assert DEMO.measuring_s + DEMO.idle_s <= 300


def test_blocks_that_become_slower_are_expected_to_stay_slow() -> None:
    """A machine that gets busy half way does not take the run over its bound by more than the one
    block that found it out.
    """
    found, reason, end = blocks_of(
        plan_of(DEMO), block_s=lambda n: 10.0 if n < 5 else 80.0, within_s=430
    )

    assert (found, reason) == (9, "the time for the whole run was over")
    assert end <= 430


async def test_a_session_measures_the_blocks_that_stopping_allows(tmp_path: Path) -> None:
    """Each whole."""
    folder, wanted, script = Folder(tmp_path / "run"), intent(blocks=2), Scripted()
    plan = wanted.plan.model_copy(update={"most": 20})
    wanted = wanted.model_copy(update={"plan": plan})
    folder.clear()
    folder.begin(wanted)
    stopping = Stopping(plan, lambda: len(folder.windows()) >= 7 * len(subjects()))

    await Session(script.generator).blocks(folder, wanted, subjects(), lambda *_: None, stopping)

    assert {window.block for window in folder.windows()} == set(range(2 + LOOK_EVERY))
    assert len(folder.windows()) == (2 + LOOK_EVERY) * len(subjects())


def opened(result: Result) -> Runs:
    """The measurement as one to which blocks may be added."""
    plan = result.plan.model_copy(update={"most": 40})
    return Runs(result.model_copy(update={"plan": plan}))


COSTS = {
    "monolith": 6.0,
    "monolith-again": 6.0,
    "apis": 8.0,
    "extract-payments": 6.0,
    "microservices": 9.5,
    "baseline": 2.5,
}


def test_lines_are_told_where_intervals_are_narrow_beside_the_difference_or_the_value(
    planted: Callable[..., Result],
) -> None:
    """A difference of nothing is told by 5 % of the monolith's value; one of 2 ms of 6 by 35 % of
    itself.
    """
    assert told(opened(planted(latency_ms=COSTS, noise=0.01)))
    assert not told(opened(planted(latency_ms=COSTS, noise=0.15)))


def test_a_family_that_more_blocks_cannot_mend_is_not_waited_for(
    planted: Callable[..., Result],
) -> None:
    """A late generator is as late in the next block; CPU is told, and so the run ends. Twins that
    differ may be chance, and are waited for.
    """
    uneven = planted(latency_ms=COSTS | {"extract-payments": 6.6}, noise=0.01)

    def late(ms: float) -> Result:
        return planted(latency_ms=COSTS, noise=0.01, slip_ms=ms)

    assert told(opened(late(30.0)))
    assert told(opened(uneven))
    assert not told(opened(planted(latency_ms=COSTS | {"monolith-again": 7.0}, noise=0.01)))


def looks(plan: Plan) -> Iterator[int]:
    """The numbers of blocks at which what was found may end the run."""
    return iter(range(plan.blocks, (plan.most or 0) + 1, LOOK_EVERY))


def coverage(plan: Plan, spread: float, truth: float, precise: float, level: float) -> float:
    """Of so many runs of one line, the share whose interval holds the truth when the run ends.

    `spread` is the standard deviation of a block's difference and `truth` the true one, both as
    shares of the monolith's value.
    """
    most = plan.most or plan.blocks
    values = np.random.default_rng(20260301).normal(truth, spread, (RUNS, most))
    going, covered = np.ones(RUNS, bool), np.zeros(RUNS, bool)
    for n in looks(plan):
        means = values[:, :n].mean(axis=1)
        half = stdtrit(n - 1, (1 + level) / 2) * values[:, :n].std(axis=1, ddof=1) / n**0.5
        ends = (half <= precise * abs(means)) | (half < NARROW) | (n + LOOK_EVERY > most)
        covered |= going & ends & (abs(means - truth) <= half)
        going &= ~ends
    return float(covered.mean())


SITUATIONS: tuple[Mapping[str, float], ...] = tuple(
    {"spread": spread, "truth": truth, "precise": precise}
    for spread in (0.03, 0.07, 0.09, 0.12, 0.15, 0.2, 0.3, 0.6)
    for truth in (0.0, 0.1, 0.3, 0.6)
    for precise in PRECISE.values()
)


def test_looking_at_intervals_leaves_them_their_coverage() -> None:
    """Of a stricter level a look, 95 % are left over all looks, wherever a line stands: within what
    so many runs can tell. At the nominal level they would not be.
    """
    plan = plan_of(DEMO)
    corrected = min(coverage(plan, level=LOOKED, **one) for one in SITUATIONS)
    nominal = min(coverage(plan, level=LEVEL, **one) for one in SITUATIONS)

    assert corrected >= LEVEL - 3 * (LEVEL * (1 - LEVEL) / RUNS) ** 0.5
    assert nominal < 0.935


def test_only_a_run_to_which_blocks_may_be_added_pays_for_looking(measured: Result) -> None:
    """A plan of a fixed number has the intervals that it always had."""
    assert Runs(measured).level == LEVEL
    assert opened(measured).level == LOOKED
