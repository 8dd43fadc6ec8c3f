"""A simulated HorizontalPodAutoscaler: its formula with its defaults, fed the same readings.

It scales a simulated target of its own, is evaluated every 15 seconds, and ignores latency goals,
for which the HPA has no equivalent.
"""

from collections.abc import Sequence

from borough_operator.decision import hpa
from borough_operator.decision.memory import Shadow
from borough_operator.decision.model import Goal, GoalType, Policy, Proposal


def update(
    policy: Policy, proposals: Sequence[Proposal], replicas: int, shadow: Shadow, now: float
) -> Shadow:
    """Its state after these proposals; its size starts with the target's number."""
    goals = {goal.name: goal for goal in policy.goals if goal.type is not GoalType.LATENCY}
    if not goals or now - shadow.evaluated < hpa.PERIOD:
        return shadow
    size = shadow.replicas or replicas
    proposed = [_proposal(goals[p.goal], p, size) for p in proposals if p.goal in goals]
    desired = hpa.largest(proposed, size)
    bounds = hpa.Bounds(policy.min_replicas, policy.max_replicas)
    size, memory = hpa.normalize(
        size, size if desired is None else desired, shadow.memory, bounds, now
    )
    return Shadow(size, now, memory)


def _proposal(goal: Goal, proposal: Proposal, replicas: int) -> int | None:
    if proposal.replicas is None or proposal.value is None:
        return None
    return hpa.for_average_value(proposal.value, goal.per_replica, replicas)
