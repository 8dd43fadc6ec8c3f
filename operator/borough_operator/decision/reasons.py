"""What each reason means, as a sentence for the documentation, and the reason of each unusable
reading.

The message of a decision has the numbers of its case (`message.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from borough_operator.decision.model import Freshness, Reason

MEANING: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.STEADY: "The demand of the goals is within the tolerances of the present number.",
        Reason.SCALED_UP: "The largest proposal is above the present number.",
        Reason.SCALED_DOWN: "All goals needed fewer for a whole window: a step was removed.",
        Reason.AT_MAX: "The goals ask for more than `replicas.max`, or there are more.",
        Reason.AT_MIN: "The goals ask for less than `replicas.min`.",
        Reason.WINDOW: "Fewer are enough, but not for a whole window yet, or since a step.",
        Reason.REVERSALS: "Fewer are enough, but the direction changed too often within the hour.",
        Reason.AWAITING_READY: "Replicas that were added before have to be ready first.",
        Reason.ROLLOUT: "Fewer are enough, but nothing is removed during a rollout.",
        Reason.ROLLOUT_FAILING: "The newest version does not become ready: nothing is changed.",
        Reason.SATURATED: "Two raises did not reduce the latency: the bottleneck is elsewhere.",
        Reason.METRICS_STALE: "The newest reading of a goal is too old: nothing is removed.",
        Reason.METRICS_EMPTY: "The source has no series of the target: nothing is removed.",
        Reason.METRICS_ERROR: "The source failed, or readings contradict: nothing is removed.",
        Reason.MANUAL_HOLD: "Another manager set the number: it is left alone for `manualHold`.",
        Reason.CONTESTED: "Another controller reverts our changes: no more are made.",
        Reason.SCALED_TO_ZERO: "The target was scaled to 0: it stays there until scaled up.",
        Reason.PAUSED: "The scaler's mode is `Paused`.",
        Reason.TARGET_MISSING: "There is no target of this kind and name.",
        Reason.TARGET_UNREADABLE: "The target could not be read, or its scaling was refused.",
        Reason.SPEC_INVALID: "The spec is invalid.",
    }
)
DOUBTS: Mapping[Freshness, Reason] = MappingProxyType(
    {
        Freshness.ERROR: Reason.METRICS_ERROR,
        Freshness.EMPTY: Reason.METRICS_EMPTY,
        Freshness.STALE: Reason.METRICS_STALE,
    }
)
"""The reason of a reading that is not fresh, the worst first."""
