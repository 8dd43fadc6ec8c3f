"""Are exactly the metrics of signals.py exposed, in Prometheus's format?"""

import asyncio
from collections import defaultdict
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from borough_operator.decision.model import Decision, History, Reason
from borough_operator.running import signals
from borough_operator.running.registry import DEPLOYMENTS
from borough_operator.running.telemetry import Telemetry
from collector import Collector
from scaling.stage import SHOP, START, Stage
from scaling.virtual import run_virtually

WITHOUT_SCALERS = {"process", "python"}
"""Prefixes of the libraries' metrics."""


def deployment(name: str, version: int) -> dict[str, Any]:
    meta = {"namespace": SHOP, "name": name, "uid": name, "resourceVersion": str(version)}
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": {}}}}


async def exposed(stage: Stage) -> dict[str, Metric]:
    text = b"".join([page async for page in stage.telemetry.exposition()]).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_exactly_the_declared_metrics_are_exposed() -> None:
    """With the names, kinds and labels of signals.py, from which the dashboard is built."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        stage.telemetry.api_request("patch", "deployments/scale", "200")
        await stage.play(7.0)
        families = await exposed(stage)
        labels: dict[str, set[str]] = defaultdict(set)
        for name, family in families.items():
            for sample in family.samples:
                labels[name] |= sample.labels.keys() - {"le"}
        ours = {name for name in families if name.split("_")[0] not in WITHOUT_SCALERS}
        declared = {(s.series if s.kind == "info" else s.name): set(s.labels) for s in signals.ALL}
        assert {name: labels[name] for name in ours} == declared

    run_virtually(scenario())


def test_series_match_the_last_decision() -> None:
    """Numbers, reason and goals of a scaler."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay", rate=400.0)
        await stage.play(2.0)
        families, decision = await exposed(stage), stage.entry("pay").decision
        assert decision is not None

        def value(signal: signals.Signal, **labels: str) -> float:
            wanted = {"namespace": SHOP, "scaler": "pay"} | labels
            (sample,) = (s for s in families[signal.name].samples if s.labels == wanted)
            return sample.value

        assert value(signals.DESIRED) == decision.replicas
        assert value(signals.CURRENT) == stage.replicas("pay")
        assert value(signals.REASON, reason=decision.reason) == 1
        assert value(signals.GOAL_VALUE, goal="RequestRate") == 400
        assert value(signals.GOAL_FRESHNESS, goal="RequestRate", freshness="fresh") == 1
        assert value(signals.CHANGES, direction="up") == 1
        assert value(signals.CHANGES, direction="down") == 0

    run_virtually(scenario())


def test_deleted_scaler_has_no_series() -> None:
    """Series are not stored."""

    async def scenario() -> None:
        stage = Stage()
        stage.add("pay")
        await stage.play(2.0)
        stage.remove("pay")
        families = await exposed(stage)
        assert not [f for f in families.values() for s in f.samples if "scaler" in s.labels]

    run_virtually(scenario())


async def test_change_is_one_span_with_its_attributes() -> None:
    """Scaler, target, reason, numbers and goal, exported before the process ends."""
    async with Collector() as collector:
        stage = Stage()
        stage.add("pay")
        scaler = stage.entry("pay").record.scaler
        assert scaler is not None
        telemetry = Telemetry(stage.registry, lambda: START + 2.5, collector.url)
        decision = Decision(7, Reason.SCALED_UP, "", History(), binding="RequestRate")
        telemetry.scaled(scaler, decision, before=2, began=START)
        await asyncio.to_thread(telemetry.close)
        (span,) = collector.spans
    assert span.name == "scale shop/pay"
    assert (span.start_ns, span.end_ns) == (int(START * 1e9), int((START + 2.5) * 1e9))
    assert span.resource["service.name"] == signals.SERVICE
    assert span.attributes == {
        signals.SPAN_SCALER: "shop/pay",
        signals.SPAN_TARGET: "Deployment/pay",
        signals.SPAN_REASON: "ScaledUp",
        signals.SPAN_BEFORE: 2,
        signals.SPAN_AFTER: 7,
        signals.SPAN_GOAL: "RequestRate",
    }


def test_watch_lag_grows_until_a_listed_object_is_delivered() -> None:
    """It is 0 in a quiet cluster, however long that lasts."""

    async def scenario() -> None:
        stage = Stage()
        deployments = stage.registry.watched[DEPLOYMENTS]
        deployments.watch_started(START)

        async def lag() -> float:
            samples = (await exposed(stage))[signals.WATCH_LAG.name].samples
            return {s.labels["resource"]: s.value for s in samples}[DEPLOYMENTS]

        stage.target("pay", 2)
        await asyncio.sleep(9000.0)
        assert await lag() == 0.0
        deployments.listed(deployment("new", 1), stage.now())
        await asyncio.sleep(60.0)
        assert await lag() == 60.0
        deployments.updated(deployment("new", 1))
        assert await lag() == 0.0

    run_virtually(scenario())


def test_every_reason_is_counted_from_zero() -> None:
    """So that a rate shows the first one."""

    async def scenario() -> None:
        families = await exposed(Stage())
        counted = {s.labels["reason"]: s.value for s in families[signals.DECISIONS.name].samples}
        assert counted == dict.fromkeys(map(str, Reason), 0.0)

    run_virtually(scenario())
