"""A decision as metav1.Conditions, for `kubectl wait`, users and alerts.

Their reasons are those of decisions where one fits.
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
    "Auto": "Decisions are written to the target.",
    "Advise": "Decisions are shown here and not written to the target.",
    "Paused": "Nothing is decided.",
}
_ROLLOUTS = {
    Rollout.PROGRESSING: (Reason.ROLLOUT, "A rollout of a new template is in progress."),
    Rollout.FAILING: (Reason.ROLLOUT_FAILING, "The newest template does not become ready."),
}

CONDITIONS = {
    "Ready": "The scaler can work in its mode: its spec is valid, its target exists, and at "
    "least one goal has a usable reading.",
    "MetricsHealthy": "Every goal's reading is fresh, and none contradicts another.",
    "Limited": "A rule changed the largest proposal: a bound, the window or the budget.",
    "ManualHold": "A number that another manager set is left alone for a while.",
    "RolloutStable": "No rollout of the target is in progress or failing.",
    "Contested": "Another controller reverts the operator's changes: no more are made.",
}
"""Every condition, and what it means that it is True."""


@dataclass(frozen=True, slots=True)
class _Finding:
    holds: bool | None
    """None where it is unknown."""
    reason: str
    message: str


def render(  # noqa: PLR0913  # what conditions depend on
    decision: Decision,
    *,
    generation: int,
    mode: str,
    observation: Observation | None,
    previous: Sequence[Condition],
    now: float,
) -> list[Condition]:
    """All conditions in order; each keeps the time of its last change of status."""
    findings = {
        "Ready": _ready(decision, mode),
        "MetricsHealthy": _metrics_healthy(decision),
        "Limited": _limited(decision),
        "ManualHold": _not_ours(decision, Reason.MANUAL_HOLD, "NotHeld", "No number is held."),
        "RolloutStable": _rollout_stable(decision, observation),
        "Contested": _not_ours(
            decision, Reason.CONTESTED, "NotContested", "No change was reverted."
        ),
    }
    before = {condition["type"]: condition for condition in previous}
    conditions: list[Condition] = []
    for kind, finding in findings.items():
        status = {True: "True", False: "False", None: "Unknown"}[finding.holds]
        known = before.get(kind, {})
        since = known["lastTransitionTime"] if known.get("status") == status else format_time(now)
        conditions.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": since,
                "reason": finding.reason,
                "message": finding.message,
            }
        )
    return conditions


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
        return _Finding(holds=None, reason=decision.reason, message="No metric was read.")
    for freshness, reason in DOUBTS.items():
        for proposal in decision.proposals:
            declared = freshness is Freshness.EMPTY and proposal.replicas is not None
            if proposal.freshness is freshness and not declared:
                detail = proposal.detail or f"its reading is {freshness}"
                return _Finding(holds=False, reason=reason, message=f"{proposal.goal}: {detail}")
    if decision.contradiction:
        return _Finding(
            holds=False, reason=Reason.METRICS_ERROR, message=f"{decision.contradiction}."
        )
    return _Finding(holds=True, reason="Fresh", message="Every goal's reading is fresh.")


def _limited(decision: Decision) -> _Finding:
    if not decision.clamps:
        return _Finding(holds=False, reason="WithinLimits", message="No rule changed the proposal.")
    last = decision.clamps[-1]
    acted = ", ".join(f"{c.reason} {c.before} -> {c.after}" for c in decision.clamps)
    return _Finding(holds=True, reason=last.reason, message=f"Rules that acted: {acted}.")


def _rollout_stable(decision: Decision, observation: Observation | None) -> _Finding:
    if observation is None:
        return _Finding(holds=None, reason=decision.reason, message="There is no target.")
    if observation.rollout is Rollout.STABLE:
        return _Finding(holds=True, reason="Stable", message="No rollout is in progress.")
    reason, message = _ROLLOUTS[observation.rollout]
    return _Finding(holds=False, reason=reason, message=message)


def _not_ours(decision: Decision, reason: Reason, otherwise: str, message: str) -> _Finding:
    """True with the decision's message where the number is left alone for this reason."""
    if decision.reason is reason:
        return _Finding(holds=True, reason=reason, message=decision.message)
    return _Finding(holds=False, reason=otherwise, message=message)
