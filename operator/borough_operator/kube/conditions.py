"""A decision as conditions: what `kubectl wait` waits for, and what people and alerts see first.

They are metav1.Conditions in full. Their reasons are those of decisions where one fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from borough_operator.decision.model import (
    NO_TARGET,
    Decision,
    Freshness,
    Observation,
    Reason,
    Rollout,
)
from borough_operator.decision.reasons import DOUBTS
from borough_operator.moments import format_time

Condition = Mapping[str, Any]

_MODES = {
    "Auto": "Answers are given to the target.",
    "Advise": "Answers are said here, and given to nobody.",
    "Paused": "No answer is asked for.",
}
_ROLLOUTS = {
    Rollout.PROGRESSING: (Reason.ROLLOUT, "A new template is being rolled out."),
    Rollout.FAILING: (Reason.ROLLOUT_FAILING, "The newest template does not become ready."),
}

CONDITIONS = {
    "Ready": "The scaler can do what its mode asks: its spec is valid, its target is there, and at "
    "least one goal is known.",
    "MetricsHealthy": "Every goal's reading is fresh, and none contradicts another.",
    "Limited": "A rule changed the largest proposal: a bound, the window, a budget.",
    "ManualHold": "Somebody else's number is left alone for a while.",
    "RolloutStable": "No rollout of the target is under way or failing.",
    "Contested": "Another controller undoes what this one does, and nothing is changed.",
}
"""Every condition, and what it means that it is true."""


@dataclass(frozen=True, slots=True)
class _Finding:
    holds: bool | None
    """None where it cannot be known."""
    reason: str
    message: str


def render(  # noqa: PLR0913  # all that conditions tell of
    decision: Decision,
    *,
    generation: int,
    mode: str,
    observation: Observation | None,
    previous: Sequence[Condition],
    now: float,
) -> list[Condition]:
    """All conditions, in their order; each keeps the time at which its status changed last."""
    findings = {
        "Ready": _ready(decision, mode),
        "MetricsHealthy": _metrics_healthy(decision),
        "Limited": _limited(decision),
        "ManualHold": _on(decision, Reason.MANUAL_HOLD, "Nobody else's number is held."),
        "RolloutStable": _rollout_stable(decision, observation),
        "Contested": _on(decision, Reason.CONTESTED, "Nobody undoes what this scaler does."),
    }
    before = {condition["type"]: condition for condition in previous}
    told: list[Condition] = []
    for kind, finding in findings.items():
        status = {True: "True", False: "False", None: "Unknown"}[finding.holds]
        known = before.get(kind, {})
        since = known["lastTransitionTime"] if known.get("status") == status else format_time(now)
        told.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": since,
                "reason": finding.reason,
                "message": finding.message,
            }
        )
    return told


def _ready(decision: Decision, mode: str) -> _Finding:
    if decision.reason in NO_TARGET:
        return _Finding(holds=False, reason=decision.reason, message=decision.message)
    known = [proposal for proposal in decision.proposals if proposal.replicas is not None]
    if decision.proposals and not known:
        doubt = _metrics_healthy(decision)
        return _Finding(holds=False, reason=doubt.reason, message=doubt.message)
    return _Finding(holds=True, reason=mode, message=_MODES[mode])


def _metrics_healthy(decision: Decision) -> _Finding:
    if not decision.proposals:
        return _Finding(holds=None, reason=decision.reason, message="No metric was asked for.")
    for freshness, reason in DOUBTS.items():
        for proposal in decision.proposals:
            declared = freshness is Freshness.EMPTY and proposal.replicas is not None
            if proposal.freshness is freshness and not declared:
                said = proposal.detail or f"its reading is {freshness}"
                return _Finding(holds=False, reason=reason, message=f"{proposal.goal}: {said}")
    if decision.contradiction:
        return _Finding(
            holds=False, reason=Reason.METRICS_ERROR, message=f"{decision.contradiction}."
        )
    return _Finding(holds=True, reason="Fresh", message="Every goal's reading is fresh.")


def _limited(decision: Decision) -> _Finding:
    if not decision.clamps:
        return _Finding(holds=False, reason="WithinLimits", message="No rule changed the answer.")
    last = decision.clamps[-1]
    acted = ", ".join(f"{c.reason} {c.before} -> {c.after}" for c in decision.clamps)
    return _Finding(holds=True, reason=last.reason, message=f"Rules that acted: {acted}.")


def _rollout_stable(decision: Decision, observation: Observation | None) -> _Finding:
    if observation is None:
        return _Finding(
            holds=None, reason=decision.reason, message="There is no target to look at."
        )
    if observation.rollout is Rollout.STABLE:
        return _Finding(holds=True, reason="Stable", message="No rollout is under way.")
    reason, message = _ROLLOUTS[observation.rollout]
    return _Finding(holds=False, reason=reason, message=message)


def _on(decision: Decision, reason: Reason, otherwise: str) -> _Finding:
    """Another owner has the number, for this reason: its message names who, and until when."""
    if decision.reason is reason:
        return _Finding(holds=True, reason=reason, message=decision.message)
    return _Finding(holds=False, reason="HandsOn", message=otherwise)
