"""Is the decided number the demand of the goals, and is it explained?"""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borough_operator.decision.decide import decide
from borough_operator.decision.goals import needs
from borough_operator.decision.model import (
    Clamp,
    Goal,
    History,
    Measure,
    Mode,
    Need,
    Observation,
    Reason,
)
from scaling.worlds import (
    BY_IN_FLIGHT,
    BY_QUERY,
    BY_RATE,
    IN_FLIGHT,
    JOBS,
    RATE,
    START,
    World,
    fresh,
    patient,
    policy,
    steady,
)


@pytest.mark.parametrize(
    ("goal", "need", "value", "replicas", "wanted"),
    [
        (BY_RATE, RATE, 20.0, 1, 2),  # a = 1:  1 + 0.4 = 1.4
        (BY_RATE, RATE, 80.0, 1, 5),  # a = 4:  4 + 0.8 = 4.8
        (BY_RATE, RATE, 320.0, 1, 18),  # a = 16: 16 + 1.6 = 17.6
        (BY_IN_FLIGHT, IN_FLIGHT, 72.0, 1, 11),  # a = 9: 9 + 1.2 = 10.2
        (BY_QUERY, JOBS, 250.0, 1, 20),  # a = 25 asks for 27, the most is 20
        (BY_RATE, RATE, 80.0, 5, 5),  # what is there is right
        (BY_RATE, RATE, 0.0, 1, 1),
    ],
)
def test_number_follows_square_root_staffing(
    goal: Goal, need: Need, value: float, replicas: int, wanted: int
) -> None:
    """ceil(a + 0.4 sqrt(a)) for a load of a replicas' worth."""
    observation = Observation(replicas, replicas, {need: fresh(value)})
    decision = decide(policy(goal), observation, History(), START)
    assert decision.replicas == wanted
    assert decision.write is (wanted != replicas)


def test_decision_contains_inputs_formula_clamps_and_reason() -> None:
    """Readings with age, formula, raw number, each clamp, the binding goal and the reason."""
    readings = {RATE: fresh(600.0, age=2.0), IN_FLIGHT: fresh(8.0, age=3.0)}
    decision = decide(
        policy(BY_RATE, BY_IN_FLIGHT), Observation(10, 10, readings), History(), START
    )
    rate, in_flight = decision.proposals
    assert (rate.goal, rate.value, rate.age, rate.replicas) == ("RequestRate", 600.0, 2.0, 33)
    assert rate.formula == "ceil(30.00 + 0.4*sqrt(30.00)) = 33, 30.00 = 600/20"
    assert (in_flight.replicas, in_flight.age) == (2, 3.0)
    assert (decision.binding, decision.raw) == ("RequestRate", 33)
    assert decision.clamps == (Clamp(Reason.AT_MAX, 33, 20),)
    assert decision.message == (
        "From 10 to 20 replicas: RequestRate asks for 33, ceil(30.00 + 0.4*sqrt(30.00)) = 33, "
        "30.00 = 600/20; replicas.max is 20."
    )


def test_largest_proposal_wins() -> None:
    """A goal that needs less never holds back one that needs more."""
    readings = {RATE: fresh(20.0), IN_FLIGHT: fresh(72.0)}
    decision = decide(policy(BY_RATE, BY_IN_FLIGHT), Observation(1, 1, readings), History(), START)
    assert (decision.binding, decision.replicas) == ("InFlight", 11)


def test_load_is_arrivals_where_requests_in_flight_grow() -> None:
    """Two full replicas complete 40 per second while 100 arrive: requests in flight grow by the
    difference, and the waiting ones are to be worked off.
    """
    world = World(policy(), lambda _: 40.0, replicas=2)
    world.broken = {IN_FLIGHT: fresh(2.0)}
    world.run(60.0)
    before = world.replicas
    world.broken = {IN_FLIGHT: fresh(302.0)}
    proposal = world.decide().proposals[0]
    assert before == 3
    assert "100" in proposal.formula  # 40 + (302 - 2) / 5 s
    assert "waiting" in proposal.formula
    assert world.replicas >= 8


def test_trend_is_extrapolated_over_the_lead_time() -> None:
    """On a ramp, the ready replicas carry the load at every time."""
    world = World(policy(max_replicas=40), lambda time: 100.0 + time / 3.0, replicas=7)
    world.run(120.0)
    for _ in range(120):
        world.decide()
        assert world.observation().ready * 20.0 >= world.load(world.time)
        world.time += 5.0


def test_waiting_load_raises_once_while_replicas_start() -> None:
    """In-flight grows while replicas start: nothing is added before they are ready."""
    world = World(policy(BY_IN_FLIGHT), lambda _: 0.0, replicas=2)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    assert world.decide().replicas == 6
    world.time += 5.0
    world.broken = {IN_FLIGHT: fresh(100.0)}
    waiting = world.decide()
    assert (waiting.replicas, waiting.reason) == (6, Reason.AWAITING_READY)
    world.time += 5.0
    assert world.decide().replicas > 6


def test_pending_replicas_are_waited_for_at_most_two_lead_times() -> None:
    """After that, waiting load counts again."""
    world = World(policy(BY_IN_FLIGHT), lambda _: 0.0, replicas=2, start_up=1e9)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    world.run(5.0)
    world.broken = {IN_FLIGHT: fresh(100.0)}
    world.run(110.0)
    assert world.replicas == 6
    world.run(15.0)
    assert world.replicas > 6


@settings(max_examples=50)
@given(st.floats(-0.04, 0.04), st.integers(3, 18))
def test_load_within_the_tolerance_changes_nothing(part: float, replicas: int) -> None:
    """The demand differs by less than the tolerance from the present size."""
    suits = replicas - 0.4 * replicas**0.5
    world = World(policy(), lambda _: 20.0 * suits * (1.0 + part) * 0.95, replicas)
    assert set(world.run(300.0).sizes()) == {replicas}


@settings(max_examples=50)
@given(
    st.floats(0.0, 2000.0),
    st.floats(0.0, 2000.0),
    st.integers(1, 30),
    st.lists(st.floats(0.0, 500.0), max_size=8),
)
def test_number_is_monotone_in_the_load(
    one: float, other: float, replicas: int, past: list[float]
) -> None:
    """With everything else equal, more load never gives fewer replicas."""
    history = History()
    for n, load in enumerate(past):
        readings = {RATE: fresh(load)}
        observation = Observation(replicas, replicas, readings)
        decision = decide(policy(max_replicas=30), observation, history, START + 5.0 * n)
        history, replicas = decision.history, decision.replicas
    now = START + 5.0 * len(past)
    low, high = (
        decide(
            policy(max_replicas=30),
            Observation(replicas, replicas, {RATE: fresh(load)}),
            history,
            now,
        ).replicas
        for load in sorted((one, other))
    )
    assert low <= high


def test_advise_mode_decides_without_writing() -> None:
    """Each advice follows from the one before, not from the target's number."""
    world = World(policy(mode=Mode.ADVISE), lambda _: 200.0, replicas=3)
    world.run(60.0)
    assert world.replicas == 3
    assert {decision.write for _, decision in world.decisions} == {False}
    assert world.last.replicas == 12
    assert world.last.history.applied is None
    assert world.last.message.startswith("Advice only: ")


def test_one_very_slow_start_delays_later_raises_only_briefly() -> None:
    """One start waited for a node: later load is not left to pending replicas for an hour."""
    world = World(policy(BY_IN_FLIGHT), lambda _: 0.0, replicas=2, start_up=1800.0)
    world.broken = {IN_FLIGHT: fresh(40.0)}
    world.run(1810.0)
    world.start_up = 1e9
    world.broken = {IN_FLIGHT: fresh(60.0)}
    world.run(30.0)
    raised = world.replicas
    world.broken = {IN_FLIGHT: fresh(120.0)}
    world.run(245.0)
    assert world.replicas > raised


def test_needs_follow_from_the_goals() -> None:
    """A rate is read with the requests in flight; both as goals, with the duration as well."""
    assert needs(policy(BY_RATE)) == {RATE, IN_FLIGHT}
    assert needs(policy(BY_IN_FLIGHT)) == {IN_FLIGHT}
    assert needs(policy(BY_RATE, BY_IN_FLIGHT)) == {RATE, IN_FLIGHT, Need(Measure.DURATION)}
    assert needs(policy(BY_QUERY)) == {JOBS}


def test_shadow_has_the_size_of_an_hpa() -> None:
    """At 200 a second and 20 a replica, an HPA would have 10 by now, doubling every 15 s."""
    world = World(policy(), lambda _: 200.0, replicas=2)
    sizes = [world.decide().hpa]
    for _ in range(12):
        world.time += 5.0
        sizes.append(world.decide().hpa)
    assert sizes[0] == 6  # 4 more in the first 15 s
    assert sizes[-1] == 10
    assert all((a or 0) <= (b or 0) for a, b in pairwise(sizes))


def test_reversals_stay_within_the_hourly_budget() -> None:
    """For any oscillating load no hour has more reversals than the budget."""
    world = World(
        policy(behavior=patient(reversals_per_hour=6)),
        lambda time: 300.0 if time % 400.0 < 100.0 else 60.0,
        replicas=4,
    )
    world.run(7200.0)
    steps = [
        (t, b - a)
        for (t, _), (a, b) in zip(world.decisions[1:], pairwise(world.sizes()), strict=True)
    ]
    moves = [(t, step > 0) for t, step in steps if step]
    reversals = [t for (_, a), (t, b) in pairwise(moves) if a is not b]
    assert Reason.REVERSALS in {decision.reason for _, decision in world.decisions}
    assert reversals
    assert all(sum(t <= other < t + 3600.0 for other in reversals) <= 6 for t in reversals)


def test_steady_target_is_not_changed() -> None:
    """Nothing is written while neither load nor size changes."""
    world = steady(100.0, 6)
    assert set(world.sizes()) == {6}
    assert world.last.reason is Reason.STEADY
