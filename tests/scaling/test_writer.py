"""Is what follows from a decision written once, in its order, and from the newest that is known?"""

from borough_operator.decision.model import Reason
from borough_operator.kube.api import Conflict, Refused, Unreachable
from borough_operator.running.writer import Budget
from scaling.stage import Stage
from scaling.virtual import virtually


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


def test_a_change_is_told_by_status_before_its_event() -> None:
    """Who looks at the scaler sees the new number, also while Events are not taken."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        await stage.play(3.0)
        assert stage.server.order == ["scale", "status", "events"]

    virtually(story())


def test_an_event_that_is_not_taken_makes_no_decision_late() -> None:
    """It is dropped: the scaler is due again in its time."""

    async def story() -> None:
        stage = Stage()
        stage.server.slow_events = 60.0
        stage.add("pay", rate=400.0)
        await stage.play(14.9)
        assert len(stage.loads.asked) == 3
        assert stage.server.events == []

    virtually(story())


def test_a_change_that_only_our_own_write_has_seen_is_taken() -> None:
    """Somebody switches a scaler on just before we write its status: the answer says so, and no
    watch or list would, since it has no newer version.
    """

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0, mode="Advise", behavior={"interval": "5m"})
        stage.write_scaler("pay", generation=2, behavior={"interval": "5m"})
        await stage.play(2.0)
        assert stage.server.statuses[0][1]["observedGeneration"] == 1
        assert stage.replicas("pay") > 8
        assert stage.server.statuses[-1][1]["observedGeneration"] == 2

    virtually(story())


def test_a_write_with_an_answer_that_says_nothing_is_not_counted_as_made() -> None:
    """The target has the number or has not: the next turn sees it, and holds it for nobody."""

    async def story() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.server.answers = [{"kind": "Status"}]
        await stage.play(3.0)
        assert len(stage.server.scaled) == 1
        assert stage.entry("pay").history.applied is None

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


def test_after_a_rest_a_few_may_go_at_once_and_then_so_many_a_second() -> None:
    """Ten thousand who ask at the same moment are granted what the budget says."""
    budget = Budget(per_second=50, at_once=100)
    assert sum(budget.grants(0.0) for _ in range(10_000)) == 100
    assert sum(budget.grants(2.0) for _ in range(10_000)) == 100
    assert sum(budget.grants(2.5) for _ in range(10_000)) == 25


def test_no_rest_saves_more_than_that() -> None:
    """A quiet night does not pay for a storm."""
    budget = Budget(per_second=50, at_once=100)
    assert budget.grants(0.0)
    assert sum(budget.grants(86_400.0) for _ in range(10_000)) == 100
