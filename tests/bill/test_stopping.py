"""Does a run end when its lines are resolved, within its bounds, and keep its coverage?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy has no types

from bill.fakes import FakeGenerator, intent, subjects
from borough_bill.analysis.line import NARROW
from borough_bill.analysis.runs import Runs
from borough_bill.analysis.statistics import LEVEL, LOOK_LEVEL
from borough_bill.experiments.blocks import Session
from borough_bill.experiments.folder import Folder
from borough_bill.experiments.scale import DEMO, FULL, Scale
from borough_bill.experiments.stopping import LOOK_EVERY, PRECISE, Stopping, resolved
from borough_bill.results import Plan, Result

RUNS = 4_000


def plan_of(scale: Scale, **changes: object) -> Plan:
    """A plan with the bounds of a scale."""
    plan = intent(scale.blocks).plan
    bounds = {"most": scale.most, "measuring_s": scale.measuring_s}
    return plan.model_copy(update=bounds | changes)


def blocks_of(
    plan: Plan,
    *,
    resolved_from: float = np.inf,
    block_s: Callable[[int], float] = lambda _: 15.0,
    set_up_s: float = 40.0,
    within_s: float = np.inf,
) -> tuple[int, str, float]:
    """The number of blocks of a run whose lines are resolved from `resolved_from` blocks on; the
    reason for its end; and its length in seconds, by a simulated clock.
    """
    now, measured = [set_up_s], [0]
    stopping = Stopping(
        plan, lambda: measured[0] >= resolved_from, ends_at=within_s, clock=lambda: now[0]
    )
    for number in takewhile(stopping.another, count()):
        now[0] += block_s(number)
        measured[0] += 1
    return measured[0], stopping.reason, now[0]


@pytest.mark.parametrize(
    ("resolved_from", "blocks"), [(0, 10), (10, 10), (11, 15), (15, 15), (16, 19), (99, 19)]
)
def test_blocks_are_added_until_a_look_finds_every_line_resolved(
    resolved_from: int, blocks: int
) -> None:
    """Looks are after 10, 15, 20, ... blocks. At most 19 blocks of 15 s fit into 285 s."""
    found, reason, _ = blocks_of(plan_of(DEMO), resolved_from=resolved_from)

    assert found == blocks
    assert reason == (
        "the 285 s for measuring were over"
        if blocks == 19
        else "every headline line that can be resolved was resolved"
    )


def test_run_without_a_time_bound_ends_at_its_bound_of_blocks() -> None:
    """`run` may take an hour, and not longer."""
    assert FULL.most is not None
    found, reason, _ = blocks_of(plan_of(FULL), block_s=lambda _: 90.0)

    assert found == FULL.most
    assert reason == f"the bound of {FULL.most} blocks was reached"


def test_plan_with_a_fixed_number_of_blocks_has_no_looks() -> None:
    """So its intervals have the nominal level."""
    assert blocks_of(plan_of(replace(FULL, most=None)), resolved_from=0)[0] == FULL.blocks
    assert not plan_of(replace(FULL, most=None)).open_ended
    assert plan_of(FULL).open_ended


@pytest.mark.parametrize("set_up_s", [20, 60, 120, 200, 400, 600])
@pytest.mark.parametrize("block_s", [8, 14, 25, 45, 90, 300])
def test_demonstration_ends_within_its_time_on_any_machine(set_up_s: float, block_s: float) -> None:
    """At most five minutes of measuring, if ten blocks fit into them, and less than eight minutes
    in all, if the set-up leaves any. Only the first block, whose length is unknown, may end later.
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


def test_next_block_is_expected_to_take_as_long_as_the_longest() -> None:
    """A machine that becomes busy during the run exceeds the bound by one block at most."""
    found, reason, end = blocks_of(
        plan_of(DEMO), block_s=lambda n: 10.0 if n < 5 else 80.0, within_s=430
    )

    assert (found, reason) == (9, "the time for the whole run was over")
    assert end <= 430


async def test_session_measures_the_blocks_that_stopping_allows(tmp_path: Path) -> None:
    """Each block is complete."""
    folder, wanted, fake = Folder(tmp_path / "run"), intent(blocks=2), FakeGenerator()
    plan = wanted.plan.model_copy(update={"most": 20})
    wanted = wanted.model_copy(update={"plan": plan})
    folder.clear()
    folder.begin(wanted)
    stopping = Stopping(plan, lambda: len(folder.windows()) >= 7 * len(subjects()))

    await Session(fake.generator).blocks(folder, wanted, subjects(), lambda *_: None, stopping)

    assert {window.block for window in folder.windows()} == set(range(2 + LOOK_EVERY))
    assert len(folder.windows()) == (2 + LOOK_EVERY) * len(subjects())


def opened(result: Result) -> Runs:
    """The result with a plan to which blocks may be added."""
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


def test_line_is_resolved_by_an_interval_narrow_beside_difference_or_value(
    planted: Callable[..., Result],
) -> None:
    """A difference of 0 is resolved at 5 % of the monolith's value, one of 2 ms of 6 at 35 % of
    itself.
    """
    assert resolved(opened(planted(latency_ms=COSTS, noise=0.01)))
    assert not resolved(opened(planted(latency_ms=COSTS, noise=0.15)))


def test_family_that_more_blocks_cannot_help_is_not_waited_for(
    planted: Callable[..., Result],
) -> None:
    """A late generator is as late in the next block; CPU is resolved, so the run ends. A failed A/A
    check may be chance, and is waited for.
    """
    uneven = planted(latency_ms=COSTS | {"extract-payments": 6.6}, noise=0.01)

    def late(ms: float) -> Result:
        return planted(latency_ms=COSTS, noise=0.01, slip_ms=ms)

    assert resolved(opened(late(30.0)))
    assert resolved(opened(uneven))
    assert not resolved(opened(planted(latency_ms=COSTS | {"monolith-again": 7.0}, noise=0.01)))


def looks(plan: Plan) -> Iterator[int]:
    """The numbers of blocks at which a look may end the run."""
    return iter(range(plan.blocks, (plan.most or 0) + 1, LOOK_EVERY))


def coverage(plan: Plan, spread: float, truth: float, precise: float, level: float) -> float:
    """The share of simulated runs whose interval contains the true difference at their end.

    `spread` is the standard deviation of a block's difference and `truth` the true difference, both
    as shares of the monolith's value.
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


def test_intervals_keep_95_percent_coverage_over_all_looks() -> None:
    """With LOOK_LEVEL at each look, within the error of the simulation, in every situation. With
    the nominal level they would have less.
    """
    plan = plan_of(DEMO)
    corrected = min(coverage(plan, level=LOOK_LEVEL, **one) for one in SITUATIONS)
    nominal = min(coverage(plan, level=LEVEL, **one) for one in SITUATIONS)

    assert corrected >= LEVEL - 3 * (LEVEL * (1 - LEVEL) / RUNS) ** 0.5
    assert nominal < 0.935


def test_only_open_ended_runs_have_the_higher_level(measured: Result) -> None:
    """A plan with a fixed number of blocks has intervals of the nominal level."""
    assert Runs(measured).level == LEVEL
    assert opened(measured).level == LOOK_LEVEL
