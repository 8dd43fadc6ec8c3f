"""A decision as the status of its scaler: for users, `kubectl wait`, and the next process.

It is written only when it changed significantly. Ages, times and the numbers behind an unchanged
decision are refreshed at most once in `REFRESH` seconds, so that the status of an idle scaler is
not written. Its conditions are metav1.Conditions; their reasons are those of decisions where one
fits.
"""

import math
from collections.abc import Mapping
from typing import Any

from borough_operator.decision.model import (
    DOUBTS,
    NO_TARGET,
    Decision,
    Freshness,
    History,
    Hold,
    Observation,
    Proposal,
    Reason,
    Rollout,
)
from borough_operator.moments import format_time, parse_time

REFRESH = 60.0
"""Minimum seconds between two writes for the arithmetic of an unchanged decision."""

Status = Mapping[str, Any]
Finding = tuple[bool | None, str, str]
"""Whether a condition is true, None where that is unknown, its reason and its message."""

_MODES = {
    "Auto": "Decisions are written to the target.",
    "Advise": "Decisions are shown here and not written to the target.",
    "Paused": "Nothing is decided.",
}
_ROLLOUTS: Mapping[Rollout, Finding] = {
    Rollout.STABLE: (True, "Stable", "No rollout is in progress."),
    Rollout.PROGRESSING: (False, Reason.ROLLOUT, "A rollout of a new template is in progress."),
    Rollout.FAILING: (False, Reason.ROLLOUT_FAILING, "The newest template does not become ready."),
}


def render(  # noqa: PLR0913  # what a status depends on
    decision: Decision,
    *,
    generation: int,
    mode: str,
    observation: Observation | None,
    previous: Status,
    now: float,
) -> dict[str, Any]:
    """The status after a decision. Fields without a value are left out; a condition keeps the time
    of its last change.
    """
    history = decision.history
    given = history.memory.last_actions.written
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    conditions = []
    for kind, (holds, reason, message) in _findings(decision, mode, observation).items():
        status = {True: "True", False: "False", None: "Unknown"}[holds]
        known = before.get(kind, {})
        since = known["lastTransitionTime"] if known.get("status") == status else format_time(now)
        conditions.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )
    return _present(
        observedGeneration=generation,
        desiredReplicas=decision.final,
        currentReplicas=observation and observation.replicas,
        readyReplicas=observation and observation.ready,
        appliedReplicas=history.applied,
        reversals=[format_time(math.ceil(at)) for at in history.reversals or ()] or None,
        bindingGoal=decision.binding or None,
        reason=str(decision.reason),
        lastScaleTime=previous.get("lastScaleTime") if given is None else format_time(given),
        hold=_hold(history.hold),
        decision=_decision(decision, now),
        conditions=conditions,
    )


def unchanged(before: Status, after: Status) -> bool:
    """Whether `after` need not be written: nothing significant changed, nor is it due."""
    if _significant(before) != _significant(after):
        return False
    then, now = (status.get("decision", {}).get("time") for status in (before, after))
    if then is None or now is None:
        return False
    return _arithmetic(before) == _arithmetic(after) or parse_time(now) - parse_time(then) < REFRESH


def recover(status: Status) -> History:
    """The history that a new process starts with."""
    applied, hold = status.get("appliedReplicas"), status.get("hold")
    reversals = tuple(parse_time(at) for at in status.get("reversals", ()))
    if hold is not None:
        until = parse_time(hold["until"]) if "until" in hold else math.inf
        hold = Hold(hold["manager"], hold["replicas"], parse_time(hold["since"]), until)
    return History(applied, hold, None if applied is None else reversals)


def _significant(status: Status) -> tuple[Any, ...]:
    decision = status.get("decision", {})
    plain = {key: value for key, value in status.items() if key not in ("decision", "conditions")}
    return (
        plain,
        [(c["type"], c["status"], c["reason"]) for c in status.get("conditions", ())],
        [(each["goal"], each["freshness"]) for each in decision.get("inputs", ())],
    )


def _arithmetic(status: Status) -> tuple[Any, ...]:
    """The numbers that may be out of date for `REFRESH` seconds: replicas and failures, not values
    or ages.
    """
    decision = status["decision"]
    proposed = [(each.get("proposed"), each.get("detail")) for each in decision.get("inputs", ())]
    return decision.get("raw"), decision.get("hpa"), decision.get("clamps"), proposed


def _hold(hold: Hold | None) -> Status | None:
    """Times in whole seconds, rounded so that a hold is never shortened."""
    if hold is None:
        return None
    until = None if math.isinf(hold.until) else format_time(math.ceil(hold.until))
    since = format_time(hold.since)
    return _present(manager=hold.manager, replicas=hold.replicas, since=since, until=until)


def _decision(decision: Decision, now: float) -> Status:
    clamps = [
        {"reason": str(clamp.reason), "before": clamp.before, "after": clamp.after}
        for clamp in decision.clamps
    ]
    return _present(
        time=format_time(now),
        message=decision.message,
        inputs=[_input(proposal) for proposal in decision.proposals] or None,
        raw=decision.raw,
        clamps=clamps or None,
        final=decision.final,
        hpa=decision.hpa,
    )


def _input(proposal: Proposal) -> Status:
    value, age = proposal.value, proposal.age
    return _present(
        goal=proposal.goal,
        freshness=str(proposal.freshness),
        value=None if value is None else f"{value:.6g}",
        age=None if age is None else f"{age:.1f}s",
        proposed=proposal.replicas,
        formula=proposal.formula or None,
        detail=proposal.detail or None,
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


# -- conditions


def _findings(decision: Decision, mode: str, observation: Observation | None) -> dict[str, Finding]:
    """Every condition, in order."""
    rollout: Finding = None, decision.reason, "There is no target."
    return {
        "Ready": _ready(decision, mode),
        "MetricsHealthy": _metrics_healthy(decision),
        "Limited": _limited(decision),
        "ManualHold": _not_ours(decision, Reason.MANUAL_HOLD, "NotHeld", "No number is held."),
        "RolloutStable": rollout if observation is None else _ROLLOUTS[observation.rollout],
        "Contested": _not_ours(
            decision, Reason.CONTESTED, "NotContested", "No change was reverted."
        ),
    }


def _ready(decision: Decision, mode: str) -> Finding:
    if decision.reason in NO_TARGET:
        return False, decision.reason, decision.message
    if decision.proposals and all(proposal.replicas is None for proposal in decision.proposals):
        return False, *_metrics_healthy(decision)[1:]
    return True, mode, _MODES[mode]


def _metrics_healthy(decision: Decision) -> Finding:
    if not decision.proposals:
        return None, decision.reason, "No metric was read."
    for freshness, reason in DOUBTS.items():
        for proposal in decision.proposals:
            declared = freshness is Freshness.EMPTY and proposal.replicas is not None
            if proposal.freshness is freshness and not declared:
                detail = proposal.detail or f"its reading is {freshness}"
                return False, reason, f"{proposal.goal}: {detail}"
    if decision.contradiction:
        return False, Reason.METRICS_ERROR, f"{decision.contradiction}."
    return True, "Fresh", "Every goal's reading is fresh."


def _limited(decision: Decision) -> Finding:
    if not decision.clamps:
        return False, "WithinLimits", "No rule changed the proposal."
    acted = ", ".join(f"{c.reason} {c.before} -> {c.after}" for c in decision.clamps)
    return True, decision.clamps[-1].reason, f"Rules that acted: {acted}."


def _not_ours(decision: Decision, reason: Reason, otherwise: str, message: str) -> Finding:
    """True with the decision's message where the number is left alone for this reason."""
    held = decision.reason is reason
    return (True, reason, decision.message) if held else (False, otherwise, message)
