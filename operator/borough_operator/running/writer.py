"""The writes after a decision: the target's number, the scaler's status, an Event, a span.

A new number is written at once, then the status, then the Event. Any other status is written when
it changed significantly and the rate limit allows; otherwise at a later evaluation, from the state
at that time.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import structlog

from borough_operator.decision.decide import no_decision, unwritten
from borough_operator.decision.model import Decision, History, Observation, Reason
from borough_operator.kube import status
from borough_operator.kube.api import Conflict, Refused
from borough_operator.kube.cluster import Cluster, Events, Subject
from borough_operator.kube.spec import Scaler
from borough_operator.kube.targets import Workload
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.telemetry import Telemetry

STATUSES_PER_SECOND, STATUS_BURST = 100.0, 100.0
"""Ten thousand new scalers have their first status within minutes, at a low load."""
MAX_IN_FLIGHT = 16
"""Maximum concurrent status writes, so that they do not pile up at a slow API server."""

_log = structlog.get_logger()


class TokenBucket:
    """Limits the rate of writes: `per_second` tokens per second, and `burst` at most saved up.

    A refused write is not queued: it is decided again at the scaler's next evaluation, so that an
    old state is never written late. Pure: time is an argument.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._rate = per_second
        self._burst = burst
        self._left = burst
        self._since: float | None = None

    def take(self, now: float) -> bool:
        """Take a token; False where none is left."""
        elapsed = 0.0 if self._since is None else max(0.0, now - self._since)
        self._left = min(self._burst, self._left + elapsed * self._rate)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


@dataclass(eq=False)
class Writer:
    registry: Registry
    cluster: Cluster
    events: Events
    telemetry: Telemetry
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._in_flight = 0
        self._status_limit = TokenBucket(STATUSES_PER_SECOND, STATUS_BURST)

    def pending_write(
        self, entry: Entry, observation: Observation | None, before: History
    ) -> Coroutine[Any, Any, None] | None:
        """The write after the last decision, None where there is none or the rate limit is reached.

        `before` is the history that the decision found.
        """
        scaler, decision = entry.record.scaler, entry.decision
        if decision is None:
            return None
        if decision.write and scaler is not None and observation is not None:
            workload = self.registry.workload(scaler.target)
            if workload is not None:
                return self._scale(entry, scaler, workload, observation, before)
        changed = self._changed_status(entry, observation)
        full = self._in_flight >= MAX_IN_FLIGHT
        if changed is None or full or not self._status_limit.take(self.clock()):
            return None
        return self._write_status(entry, changed)

    async def _scale(
        self,
        entry: Entry,
        scaler: Scaler,
        workload: Workload,
        observation: Observation,
        before: History,
    ) -> None:
        began, decision = self.clock(), entry.decision
        assert decision is not None  # noqa: S101  # `pending_write` checked
        try:
            version = await self.cluster.scale(
                scaler.target,
                decision.replicas,
                seen=workload.replicas,
                uid=workload.uid,
                resource_version=workload.resource_version,
            )
        except Conflict:  # the target changed meanwhile: the next evaluation sees it
            entry.history = unwritten(decision, before)
            return
        except Refused as refusal:
            history = unwritten(decision, before)
            entry.history = history
            entry.decision = no_decision(Reason.TARGET_UNREADABLE, str(refusal), history)
            _log.warning("a target was not scaled", scaler=_name(scaler), why=str(refusal))
            await self._write_changed_status(entry, observation)
        except Exception:
            # otherwise our own write could be taken for a manual change
            entry.history = unwritten(decision, before)
            raise
        else:
            unowned = replace(workload, replicas=decision.replicas, manager="", written=None)
            self.registry.scaled(scaler.target, replace(unowned, resource_version=version))
            self._record(entry, scaler, decision, workload.replicas, began)
            observation = replace(observation, replicas=decision.replicas, writer=None)
            await self._write_changed_status(entry, observation)
            text = f"{workload.replicas} -> {decision.replicas} replicas. {decision.message}"
            subject = Subject(scaler.namespace, scaler.name, scaler.uid)
            await self.events.emit(subject, "Normal", decision.reason, text)

    def _record(
        self, entry: Entry, scaler: Scaler, decision: Decision, before: int, began: float
    ) -> None:
        entry.tally.add_change(before, decision.replicas)
        self.telemetry.scaled(scaler, decision, before, began)
        target = f"{scaler.target.kind}/{scaler.target.name}"
        _log.info(
            "scaled", scaler=_name(scaler), target=target, before=before, after=decision.replicas,
            reason=decision.reason, why=decision.message,
        )  # fmt: skip  # one line of the log

    def _changed_status(self, entry: Entry, seen: Observation | None) -> dict[str, Any] | None:
        """Its status, where it must be written."""
        assert entry.decision is not None  # noqa: S101  # `pending_write` checked
        previous = json.loads(entry.record.status)
        scaler = entry.record.scaler
        changed = status.render(
            entry.decision,
            generation=entry.record.generation,
            mode="" if scaler is None else scaler.policy.mode,
            observation=seen,
            previous=previous,
            now=self.clock(),
        )
        entry.conditions = {
            condition["type"]: condition["status"] == "True"
            for condition in changed["conditions"]
            if condition["status"] != "Unknown"
        }
        return None if status.unchanged(previous, changed) else changed

    async def _write_changed_status(self, entry: Entry, observation: Observation) -> None:
        changed = self._changed_status(entry, observation)
        if changed is not None:
            await self._write_status(entry, changed)

    async def _write_status(self, entry: Entry, changed: dict[str, Any]) -> None:
        namespace, name = entry.record.name
        self._in_flight += 1
        try:
            scaler = await self.cluster.write_status(namespace, name, entry.record.uid, changed)
        except Refused as refusal:  # the next evaluation writes it again
            _log.debug("a status was not written", scaler=f"{namespace}/{name}", why=str(refusal))
        else:
            self.registry.status_written(scaler)
        finally:
            self._in_flight -= 1


def _name(scaler: Scaler) -> str:
    return f"{scaler.namespace}/{scaler.name}"
