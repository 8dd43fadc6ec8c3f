"""Whether the target is somebody else's for now: paused, at zero, held by a person, or contested.

A change is foreign where the number differs from the one this operator gave and somebody else is
named as its writer. It is left alone for a while. Another controller that undoes our writes time
and again is left alone for good, until the annotation, or somebody else's number, ends it.
"""

import math
from dataclasses import dataclass, replace

from borough_operator.decision.memory import Rival
from borough_operator.decision.model import History, Hold, Mode, Observation, Policy, Reason, Writer
from borough_operator.moments import text_of

_FLIPS = 3
"""Writes undone by the same manager that make it a contest."""
_AT_ONCE = 300.0
"""Seconds after a write of ours within which its undoing counts: a person rarely is so quick, and
a controller that repairs drift looks every three minutes or more often."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Why another owner has the number of replicas."""

    reason: Reason
    message: str


def check(
    policy: Policy, observation: Observation, history: History, now: float
) -> tuple[NotOurs | None, History]:
    """Why the target is not ours, None if it is; and what is known of who gave it its number."""
    if policy.mode is Mode.PAUSED:
        return NotOurs(Reason.PAUSED, "The scaler is paused: no answer is asked for."), history
    if observation.replicas == 0:
        message = "The target was scaled to 0 and stays there until somebody scales it up."
        return NotOurs(Reason.SCALED_TO_ZERO, message), replace(history, hold=None)
    if policy.mode is Mode.ADVISE:
        # Advice owns no number, so there is none that anybody could change.
        return None, replace(history, applied=None, hold=None)
    history = _noticed(policy, observation, history)
    hold = history.hold
    if hold is None:
        return None, history
    if now >= hold.until or (observation.resume is not None and hold.since <= observation.resume):
        return None, _released(hold, observation, history)
    return _held(hold), history


def _released(hold: Hold, observation: Observation, history: History) -> History:
    """The number is ours again, as it is; a contest is forgotten."""
    rival = Rival() if hold.until == math.inf else history.memory.rival
    memory = replace(history.memory, rival=rival)
    return replace(history, applied=observation.replicas, hold=None, memory=memory)


def _held(hold: Hold) -> NotOurs:
    if hold.until < math.inf:
        message = (
            f"{hold.manager} set {hold.replicas} replicas at {text_of(hold.since)}: "
            f"held until {text_of(math.ceil(hold.until))}."
        )
        return NotOurs(Reason.MANUAL_HOLD, message)
    message = (
        f"{hold.manager} undid {_FLIPS} changes in a row and keeps {hold.replicas} replicas: "
        "nothing is changed until the annotation borough.dev/resume, or another manager's number."
    )
    return NotOurs(Reason.CONTESTED, message)


def _noticed(policy: Policy, observation: Observation, history: History) -> History:
    """With the hold that a foreign change begins, or the number that is adopted."""
    hold, writer = history.hold, observation.writer
    if history.applied is None:
        return replace(history, applied=observation.replicas)
    expected = history.applied if hold is None else hold.replicas
    if observation.replicas == expected:
        if hold is None or hold.until == math.inf:
            return history
        # The hold's length is the policy's, which may have changed since it began.
        return replace(history, hold=replace(hold, until=hold.since + policy.manual_hold))
    if writer is None:
        return replace(history, applied=observation.replicas, hold=None)
    rival = _rival(writer, history)
    until = math.inf if rival.flips >= _FLIPS else writer.time + policy.manual_hold
    return replace(
        history,
        hold=Hold(writer.manager, observation.replicas, writer.time, until),
        memory=replace(history.memory, rival=rival),
    )


def _rival(writer: Writer, history: History) -> Rival:
    """Who undoes our writes, and how often in a row."""
    memory = history.memory
    changed = memory.last_actions.changed
    same = memory.rival if memory.rival.manager == writer.manager else Rival(writer.manager)
    if history.hold is not None:
        return same  # it changes a number that was not ours
    if changed is None or writer.time > changed + _AT_ONCE:
        return Rival()
    return replace(same, flips=same.flips + 1)
