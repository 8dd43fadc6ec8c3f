"""Who owns the target's number of replicas: the operator, a manual hold, or another controller.

A change is foreign where the number differs from the one that this operator wrote and another field
manager is recorded. It is left alone for `manual_hold`. A controller that reverts our writes
several times in a row contests the target: the number is then left alone until the annotation, or a
number of a third manager, ends it.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision.memory import Contender
from borough_operator.decision.model import (
    ForeignWriter,
    History,
    Hold,
    Mode,
    Observation,
    Policy,
    Reason,
)
from borough_operator.moments import format_time

_CONTESTED_AFTER = 3
"""Consecutive writes reverted by the same manager that make the target contested."""
_REVERT_WITHIN = 300.0
"""Seconds after a write within which a change counts as its revert: controllers that repair drift
run every three minutes or more often, manual changes rarely come so soon."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    reason: Reason
    message: str


def check(
    policy: Policy, observation: Observation, history: History, now: float
) -> tuple[NotOurs | None, History]:
    """Why the number is left alone, None where it is ours; and the history with what was found."""
    if policy.mode is Mode.PAUSED:
        return NotOurs(Reason.PAUSED, "The scaler is paused: nothing is decided."), history
    if observation.replicas == 0:
        message = "The target was scaled to 0 and stays there until it is scaled up by hand."
        return NotOurs(Reason.SCALED_TO_ZERO, message), replace(history, hold=None)
    if policy.mode is Mode.ADVISE:
        # Advise mode owns no number, so no change is foreign.
        return None, replace(history, applied=None, hold=None)
    history = _detect_change(policy, observation, history)
    hold = history.hold
    if hold is None:
        return None, history
    if now >= hold.until or (observation.resume is not None and hold.since <= observation.resume):
        return None, _released(hold, observation, history)
    return _not_ours(hold), history


def _released(hold: Hold, observation: Observation, history: History) -> History:
    """The present number becomes ours; after a contest the contender is forgotten."""
    contender = Contender() if hold.until == math.inf else history.memory.contender
    memory = replace(history.memory, contender=contender)
    return replace(history, applied=observation.replicas, hold=None, memory=memory)


def _not_ours(hold: Hold) -> NotOurs:
    if hold.until < math.inf:
        message = (
            f"{hold.manager} set {hold.replicas} replicas at {format_time(hold.since)}: "
            f"held until {format_time(math.ceil(hold.until))}."
        )
        return NotOurs(Reason.MANUAL_HOLD, message)
    message = (
        f"{hold.manager} reverted {_CONTESTED_AFTER} changes in a row and keeps "
        f"{hold.replicas} replicas: "
        "nothing is changed until the annotation borough.dev/resume, or another manager's number."
    )
    return NotOurs(Reason.CONTESTED, message)


def _detect_change(policy: Policy, observation: Observation, history: History) -> History:
    """The history with the hold that a foreign change begins, or with the adopted number."""
    hold, writer = history.hold, observation.writer
    if history.applied is None:
        return replace(history, applied=observation.replicas)
    expected = history.applied if hold is None else hold.replicas
    if observation.replicas == expected:
        if hold is None or hold.until == math.inf:
            return history
        # The policy's `manual_hold` may have changed since the hold began.
        return replace(history, hold=replace(hold, until=hold.since + policy.manual_hold))
    if writer is None:
        return replace(history, applied=observation.replicas, hold=None)
    contender = _contender(writer, history)
    until = math.inf if contender.reverted >= _CONTESTED_AFTER else writer.time + policy.manual_hold
    return replace(
        history,
        hold=Hold(writer.manager, observation.replicas, writer.time, until),
        memory=replace(history.memory, contender=contender),
    )


def _contender(writer: ForeignWriter, history: History) -> Contender:
    """The manager that reverts our writes, and how often in a row."""
    memory = history.memory
    changed = memory.last_actions.changed
    known = memory.contender
    same = known if known.manager == writer.manager else Contender(writer.manager)
    if history.hold is not None:
        return same  # the number was not ours when it was changed
    if changed is None or writer.time > changed + _REVERT_WITHIN:
        return Contender()
    return replace(same, reverted=same.reverted + 1)
