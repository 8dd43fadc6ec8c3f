"""The HorizontalPodAutoscaler beside us: its formula with its defaults, fed the same readings.

It scales a target of its own that is always as large as it last said, looks every 15 seconds as it
does, and knows nothing of latency goals, which it has no like of.
"""

from collections.abc import Sequence

from borough_operator.decision import hpa
from borough_operator.decision.memory import Shadow
from borough_operator.decision.model import Goal, GoalType, Policy, Proposal


def look(
    policy: Policy, proposals: Sequence[Proposal], replicas: int, shadow: Shadow, now: float
) -> Shadow:
    """What it would have by now; it begins with the target's own number."""
    goals = {goal.name: goal for goal in policy.goals if goal.type is not GoalType.LATENCY}
    if not goals or now - shadow.looked < hpa.PERIOD:
        return shadow
    size = shadow.replicas or replicas
    asked = [_proposed(goals[p.goal], p, size) for p in proposals if p.goal in goals]
    desired = hpa.largest(asked, size)
    bounds = hpa.Bounds(policy.min_replicas, policy.max_replicas)
    size, memory = hpa.normalize(
        size, size if desired is None else desired, shadow.memory, bounds, now
    )
    return Shadow(size, now, memory)


def _proposed(goal: Goal, proposal: Proposal, replicas: int) -> int | None:
    if proposal.replicas is None or proposal.value is None:
        return None
    return hpa.for_average_value(proposal.value, goal.per_replica, replicas)
