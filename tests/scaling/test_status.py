"""What does a status contain, when is it written, and what is recovered from it?"""

import math
from dataclasses import replace
from typing import Any

import pytest

from borough_operator.decision.decide import no_decision
from borough_operator.decision.memory import LastActions, Memory
from borough_operator.decision.model import (
    NO_TARGET,
    Clamp,
    Decision,
    Freshness,
    History,
    Hold,
    Observation,
    Proposal,
    Reason,
    Rollout,
)
from borough_operator.kube.status import REFRESH, recover, render, unchanged

NOW = 1_795_422_600.4
FRESH = Proposal("RequestRate", Freshness.FRESH, 7, value=331.25, age=1.04, formula="ceil(...) = 7")
DECISION = Decision(
    replicas=5,
    reason=Reason.AT_MAX,
    message="RequestRate asks for 7 and 5 is the most.",
    history=History(applied=4, memory=Memory(last_actions=LastActions(written=NOW))),
    proposals=(FRESH,),
    binding="RequestRate",
    raw=7,
    clamps=(Clamp(Reason.AT_MAX, 7, 5),),
    hpa=6,
    write=True,
)
SEEN = Observation(replicas=4, ready=3, readings={})


def status(
    decision: Decision = DECISION,
    seen: Observation | None = SEEN,
    previous: Any = None,
    now: float = NOW,
    mode: str = "Auto",
) -> dict[str, Any]:
    return render(
        decision, generation=2, mode=mode, observation=seen, previous=previous or {}, now=now
    )


def condition(rendered: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = [c for c in rendered["conditions"] if c["type"] == kind]
    return found["status"], found["reason"]


def test_status_contains_the_whole_decision() -> None:
    """The number and how it came about."""
    rendered = status()
    assert rendered["decision"] == {
        "time": "2026-11-23T08:30:00Z",
        "message": "RequestRate asks for 7 and 5 is the most.",
        "inputs": [
            {
                "goal": "RequestRate",
                "freshness": "fresh",
                "value": "331.25",
                "age": "1.0s",
                "proposed": 7,
                "formula": "ceil(...) = 7",
            }
        ],
        "raw": 7,
        "clamps": [{"reason": "AtMax", "before": 7, "after": 5}],
        "final": 5,
        "hpa": 6,
    }
    del rendered["decision"], rendered["conditions"]
    assert rendered == {
        "observedGeneration": 2,
        "desiredReplicas": 5,
        "currentReplicas": 4,
        "readyReplicas": 3,
        "appliedReplicas": 4,
        "bindingGoal": "RequestRate",
        "reason": "AtMax",
        "lastScaleTime": "2026-11-23T08:30:00Z",
    }


def test_last_scale_time_is_kept_without_a_write() -> None:
    """A decision without a write does not change it."""
    before = status()
    after = status(replace(DECISION, write=False), previous=before, now=NOW + 500)
    assert after["lastScaleTime"] == before["lastScaleTime"]


def test_last_scale_time_is_that_of_the_write_after_a_lost_status() -> None:
    """It is the time of the write and not of the status."""
    after = status(replace(DECISION, write=False), previous={}, now=NOW + 500)
    assert after["lastScaleTime"] == "2026-11-23T08:30:00Z"


@pytest.mark.parametrize("reason", sorted(NO_TARGET))
def test_no_decision_has_no_number_in_the_status(reason: Reason) -> None:
    """A conflicting scaler does not show 0 replicas."""
    rendered = status(no_decision(reason, "There is no target.", History(applied=4)), seen=None)
    assert "desiredReplicas" not in rendered
    assert "final" not in rendered["decision"]


# -- changes


def test_changed_ages_times_and_values_are_not_written() -> None:
    """A scaler with an unchanged number is not written for small changes of its load."""
    moved = replace(FRESH, value=329.0, age=4.0, formula="ceil(...) = 7.0", detail="")
    later = replace(DECISION, proposals=(moved,), message="another sentence", write=False)
    before = status()
    assert unchanged(before, status(later, previous=before, now=NOW + 10 * REFRESH))


def test_changed_arithmetic_is_written_at_most_once_a_refresh() -> None:
    """The arithmetic in the status is at most a minute old."""
    before = status()
    other = replace(DECISION, raw=9, proposals=(replace(FRESH, replicas=9),), write=False)
    assert unchanged(before, status(other, previous=before, now=NOW + REFRESH - 1))
    assert not unchanged(before, status(other, previous=before, now=NOW + REFRESH + 1))


@pytest.mark.parametrize(
    "other",
    [
        replace(DECISION, replicas=6),
        replace(DECISION, reason=Reason.WINDOW),
        replace(DECISION, binding="InFlight"),
        replace(DECISION, history=History(applied=5)),
        replace(DECISION, history=History(4, Hold("kubectl", 4, NOW, NOW + 900))),
        replace(DECISION, proposals=(replace(FRESH, freshness=Freshness.STALE),)),
        replace(DECISION, clamps=()),
    ],
)
def test_significant_change_is_written_at_once(other: Decision) -> None:
    """What users read or a restart needs."""
    before = status()
    assert not unchanged(before, status(replace(other, write=False), previous=before))


def test_changed_freshness_of_any_goal_is_written() -> None:
    """Also of a second goal, where the condition is false already."""
    failed = Proposal("Q", Freshness.ERROR, None)
    before = status(replace(DECISION, proposals=(failed, FRESH)))
    worse = replace(
        DECISION, proposals=(failed, replace(FRESH, freshness=Freshness.STALE)), write=False
    )
    assert not unchanged(before, status(worse, previous=before))


def test_changed_ready_replicas_are_written() -> None:
    """The columns of kubectl show the present."""
    before = status()
    assert not unchanged(before, status(seen=replace(SEEN, ready=4), previous=before))


def test_first_status_is_written() -> None:
    """For a scaler without a status."""
    assert not unchanged({}, status())


# -- a restart


def test_restart_recovers_number_and_hold() -> None:
    """Rounding to whole seconds never shortens a hold."""
    hold = Hold("kubectl", 9, since=NOW, until=NOW + 900)
    found = recover(status(replace(DECISION, history=History(4, hold))))
    assert found.applied == 4
    assert found.hold == Hold("kubectl", 9, since=NOW - 0.4, until=math.ceil(NOW + 900))


def test_hold_without_end_is_recovered_without_end() -> None:
    """A contested target stays contested over restarts."""
    hold = Hold("other", 9, since=NOW, until=math.inf)
    found = recover(status(replace(DECISION, history=History(4, hold)))).hold
    assert found is not None
    assert found.until == math.inf


def test_restart_recovers_the_reversals() -> None:
    """Rounding to whole seconds drops no reversal early; a number without any had none."""
    history = History(4, reversals=(NOW - 60, NOW))
    found = recover(status(replace(DECISION, history=history)))
    assert list(found.reversals or ()) == [math.ceil(NOW - 60), math.ceil(NOW)]
    assert [recover(each).reversals for each in (status(), {})] == [(), None]


def test_empty_status_is_an_empty_history() -> None:
    """Of a new scaler."""
    assert recover({}) == History()


# -- conditions


def test_condition_keeps_the_time_of_its_last_transition() -> None:
    """Its reason may change meanwhile."""
    before = status()
    held = replace(DECISION, reason=Reason.MANUAL_HOLD, clamps=(), message="kubectl set 9 ...")
    after = status(held, previous=before, now=NOW + 100)
    times = {
        c["type"]: (old["lastTransitionTime"], c["lastTransitionTime"])
        for old, c in zip(before["conditions"], after["conditions"], strict=True)
    }
    moved = {kind for kind, (old, new) in times.items() if old != new}
    assert moved == {"Limited", "ManualHold"}


@pytest.mark.parametrize(
    ("decision", "seen", "expected"),
    [
        (DECISION, SEEN, {"Ready": ("True", "Auto"), "Limited": ("True", "AtMax")}),
        (
            replace(DECISION, clamps=(), proposals=(FRESH, replace(FRESH, goal="Q"))),
            SEEN,
            {"Limited": ("False", "WithinLimits"), "MetricsHealthy": ("True", "Fresh")},
        ),
        (
            replace(DECISION, proposals=(FRESH, Proposal("Q", Freshness.ERROR, None, detail="no"))),
            SEEN,
            {"Ready": ("True", "Auto"), "MetricsHealthy": ("False", "MetricsError")},
        ),
        (
            replace(DECISION, proposals=(Proposal("Q", Freshness.EMPTY, None),)),
            SEEN,
            {"Ready": ("False", "MetricsEmpty"), "MetricsHealthy": ("False", "MetricsEmpty")},
        ),
        (
            replace(
                DECISION,
                proposals=(
                    Proposal("Q", Freshness.STALE, None),
                    Proposal("L", Freshness.EMPTY, None),
                ),
            ),
            SEEN,
            {"MetricsHealthy": ("False", "MetricsEmpty")},  # as the decision has it
        ),
        (
            replace(DECISION, proposals=(Proposal("Q", Freshness.EMPTY, 1, detail="zero"),)),
            SEEN,
            {"Ready": ("True", "Auto"), "MetricsHealthy": ("True", "Fresh")},
        ),
        (
            replace(DECISION, contradiction="one of them is wrong"),
            SEEN,
            {"Ready": ("True", "Auto"), "MetricsHealthy": ("False", "MetricsError")},
        ),
        (
            replace(DECISION, reason=Reason.CONTESTED),
            SEEN,
            {"Contested": ("True", "Contested"), "ManualHold": ("False", "NotHeld")},
        ),
        (
            DECISION,
            replace(SEEN, rollout=Rollout.FAILING),
            {"RolloutStable": ("False", "RolloutFailing")},
        ),
        (
            replace(DECISION, reason=Reason.TARGET_MISSING, proposals=(), clamps=()),
            None,
            {
                "Ready": ("False", "TargetMissing"),
                "MetricsHealthy": ("Unknown", "TargetMissing"),
                "RolloutStable": ("Unknown", "TargetMissing"),
            },
        ),
    ],
)
def test_conditions_match_the_decision(
    decision: Decision, seen: Observation | None, expected: dict[str, tuple[str, str]]
) -> None:
    """Each with a reason of the closed list where one fits."""
    rendered = status(decision, seen)
    assert {kind: condition(rendered, kind) for kind in expected} == expected


def test_failed_metric_is_named_in_the_condition() -> None:
    """The message contains the goal and the cause."""
    failed = Proposal("Query-2", Freshness.ERROR, None, detail="prometheus:9090 did not answer")
    rendered = status(replace(DECISION, proposals=(FRESH, failed)))
    (found,) = [c for c in rendered["conditions"] if c["type"] == "MetricsHealthy"]
    assert found["message"] == "Query-2: prometheus:9090 did not answer"
