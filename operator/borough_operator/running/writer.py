"""What follows from a decision: the target's number, the scaler's status, an Event, a span.

A number goes out at once, its status next, its Event last. Any other status goes out when it says
something new, and only so many in a second: it waits for the scaler's next turn otherwise, by when
it may say something else.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from borough_operator.decision.decide import impossible, unwritten
from borough_operator.decision.model import Decision, History, Observation, Reason
from borough_operator.kube import status
from borough_operator.kube.api import Conflict, Refused
from borough_operator.kube.cluster import Cluster
from borough_operator.kube.events import Events, Subject
from borough_operator.kube.spec import Scaler
from borough_operator.kube.targets import Workload
from borough_operator.running.registry import Entry, Registry
from borough_operator.running.telemetry import Telemetry

STATUSES_A_SECOND, STATUSES_AT_ONCE = 100.0, 100.0
"""Ten thousand new scalers have their first status within minutes, and nobody else notices."""
UNDER_WAY = 16
"""Statuses that wait for their answer; who grants more to a slow API server saves up a storm."""

_log = structlog.get_logger()


class Budget:
    """A token bucket: so many writes a second, and a few at once after a rest.

    What is refused is not queued. What asks works from the present state and asks again at its next
    turn, so that what is written late is never what was true early. Pure: time is an argument.
    """

    def __init__(self, per_second: float, at_once: float) -> None:
        self._rate = per_second
        self._most = at_once
        self._left = at_once
        self._since: float | None = None

    def grants(self, now: float) -> bool:
        """Whether one more may be written now."""
        elapsed = 0.0 if self._since is None else max(0.0, now - self._since)
        self._left = min(self._most, self._left + elapsed * self._rate)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Writer:
    """Writes for all scalers of a registry."""

    def __init__(
        self,
        registry: Registry,
        cluster: Cluster,
        events: Events,
        telemetry: Telemetry,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._cluster = cluster
        self._events = events
        self._telemetry = telemetry
        self._clock = clock
        self._telling = 0
        self._budget = Budget(STATUSES_A_SECOND, STATUSES_AT_ONCE)

    def todo(
        self, entry: Entry, observation: Observation | None, before: History
    ) -> Coroutine[Any, Any, None] | None:
        """What is to be written after its last decision, which found `before` remembered; None
        where nothing is, or the budget is spent.
        """
        scaler, decision = entry.wanted.scaler, entry.decision
        if decision is None:
            return None
        if decision.write and scaler is not None and observation is not None:
            workload = self._registry.workload(scaler.target)
            if workload is not None:
                return self._scale(entry, scaler, workload, observation, before)
        report = self._report(entry, observation)
        if report is None or self._telling >= UNDER_WAY or not self._budget.grants(self._clock()):
            return None
        return self._tell(entry, report)

    async def _scale(
        self,
        entry: Entry,
        scaler: Scaler,
        workload: Workload,
        observation: Observation,
        before: History,
    ) -> None:
        began, decision = self._clock(), entry.decision
        assert decision is not None  # noqa: S101  # `todo` has looked
        try:
            version = await self._cluster.scale(
                scaler.target,
                decision.replicas,
                seen=workload.replicas,
                uid=workload.uid,
                resource_version=workload.resource_version,
            )
        except Conflict:  # somebody was faster: the next turn sees what is there by then
            entry.history = unwritten(decision, before)
            return
        except Refused as refusal:
            history = unwritten(decision, before)
            entry.history = history
            entry.decision = impossible(Reason.TARGET_UNREADABLE, str(refusal), history)
            _log.warning("a target was not scaled", scaler=_name(scaler), why=str(refusal))
            await self._tell_news(entry, observation)
        except Exception:
            entry.history = unwritten(decision, before)  # or our own number would look foreign
            raise
        else:
            given = replace(
                workload,
                replicas=decision.replicas,
                manager="",
                written=None,
                resource_version=version,
            )
            self._registry.scaled(scaler.target, given)
            self._count(entry, scaler, decision, workload.replicas, began)
            observation = replace(observation, replicas=decision.replicas, writer=None)
            await self._tell_news(entry, observation)
            await self._announce(scaler, decision, workload.replicas)

    def _count(
        self, entry: Entry, scaler: Scaler, decision: Decision, before: int, began: float
    ) -> None:
        after = decision.replicas
        entry.tally.changed(before, after)
        self._telemetry.changed(scaler, decision, before, began)
        _log.info(
            "scaled",
            scaler=_name(scaler),
            target=f"{scaler.target.kind}/{scaler.target.name}",
            before=before,
            after=after,
            reason=decision.reason,
            why=decision.message,
        )

    async def _announce(self, scaler: Scaler, decision: Decision, before: int) -> None:
        subject = Subject(scaler.namespace, scaler.name, scaler.uid)
        sentence = f"{before} -> {decision.replicas} replicas. {decision.message}"
        await self._events.tell(subject, "Normal", decision.reason, sentence)

    def _report(self, entry: Entry, observation: Observation | None) -> dict[str, Any] | None:
        """Its status, where that is news."""
        assert entry.decision is not None  # noqa: S101  # `todo` has looked
        previous = json.loads(entry.wanted.status)
        scaler = entry.wanted.scaler
        report = status.render(
            entry.decision,
            generation=entry.wanted.generation,
            mode="" if scaler is None else scaler.policy.mode,
            observation=observation,
            previous=previous,
            now=self._clock(),
        )
        entry.conditions = {
            condition["type"]: condition["status"] == "True"
            for condition in report["conditions"]
            if condition["status"] != "Unknown"
        }
        return None if status.same(previous, report) else report

    async def _tell_news(self, entry: Entry, observation: Observation) -> None:
        report = self._report(entry, observation)
        if report is not None:
            await self._tell(entry, report)

    async def _tell(self, entry: Entry, report: dict[str, Any]) -> None:
        namespace, name = entry.wanted.name
        self._telling += 1
        try:
            scaler = await self._cluster.write_status(namespace, name, entry.wanted.uid, report)
        except Refused as refusal:  # the next turn says it again, if it still is so
            _log.debug("a status was not written", scaler=f"{namespace}/{name}", why=str(refusal))
        else:
            self._registry.reported(scaler)
        finally:
            self._telling -= 1


def _name(scaler: Scaler) -> str:
    return f"{scaler.namespace}/{scaler.name}"
