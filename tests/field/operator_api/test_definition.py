"""Does the API server accept valid ServiceScalers, and refuse others with a sentence?"""

from typing import Any

import pytest

from borough_operator.kube.spec import parse
from operator_api.apiserver import Refused
from operator_api.objects import Namespace, scaler

LATENCY = {"type": "Latency", "quantile": "0.95", "objective": "250ms"}
QUERY = {"type": "Query", "promql": "sum(jobs)", "perReplica": 10}
RATE = {"type": "RequestRate", "perReplica": "50"}

GOOD: dict[str, dict[str, Any]] = {
    "plain": {},
    "every form": {"goals": [RATE, {"type": "InFlight", "perReplica": "0.5"}, LATENCY, QUERY]},
    "two quantiles": {"goals": [LATENCY, {**LATENCY, "quantile": "0.5"}]},
    "two queries": {"goals": [QUERY, {**QUERY, "promql": "sum(other)", "empty": "Zero"}]},
    "pods": {"source": {"type": "Pods", "port": 9090, "path": "/stats"}},
    "a port's name": {"source": {"type": "Pods", "port": "http-8080"}},
    "durations": {"behavior": {"interval": "1500ms", "down": {"window": "1m30s"}}},
    "bounds": {"replicas": {"min": 3, "max": 3}, "manualHold": "0s", "mode": "Paused"},
}

BAD: dict[str, dict[str, Any]] = {
    "replicas.min must not be greater than replicas.max": {"replicas": {"min": 3, "max": 2}},
    "spec.replicas.min in body should be greater than or equal to 1": {
        "replicas": {"min": 0, "max": 2}
    },
    "spec.replicas.max: Required value": {"replicas": {"min": 1}},
    'supported values: "Auto", "Advise", "Paused"': {"mode": "On"},
    'supported values: "Deployment", "StatefulSet"': {"targetRef": {"kind": "Job", "name": "x"}},
    "spec.goals in body should have at least 1 items": {"goals": []},
    "this goal needs perReplica": {"goals": [{"type": "InFlight"}]},
    "a Latency goal needs quantile and objective": {
        "goals": [{"type": "Latency", "quantile": "0.9"}]
    },
    "perReplica does not belong to a Latency goal": {"goals": [{**LATENCY, "perReplica": 1}]},
    "quantile and objective belong to a Latency goal only": {
        "goals": [{**RATE, "quantile": "0.9"}]
    },
    "a Query goal needs promql": {"goals": [{"type": "Query", "perReplica": 1}]},
    "promql and empty belong to a Query goal only": {"goals": [{**RATE, "empty": "Zero"}]},
    "no two goals may be alike": {"goals": [RATE, {**RATE, "perReplica": 60}]},
    "pods cannot answer PromQL": {"goals": [QUERY], "source": {"type": "Pods"}},
    "perReplica must be a number greater than 0": {"goals": [{**RATE, "perReplica": "0"}]},
    "quantile must lie between 0 and 1": {"goals": [{**LATENCY, "quantile": "95"}]},
    "objective must be a duration from 1ms to 10m": {"goals": [{**LATENCY, "objective": "1"}]},
    "interval must be a duration from 1s to 10m": {"behavior": {"interval": "100ms"}},
    "window must be a duration from 1s to 24h": {"behavior": {"down": {"window": "30h"}}},
    "window must not be shorter than behavior.interval": {
        "behavior": {"interval": "30s", "down": {"window": "20s"}}
    },
    "a tolerance must be a share from 0 to 1": {"behavior": {"tolerance": {"up": "5%"}}},
    "maxPercent in body should be less than or equal to 100": {
        "behavior": {"down": {"maxPercent": 101}}
    },
    "manualHold must be a duration from 0s to 168h": {"manualHold": "169h"},
    "port must be the name of a container's port": {"source": {"port": 70000}},
    "path must begin with a slash": {"source": {"path": "metrics"}},
}


@pytest.mark.parametrize("case", GOOD)
def test_valid_object_is_accepted_and_parsed(namespace: Namespace, case: str) -> None:
    """The operator can parse what the API server accepts."""
    obj = scaler("web", **GOOD[case])
    read = parse(namespace.create(obj)).policy
    assert [goal.type for goal in read.goals] == [goal["type"] for goal in obj["spec"]["goals"]]


@pytest.mark.parametrize("sentence", BAD)
def test_invalid_object_is_refused_with_a_sentence(namespace: Namespace, sentence: str) -> None:
    """The message says what is valid."""
    with pytest.raises(Refused) as refused:
        namespace.create(scaler("web", **BAD[sentence]))
    assert refused.value.code == 422
    assert sentence in str(refused.value)


def test_minimal_object_gets_the_defaults_of_the_model(namespace: Namespace) -> None:
    """Parsed with or without the server's defaults it is the same."""
    filled = namespace.create(scaler("web"))
    bare = {**filled, "spec": scaler("web")["spec"]}
    assert filled["spec"].keys() > bare["spec"].keys()
    assert parse(filled) == parse(bare)


def test_target_of_a_scaler_is_immutable(namespace: Namespace) -> None:
    """Every other field can be changed."""
    namespace.create(scaler("web"))
    with pytest.raises(Refused, match="targetRef cannot be changed: delete this scaler"):
        namespace.patch("ServiceScaler", "web", {"spec": {"targetRef": {"name": "other"}}})
    changed = namespace.patch("ServiceScaler", "web", {"spec": {"mode": "Advise"}})
    assert changed["spec"]["mode"] == "Advise"


def test_kubectl_shows_the_columns(namespace: Namespace) -> None:
    """In their order."""
    namespace.create(scaler("web"))
    table = namespace.server.ask(
        "GET",
        namespace.path("ServiceScaler"),
        accept="application/json;as=Table;v=v1;g=meta.k8s.io",
    )
    columns = [(c["name"].upper(), c["priority"]) for c in table["columnDefinitions"]]
    names = ["TARGET", "MODE", "MIN", "MAX", "CURRENT", "DESIRED", "READY", "REASON"]
    assert [name for name, priority in columns if priority == 0] == ["NAME", *names, "AGE"]
    assert [name for name, priority in columns if priority > 0] == ["GOAL", "HPA"]
    (row,) = table["rows"]
    assert row["cells"][1:5] == ["web", "Auto", 1, 10]
