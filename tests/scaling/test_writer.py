"""Are the writes of a decision made once, in order, and from the newest state?"""

from borough_operator.decision.model import Reason
from borough_operator.kube.api import Conflict, Refused, Unreachable
from borough_operator.running.writer import TokenBucket
from scaling.stage import Stage
from scaling.virtual import run_virtually


def test_change_is_written_once_with_status_and_event() -> None:
    """Later evaluations repeat nothing."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        await stage.play(30.0)
        assert len(stage.server.scaled) == 1
        assert stage.replicas("pay") == stage.server.scaled[0][1] > 8
        assert len(stage.server.events) == 1
        assert stage.entry("pay").tally.ups == 1
        applied = [status["appliedReplicas"] for _, status in stage.server.statuses]
        assert set(applied) == {stage.replicas("pay")}

    run_virtually(scenario())


def test_steady_scaler_is_written_once() -> None:
    """After its first status there is no write."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay")
        await stage.play(600.0)
        assert len(stage.server.statuses) == 1
        assert stage.server.scaled == []

    run_virtually(scenario())


def test_conflict_is_retried_from_the_new_state() -> None:
    """The target changed meanwhile: nothing counts as written."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Conflict("it has changed")]
        await stage.play(3.0)
        assert stage.server.scaled == []
        assert stage.entry("pay").history.applied is None
        assert stage.entry("pay").tally.ups == 0
        await stage.play(6.0)
        assert len(stage.server.scaled) == 1

    run_virtually(scenario())


def test_refused_write_is_reported_and_retried() -> None:
    """The server's message is in the status until the write succeeds."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Refused("patch scale: 403: you may not")]
        await stage.play(3.0)
        (name, status), *_ = stage.server.statuses
        assert (name, status["reason"]) == ("pay", Reason.TARGET_UNREADABLE)
        assert "you may not" in status["decision"]["message"]
        await stage.play(8.0)
        assert len(stage.server.scaled) == 1

    run_virtually(scenario())


def test_unreachable_server_does_not_stop_decisions() -> None:
    """The write is retried at each evaluation."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.refusals = [Unreachable("no response")] * 3
        await stage.play(30.0)
        assert len(stage.loads.asked) == 6
        assert len(stage.server.scaled) == 1

    run_virtually(scenario())


def test_status_is_written_before_the_event() -> None:
    """The status shows the new number even while Events are not accepted."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        await stage.play(3.0)
        assert stage.server.order == ["scale", "status", "events"]

    run_virtually(scenario())


def test_hanging_event_is_dropped_and_delays_no_decision() -> None:
    """The scaler is due again in time."""

    async def scenario() -> None:
        stage = Stage()
        stage.server.slow_events = 60.0
        stage.add("pay", rate=400.0)
        await stage.play(14.9)
        assert len(stage.loads.asked) == 3
        assert stage.server.events == []

    run_virtually(scenario())


def test_spec_change_in_the_response_to_a_status_write_is_used() -> None:
    """The spec changed just before our status write: only the response shows it, since no watch or
    list has a newer version.
    """

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0, mode="Advise", behavior={"interval": "5m"})
        stage.write_scaler("pay", generation=2, behavior={"interval": "5m"})
        await stage.play(2.0)
        assert stage.server.statuses[0][1]["observedGeneration"] == 1
        assert stage.replicas("pay") > 8
        assert stage.server.statuses[-1][1]["observedGeneration"] == 2

    run_virtually(scenario())


def test_write_with_an_incomplete_response_does_not_count() -> None:
    """The next evaluation sees the target's number, and holds it for no foreign manager."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.answers = [{"kind": "Status"}]
        await stage.play(3.0)
        assert len(stage.server.scaled) == 1
        assert stage.entry("pay").history.applied is None

    run_virtually(scenario())


def test_status_writes_are_rate_limited_and_numbers_are_not() -> None:
    """Many new scalers do not cause many writes at once, and raises are written."""

    async def scenario() -> None:
        stage = Stage()
        for n in range(150):
            stage.add(f"w{n}")
        stage.add("overloaded", rate=400.0)
        await stage.play(0.5)
        assert len(stage.server.statuses) <= 101
        assert [name for name, _ in stage.server.scaled] == ["overloaded"]
        await stage.play(60.0)
        assert len({name for name, _ in stage.server.statuses}) == 151

    run_virtually(scenario())


def test_bucket_grants_its_burst_and_then_its_rate() -> None:
    """Of ten thousand requests at once only so many are granted."""
    budget = TokenBucket(per_second=50, burst=100)
    assert sum(budget.take(0.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.0) for _ in range(10_000)) == 100
    assert sum(budget.take(2.5) for _ in range(10_000)) == 25


def test_bucket_saves_at_most_its_burst() -> None:
    """A day without requests grants no more than the burst."""
    budget = TokenBucket(per_second=50, burst=100)
    assert budget.take(0.0)
    assert sum(budget.take(86_400.0) for _ in range(10_000)) == 100
