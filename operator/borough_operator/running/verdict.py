"""The decision about one scaler as the cluster stands: is there a target, and what does `decide`
say of it.
"""

from collections.abc import Mapping

from borough_operator.decision.decide import decide, no_decision
from borough_operator.decision.model import Decision, Need, Observation, Reading, Reason
from borough_operator.kube import targets
from borough_operator.kube.spec import Scaler
from borough_operator.kube.targets import Workload
from borough_operator.running.registry import Entry, Registry


def verdict(
    registry: Registry, entry: Entry, readings: Mapping[Need, Reading], now: float
) -> tuple[Decision, Observation | None]:
    """What is to be done about it and why, and what was seen of its target: None where that could
    not be.
    """
    scaler = entry.wanted.scaler
    if scaler is None:
        return no_decision(Reason.SPEC_INVALID, entry.wanted.refusal, entry.history), None
    workload = registry.workload(scaler.target)
    if (reason := _no_target(registry, scaler, workload)) is not None:
        return no_decision(*reason, entry.history), None
    assert workload is not None  # noqa: S101  # or else there was a reason
    observation = targets.observation(
        workload, registry.newest(workload), readings, scaler.resume, now
    )
    return decide(scaler.policy, observation, entry.history, now), observation


def _no_target(
    registry: Registry, scaler: Scaler, workload: Workload | None
) -> tuple[Reason, str] | None:
    target = scaler.target
    what = f"{target.kind} {target.name}"
    if (rival := registry.rival(scaler)) is not None:
        sentence = f"{what} is scaled by ServiceScaler {rival[1]} already; a second one may advise"
        return Reason.SPEC_INVALID, sentence
    if sentence := registry.why_unreadable(target):
        return Reason.TARGET_UNREADABLE, sentence
    if workload is None:
        return Reason.TARGET_MISSING, f"there is no {what} in namespace {target.namespace}"
    return None
