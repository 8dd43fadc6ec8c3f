"""Is each scaler decided about in time, once at a time, and does none harm another?"""

import asyncio
import re
from collections import Counter

from borough_operator.decision.model import Reason
from scaling.stage import SHOP, Stage
from scaling.virtual import virtually

QUERY = [{"type": "Query", "promql": "jobs", "perReplica": "50"}]


async def late(stage: Stage) -> float:
    """Seconds that all decisions together began after their time."""
    text = await anext(stage.telemetry.exposition())
    found = re.search(rb"^borough_operator_tick_lag_seconds_sum (.+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_everybody_is_decided_about_once_an_interval() -> None:
    """As many decisions as intervals, for each, and all who are due together are read for
    together.
    """

    async def story() -> None:
        stage = Stage()
        for name in "abc":
            stage.add(name)
        await stage.play(60.0)
        assert [sorted(names) for names in stage.loads.asked] == [["a", "b", "c"]] * 12

    virtually(story())


def test_a_start_is_spread_over_the_interval() -> None:
    """Ten thousand scalers that are there at a start are not all due in its first moment."""

    async def story() -> None:
        chances = iter([n / 100 for n in range(100)])
        stage = Stage(lambda: next(chances))
        for n in range(100):
            stage.add(f"w{n}")
        await stage.play(4.95)
        assert max(map(len, stage.loads.asked)) <= 4
        assert sum(map(len, stage.loads.asked)) == 99

    virtually(story())


def test_a_hanging_read_holds_up_nobody_else() -> None:
    """Who asks something of its own, or reads pods, waits alone, and others keep their time."""

    async def story() -> None:
        stage = Stage()
        stage.add("query", goals=QUERY)
        stage.add("pods", source={"type": "Pods"})
        stage.add("other")
        stage.loads.hangs["query"] = stage.pods.hangs["pods"] = 3.0
        await stage.play(30.0)
        asked = Counter(tuple(names) for names in stage.loads.asked + stage.pods.asked)
        assert asked == {("query",): 6, ("pods",): 6, ("other",): 6}
        assert await late(stage) < 18 * 0.1

    virtually(story())


def test_a_scaler_that_takes_longer_than_its_interval_is_worked_on_once_at_a_time() -> None:
    """It leaves out steps; two reads of one scaler never overlap."""

    async def story() -> None:
        stage = Stage()
        stage.add("slow", goals=QUERY)
        stage.loads.hangs["slow"] = 8.0
        await stage.play(40.0)
        assert len(stage.loads.asked) == 4  # at 0, 10, 20, 30

    virtually(story())


def test_a_slow_write_delays_no_other_scaler() -> None:
    """Writes have tasks of their own."""

    async def story() -> None:
        stage = Stage()
        stage.server.slow = 4.0
        stage.add("pay", rate=400.0)
        stage.add("idle")
        await stage.play(30.0)
        assert sum("idle" in names for names in stage.loads.asked) >= 5
        assert await late(stage) < 2.0

    virtually(story())


def test_what_changes_while_it_is_worked_on_is_looked_at_soon() -> None:
    """It may take effect a second later, never a long interval later."""

    async def story() -> None:
        stage = Stage()
        long = {"interval": "5m"}
        stage.add("pay", rate=400.0, mode="Advise", goals=QUERY, behavior=long)
        stage.loads.hangs["pay"] = 3.0
        playing = asyncio.create_task(stage.play(8.0))
        await asyncio.sleep(1.0)
        stage.scaler("pay", generation=2, goals=QUERY, behavior=long)
        await playing
        assert stage.replicas("pay") > 8

    virtually(story())


def test_a_target_that_cannot_be_read_is_its_scalers_reason_alone() -> None:
    """The scaler says what is wrong with it; others are served, and so is it once it can be."""

    async def story() -> None:
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

    virtually(story())


def test_a_scaler_that_comes_or_changes_is_looked_at_soon() -> None:
    """Nobody waits for the end of a long interval to see what an edit does."""

    async def story() -> None:
        stage = Stage()
        long = {"interval": "5m"}
        stage.add("pay", rate=400.0, mode="Paused", behavior=long)
        await stage.play(2.0)
        assert stage.entry("pay").decision is not None
        stage.scaler("pay", generation=2, behavior=long)
        await stage.play(2.0)
        assert stage.replicas("pay") > 8

    virtually(story())


def test_those_that_come_together_do_not_stay_together() -> None:
    """A release brings many scalers in one moment; after a first look they are spread."""

    async def story() -> None:
        chances = iter([0.0] * 10 + [n / 10 for n in range(10)])
        stage = Stage(lambda: next(chances))
        await stage.play(1.0)
        for n in range(10):
            stage.add(f"w{n}")
        await stage.play(20.0)
        assert max(map(len, stage.loads.asked[2:])) <= 1

    virtually(story())


def test_a_scaler_that_goes_is_forgotten_even_in_the_middle() -> None:
    """No decision, no write and no series is left of it; one of its name begins anew."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0, goals=QUERY)
        stage.loads.hangs["pay"] = 2.0
        stage.loop.schedule_all()
        stage.loop.start_due()
        stage.remove("pay")
        await stage.loop.drain()
        assert stage.server.scaled == []
        assert (SHOP, "pay") not in stage.registry.entries

    virtually(story())


def test_one_scalers_misfortune_is_nobody_elses() -> None:
    """A defect that one object brings to light leaves the others alone."""

    async def story() -> None:
        stage = Stage()
        stage.add("cursed")
        stage.add("pay", rate=400.0)
        stage.loads.rates["cursed"] = float("nan")  # which no source may answer
        await stage.play(1.0)
        assert stage.replicas("pay") > 8

    virtually(story())


def test_a_source_that_is_off_is_an_error_with_a_sentence() -> None:
    """A scaler that wants pods read, where they may not be, says so."""

    async def story() -> None:
        stage = Stage()
        del stage.sources["Pods"]  # as where it was never on
        stage.add("pay", source={"type": "Pods"})
        await stage.play(1.0)
        decision = stage.entry("pay").decision
        assert decision is not None
        assert decision.reason is Reason.METRICS_ERROR
        assert "the source Pods is disabled" in decision.proposals[0].detail

    virtually(story())
