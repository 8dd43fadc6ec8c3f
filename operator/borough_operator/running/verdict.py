"""One evaluation of a scaler: finds its target in the cache and calls `decide`."""

from collections.abc import Mapping

from borough_operator.decision.decide import decide, no_decision
from borough_operator.decision.model import Decision, Need, Observation, Reading, Reason
from borough_operator.kube import targets
from borough_operator.kube.spec import Scaler
from borough_operator.kube.targets import Workload
from borough_operator.running.registry import Entry, Registry


def evaluate(
    registry: Registry, entry: Entry, readings: Mapping[Need, Reading], now: float
) -> tuple[Decision, Observation | None]:
    """The decision, and the observation of the target: None where it is missing or unreadable."""
    scaler = entry.record.scaler
    if scaler is None:
        return no_decision(Reason.SPEC_INVALID, entry.record.refusal, entry.history), None
    workload = registry.workload(scaler.target)
    if (reason := _no_target(registry, scaler, workload)) is not None:
        return no_decision(*reason, entry.history), None
    assert workload is not None  # noqa: S101  # _no_target returned no reason
    observation = targets.observation(
        workload, registry.newest_replica_set(workload), readings, scaler.resume, now
    )
    return decide(scaler.policy, observation, entry.history, now), observation


def _no_target(
    registry: Registry, scaler: Scaler, workload: Workload | None
) -> tuple[Reason, str] | None:
    target = scaler.target
    what = f"{target.kind} {target.name}"
    if (first := registry.conflicting(scaler)) is not None:
        sentence = f"{what} is scaled by ServiceScaler {first[1]} already; use mode Advise"
        return Reason.SPEC_INVALID, sentence
    if sentence := registry.unreadable_reason(target):
        return Reason.TARGET_UNREADABLE, sentence
    if workload is None:
        return Reason.TARGET_MISSING, f"there is no {what} in namespace {target.namespace}"
    return None
