"""Is each scaler decided about in time, once at a time, and is what follows written once?"""

import re
from collections import Counter

from borough_operator.decision.model import Reason
from borough_operator.kube.api import Conflict, Refused, Unreachable
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


def test_a_change_is_written_once_and_told_once() -> None:
    """The target gets its number, the status and one Event say so, and the next turns repeat
    nothing.
    """

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        await stage.play(30.0)
        assert len(stage.server.scaled) == 1
        assert stage.replicas("pay") == stage.server.scaled[0][1] > 8
        assert len(stage.server.events) == 1
        assert stage.entry("pay").tally.ups == 1
        applied = [status["appliedReplicas"] for _, status in stage.server.statuses]
        assert set(applied) == {stage.replicas("pay")}

    virtually(story())


def test_nothing_is_written_while_nothing_changes() -> None:
    """After its first status, a steady scaler costs no write."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay")
        await stage.play(600.0)
        assert len(stage.server.statuses) == 1
        assert stage.server.scaled == []

    virtually(story())


def test_a_conflict_is_looked_at_again_and_leaves_no_trace() -> None:
    """Somebody was faster: nothing counts as done, and the next turn decides anew."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Conflict("it has changed")]
        await stage.play(3.0)
        assert stage.server.scaled == []
        assert stage.entry("pay").history.applied is None
        assert stage.entry("pay").tally.ups == 0
        await stage.play(6.0)
        assert len(stage.server.scaled) == 1

    virtually(story())


def test_a_refusal_is_a_reason_and_is_tried_again() -> None:
    """What the API server said stands in the status, until it says something else."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Refused("patch scale: 403: you may not")]
        await stage.play(3.0)
        (name, told), *_ = stage.server.statuses
        assert (name, told["reason"]) == ("pay", Reason.TARGET_UNREADABLE)
        assert "you may not" in told["decision"]["message"]
        await stage.play(8.0)
        assert len(stage.server.scaled) == 1

    virtually(story())


def test_an_api_server_that_is_away_stops_no_decision() -> None:
    """What could not be written is decided and tried again, turn after turn."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Unreachable("nobody answers")] * 3
        await stage.play(30.0)
        assert len(stage.loads.asked) == 6
        assert len(stage.server.scaled) == 1

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


def test_a_status_waits_for_the_budget_and_a_number_does_not() -> None:
    """A crowd of new scalers is no crowd of writes; who needs replicas gets them."""

    async def story() -> None:
        stage = Stage()
        for n in range(150):
            stage.add(f"w{n}")
        stage.add("hungry", rate=400.0)
        await stage.play(0.5)
        assert len(stage.server.statuses) <= 101
        assert [name for name, _ in stage.server.scaled] == ["hungry"]
        await stage.play(60.0)
        assert len({name for name, _ in stage.server.statuses}) == 151

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
        stage.loop.begin()
        stage.loop.turn()
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
        assert "without the source Pods" in decision.proposals[0].detail

    virtually(story())
