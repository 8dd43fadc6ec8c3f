"""A decision as the status of its scaler: for users, and for the next process.

It is written only when it changed significantly. Ages, times and the numbers behind an unchanged
decision are refreshed at most once in `REFRESH` seconds, so that the status of an idle scaler is
not written.
"""

import math
from collections.abc import Mapping
from typing import Any

from borough_operator.decision.model import Decision, History, Hold, Observation, Proposal
from borough_operator.kube import conditions
from borough_operator.moments import format_time, parse_time

REFRESH = 60.0
"""Minimum seconds between two writes for the arithmetic of an unchanged decision."""

Status = Mapping[str, Any]


def render(  # noqa: PLR0913  # what a status depends on
    decision: Decision,
    *,
    generation: int,
    mode: str,
    observation: Observation | None,
    previous: Status,
    now: float,
) -> dict[str, Any]:
    """The status after a decision. Fields without a value are left out."""
    history = decision.history
    given = history.memory.last_actions.written
    fields = {
        "observedGeneration": generation,
        "desiredReplicas": decision.final,
        "currentReplicas": observation and observation.replicas,
        "readyReplicas": observation and observation.ready,
        "appliedReplicas": history.applied,
        "reversals": [format_time(math.ceil(at)) for at in history.reversals or ()] or None,
        "bindingGoal": decision.binding or None,
        "reason": str(decision.reason),
        "lastScaleTime": previous.get("lastScaleTime") if given is None else format_time(given),
        "hold": _hold(history.hold),
        "decision": _decision(decision, now),
        "conditions": conditions.render(
            decision,
            generation=generation,
            mode=mode,
            observation=observation,
            previous=previous.get("conditions", ()),
            now=now,
        ),
    }
    return _present(fields)


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
    return History(
        applied=applied,
        hold=None if hold is None else _held(hold),
        reversals=None if applied is None else reversals,
    )


def _held(hold: Status) -> Hold:
    return Hold(
        manager=hold["manager"],
        replicas=hold["replicas"],
        since=parse_time(hold["since"]),
        until=parse_time(hold["until"]) if "until" in hold else math.inf,
    )


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


def _hold(hold: Hold | None) -> Mapping[str, Any] | None:
    """Times in whole seconds, rounded so that a hold is never shortened."""
    if hold is None:
        return None
    until = None if math.isinf(hold.until) else format_time(math.ceil(hold.until))
    since = format_time(hold.since)
    fields = {"manager": hold.manager, "replicas": hold.replicas, "since": since, "until": until}
    return _present(fields)


def _decision(decision: Decision, now: float) -> Mapping[str, Any]:
    clamps = [
        {"reason": str(clamp.reason), "before": clamp.before, "after": clamp.after}
        for clamp in decision.clamps
    ]
    fields = {
        "time": format_time(now),
        "message": decision.message,
        "inputs": [_input(proposal) for proposal in decision.proposals] or None,
        "raw": decision.raw,
        "clamps": clamps or None,
        "final": decision.final,
        "hpa": decision.hpa,
    }
    return _present(fields)


def _input(proposal: Proposal) -> Mapping[str, Any]:
    value, age = proposal.value, proposal.age
    fields = {
        "goal": proposal.goal,
        "freshness": str(proposal.freshness),
        "value": None if value is None else f"{value:.6g}",
        "age": None if age is None else f"{age:.1f}s",
        "proposed": proposal.replicas,
        "formula": proposal.formula or None,
        "detail": proposal.detail or None,
    }
    return _present(fields)


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
