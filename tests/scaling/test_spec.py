"""Is a spec parsed as its schema defines it?"""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from borough_operator.decision.model import Behavior, Goal, GoalType, Mode, Policy
from borough_operator.kube.spec import RESUME, SpecInvalid, parse
from borough_operator.sources.protocol import Target

CRD = Path(__file__).parents[2] / "charts/borough-operator/files/servicescaler.yaml"

PLAIN: dict[str, Any] = {
    "metadata": {"namespace": "shop", "name": "payments", "uid": "u-1", "generation": 3},
    "spec": {
        "targetRef": {"kind": "Deployment", "name": "pay"},
        "replicas": {"max": 20},
        "goals": [{"type": "RequestRate", "perReplica": "50"}],
    },
}


def changed(**spec: Any) -> dict[str, Any]:
    obj = copy.deepcopy(PLAIN)
    obj["spec"] |= spec
    return obj


def annotated(text: str) -> dict[str, Any]:
    obj = copy.deepcopy(PLAIN)
    obj["metadata"]["annotations"] = {RESUME: text}
    return obj


def test_missing_fields_have_the_defaults_of_the_model() -> None:
    """A minimal spec is the default policy."""
    scaler = parse(PLAIN)
    goal = Goal("RequestRate", GoalType.RATE, per_replica=50.0)
    plain = Policy(goals=(goal,), max_replicas=20, source="Prometheus metrics /metrics")
    assert scaler.policy == plain
    assert scaler.target == Target("shop", "Deployment", "pay")
    assert (scaler.uid, scaler.generation, scaler.resume) == ("u-1", 3, None)
    assert (scaler.source, scaler.port, scaler.path) == ("Prometheus", "metrics", "/metrics")


def test_schema_and_model_have_the_same_defaults() -> None:
    """An object with the schema's defaults filled in is parsed as one without."""
    assert parse(changed(**_filled())) == parse(PLAIN)


def _filled() -> dict[str, Any]:
    definition = yaml.safe_load(CRD.read_text("utf-8"))
    (version,) = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    names = ("mode", "behavior", "manualHold", "source")
    return {name: _default(spec[name]) for name in names}


def _default(schema: dict[str, Any]) -> Any:
    if "properties" not in schema:
        return schema["default"]
    return {name: _default(field) for name, field in schema["properties"].items()}


def test_every_field_is_parsed() -> None:
    """Durations as seconds, quantities as numbers."""
    scaler = parse(
        changed(
            mode="Advise",
            replicas={"min": 2, "max": 9},
            behavior={
                "interval": "1500ms",
                "tolerance": {"up": "0.2", "down": "0"},
                "down": {"window": "1m30s", "maxPercent": 50},
                "reversalsPerHour": 4,
            },
            manualHold="2h",
            source={"type": "Pods", "port": 9090, "path": "/m"},
        )
    )
    assert scaler.policy.mode is Mode.ADVISE
    assert (scaler.policy.min_replicas, scaler.policy.max_replicas) == (2, 9)
    assert scaler.policy.behavior == Behavior(1.5, 0.2, 0.0, 90.0, 50.0, 4)
    assert scaler.policy.manual_hold == 7200.0
    assert (scaler.source, scaler.port, scaler.path) == ("Pods", "9090", "/m")


def test_every_type_of_goal_is_parsed() -> None:
    """With the fields of its type; a number may be written as one."""
    latency = {"type": "Latency", "quantile": "0.95", "objective": "250ms"}
    query = {"type": "Query", "promql": "sum(x)", "perReplica": "0.5", "empty": "Zero"}
    goals = parse(changed(goals=[{"type": "InFlight", "perReplica": 8}, latency, query]))
    assert goals.policy.goals == (
        Goal("InFlight", GoalType.IN_FLIGHT, per_replica=8.0),
        Goal("Latency", GoalType.LATENCY, quantile="0.95", objective=0.25),
        Goal("Query", GoalType.QUERY, per_replica=0.5, promql="sum(x)", empty_is_zero=True),
    )


def test_goals_of_one_type_are_numbered() -> None:
    """A name is unique in its policy, and stable while the list is."""
    queries = [{"type": "Query", "promql": p, "perReplica": "1"} for p in ("a", "b")]
    names = [goal.name for goal in parse(changed(goals=queries)).policy.goals]
    assert names == ["Query-1", "Query-2"]


@pytest.mark.parametrize("text", ["2026-11-23T08:30:00Z", "2026-11-23T09:30:00+01:00"])
def test_resume_annotation_is_a_time(text: str) -> None:
    """In RFC 3339, with any zone."""
    assert parse(annotated(text)).resume == 1795422600.0


REFUSED: dict[str, dict[str, Any]] = {
    "the spec lacks targetRef": {"targetRef": None},
    "replicas.min 9 must be from 1 to replicas.max 2": {"replicas": {"min": 9, "max": 2}},
    "replicas.min 0 must be from 1": {"replicas": {"min": 0, "max": 2}},
    "no goals": {"goals": []},
    "'Magic' is not a valid GoalType": {"goals": [{"type": "Magic", "perReplica": "1"}]},
    "perReplica of goal InFlight is '0'": {"goals": [{"type": "InFlight", "perReplica": "0"}]},
    "could not convert": {"goals": [{"type": "InFlight", "perReplica": "many"}]},
    "'5' is not a duration such as 250ms": {"manualHold": "5"},
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_spec_accepted_by_an_older_schema_is_refused_with_a_sentence(sentence: str) -> None:
    """It becomes a condition and never another exception."""
    obj = changed(**REFUSED[sentence])
    if obj["spec"]["targetRef"] is None:
        del obj["spec"]["targetRef"]
    with pytest.raises(SpecInvalid, match=re.escape(sentence)):
        parse(obj)


@pytest.mark.parametrize("text", ["now", "2026-11-23", "2026-11-23T08:30:00", ""])
def test_invalid_resume_annotation_is_refused_by_name(text: str) -> None:
    """The status says why the hold does not end."""
    with pytest.raises(
        SpecInvalid, match=r"the annotation borough\.dev/resume: .* is not an RFC 3339"
    ):
        parse(annotated(text))
