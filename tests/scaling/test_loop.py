"""Is each scaler evaluated in time, once at a time, and without an effect on others?"""

import asyncio
import re
from collections import Counter

from borough_operator.decision.model import Reason
from scaling.stage import SHOP, Stage
from scaling.virtual import run_virtually

QUERY = [{"type": "Query", "promql": "jobs", "perReplica": "50"}]


async def total_delay(stage: Stage) -> float:
    """The summed delay of all evaluations in seconds."""
    text = await anext(stage.telemetry.exposition())
    found = re.search(rb"^borough_operator_tick_lag_seconds_sum (.+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_every_scaler_is_evaluated_once_an_interval() -> None:
    """Scalers that are due together are read together."""

    async def scenario() -> None:
        stage = Stage()
        for name in "abc":
            stage.add(name)
        await stage.play(60.0)
        assert [sorted(names) for names in stage.loads.asked] == [["a", "b", "c"]] * 12

    run_virtually(scenario())


def test_first_evaluations_are_spread_over_the_interval() -> None:
    """Scalers that exist at a start are not all due in its first moment."""

    async def scenario() -> None:
        chances = iter([n / 100 for n in range(100)])
        stage = Stage(lambda: next(chances))
        for n in range(100):
            stage.add(f"w{n}")
        await stage.play(4.95)
        assert max(map(len, stage.loads.asked)) <= 4
        assert sum(map(len, stage.loads.asked)) == 99

    run_virtually(scenario())


def test_hanging_read_delays_no_other_scaler() -> None:
    """A scaler with its own query, or with pods, is read alone."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("query", goals=QUERY)
        stage.add("pods", source={"type": "Pods"})
        stage.add("other")
        stage.loads.hangs["query"] = stage.pods.hangs["pods"] = 3.0
        await stage.play(30.0)
        asked = Counter(tuple(names) for names in stage.loads.asked + stage.pods.asked)
        assert asked == {("query",): 6, ("pods",): 6, ("other",): 6}
        assert await total_delay(stage) < 18 * 0.1

    run_virtually(scenario())


def test_slow_scaler_skips_intervals_and_never_overlaps() -> None:
    """Two reads of one scaler never overlap."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("slow", goals=QUERY)
        stage.loads.hangs["slow"] = 8.0
        await stage.play(40.0)
        assert len(stage.loads.asked) == 4  # at 0, 10, 20, 30

    run_virtually(scenario())


def test_slow_write_delays_no_other_scaler() -> None:
    """Each write has its own task."""

    async def scenario() -> None:
        stage = Stage()
        stage.server.slow = 4.0
        stage.add("pay", rate=400.0)
        stage.add("idle")
        await stage.play(30.0)
        assert sum("idle" in names for names in stage.loads.asked) >= 5
        assert await total_delay(stage) < 2.0

    run_virtually(scenario())


def test_change_during_an_evaluation_is_evaluated_soon() -> None:
    """It takes effect within about a second and not after a long interval."""

    async def scenario() -> None:
        stage = Stage()
        long = {"interval": "5m"}
        stage.add("pay", rate=400.0, mode="Advise", goals=QUERY, behavior=long)
        stage.loads.hangs["pay"] = 3.0
        playing = asyncio.create_task(stage.play(8.0))
        await asyncio.sleep(1.0)
        stage.scaler("pay", generation=2, goals=QUERY, behavior=long)
        await playing
        assert stage.replicas("pay") > 8

    run_virtually(scenario())


def test_unreadable_target_affects_its_own_scaler_only() -> None:
    """Its scaler reports the cause, and scales it once it can be read."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.add("other", rate=400.0)
        stage.target("pay", 2, cpu="many")
        await stage.play(2.0)
        decision = stage.entry("pay").decision
        assert decision is not None
        assert decision.reason is Reason.TARGET_UNREADABLE
        assert "many" in decision.message
        assert stage.replicas("other") > 8
        stage.target("pay", 2)
        await stage.play(6.0)
        assert stage.replicas("pay") > 8

    run_virtually(scenario())


def test_new_or_changed_scaler_is_evaluated_soon() -> None:
    """An edit takes effect before the end of a long interval."""

    async def scenario() -> None:
        stage = Stage()
        long = {"interval": "5m"}
        stage.add("pay", rate=400.0, mode="Paused", behavior=long)
        await stage.play(2.0)
        assert stage.entry("pay").decision is not None
        stage.scaler("pay", generation=2, behavior=long)
        await stage.play(2.0)
        assert stage.replicas("pay") > 8

    run_virtually(scenario())


def test_scalers_added_together_are_spread_afterwards() -> None:
    """A release may add many scalers at once; after the first evaluation they are spread."""

    async def scenario() -> None:
        chances = iter([0.0] * 10 + [n / 10 for n in range(10)])
        stage = Stage(lambda: next(chances))
        await stage.play(1.0)
        for n in range(10):
            stage.add(f"w{n}")
        await stage.play(20.0)
        assert max(map(len, stage.loads.asked[2:])) <= 1

    run_virtually(scenario())


def test_scaler_deleted_during_an_evaluation_is_not_written() -> None:
    """Nothing of it is left in the registry."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0, goals=QUERY)
        stage.loads.hangs["pay"] = 2.0
        stage.loop.schedule_all()
        stage.loop.start_due()
        stage.remove("pay")
        await stage.loop.drain()
        assert stage.server.scaled == []
        assert (SHOP, "pay") not in stage.registry.entries

    run_virtually(scenario())


def test_exception_in_one_decision_affects_no_other_scaler() -> None:
    """The exception is logged and the others are evaluated."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("broken")
        stage.add("pay", rate=400.0)
        stage.loads.rates["broken"] = float("nan")  # invalid for a source
        await stage.play(1.0)
        assert stage.replicas("pay") > 8

    run_virtually(scenario())


def test_disabled_source_is_an_error_with_a_sentence() -> None:
    """A scaler with source Pods, where it is disabled, reports so."""

    async def scenario() -> None:
        stage = Stage()
        del stage.sources["Pods"]  # as where it is disabled
        stage.add("pay", source={"type": "Pods"})
        await stage.play(1.0)
        decision = stage.entry("pay").decision
        assert decision is not None
        assert decision.reason is Reason.METRICS_ERROR
        assert "the source Pods is disabled" in decision.proposals[0].detail

    run_virtually(scenario())
