"""What each reason means, a sentence for the documentation, and why a reading is doubted.

The message of a decision has the numbers of its case (`message.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from borough_operator.decision.model import Freshness, Reason

MEANING: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.STEADY: "What the goals ask for is within the tolerances of what there is.",
        Reason.SCALED_UP: "The goal that asks for most needs more replicas than there are.",
        Reason.SCALED_DOWN: "All goals needed fewer replicas for a whole window: a step is taken.",
        Reason.AT_MAX: "The goals ask for more than `replicas.max`, or there is more than it.",
        Reason.AT_MIN: "The goals ask for less than `replicas.min`.",
        Reason.WINDOW: "Fewer would do, but not for a whole window yet, or a step was just taken.",
        Reason.REVERSALS: "Fewer would do, but the direction changed too often within the hour.",
        Reason.AWAITING_READY: "Replicas that were asked for have to be ready first.",
        Reason.ROLLOUT: "Fewer would do, but nothing is removed during a rollout.",
        Reason.ROLLOUT_FAILING: "The newest version does not become ready: nothing is changed.",
        Reason.SATURATED: "Two raises did not bring the latency down: the bottleneck is elsewhere.",
        Reason.METRICS_STALE: "The newest reading of a goal is too old: nothing is removed.",
        Reason.METRICS_EMPTY: "The source does not know the target: nothing is removed.",
        Reason.METRICS_ERROR: "The source failed, or cannot be right: nothing is removed.",
        Reason.MANUAL_HOLD: "Somebody else set the number: it is left alone for `manualHold`.",
        Reason.CONTESTED: "Another controller undoes our changes: none is made until it is ended.",
        Reason.SCALED_TO_ZERO: "Somebody scaled the target to 0: it stays there until they end it.",
        Reason.PAUSED: "The scaler's mode is `Paused`.",
        Reason.TARGET_MISSING: "There is no target of this kind and name.",
        Reason.TARGET_UNREADABLE: "The target could not be read, or refuses to be scaled.",
        Reason.SPEC_INVALID: "The spec asks for something that cannot be.",
    }
)
DOUBTS: Mapping[Freshness, Reason] = MappingProxyType(
    {
        Freshness.ERROR: Reason.METRICS_ERROR,
        Freshness.EMPTY: Reason.METRICS_EMPTY,
        Freshness.STALE: Reason.METRICS_STALE,
    }
)
"""What a reading that is not fresh is called, the worst first."""
