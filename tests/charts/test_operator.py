"""Does the operator have the permissions and settings it needs, and no other? Does it run alone?"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from borough_operator.__main__ import app
from borough_operator.kube.cluster import POD_RULES, RULES, Rule
from borough_operator.running.wiring import PREFIX
from charts.cases import CASES
from charts.helm import OPERATOR, RELEASE, Helm, Object, Objects, Values, read
from charts.objects import environment, identity, named, of_kind, pods

COMMANDS = typer.main.get_command(app)
assert isinstance(COMMANDS, TyperGroup)
RUN = COMMANDS.commands["run"]
VARIABLES = [str(option.envvar) for option in RUN.params if option.envvar]
HERE = RELEASE[OPERATOR]
TWO = {"watch": {"namespaces": ["team-a", "team-b"]}}
DEFINITION = OPERATOR / "files" / "servicescaler.yaml"


def granted(role: Object) -> dict[tuple[str, str], frozenset[str]]:
    """The verbs of a Role by group and resource, each named once."""
    rights: dict[tuple[str, str], frozenset[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert (group, resource) not in rights
                rights[group, resource] = frozenset(rule["verbs"])
    return rights


def asked_for(rules: Iterable[Rule]) -> dict[tuple[str, str], frozenset[str]]:
    """The same of the permissions declared beside the calls."""
    return {(rule.group, rule.resource): rule.verbs for rule in rules}


@pytest.mark.parametrize(
    ("values", "rules"),
    [({}, RULES), ({"pods": {"enabled": True}}, (*RULES, *POD_RULES))],
    ids=["Prometheus", "pods"],
)
def test_role_has_the_verbs_of_the_calls(
    helm: Helm, values: Values, rules: tuple[Rule, ...]
) -> None:
    """A missing verb would fail in the cluster, an unused one could be abused."""
    (role,) = of_kind(helm.objects(OPERATOR, values), "Role")

    assert granted(role) == asked_for(rules)


def test_no_permission_is_cluster_wide(objects: Objects) -> None:
    """With the operator's token one can change only replicas, in the namespaces it serves."""
    assert {found["kind"] for found in objects}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})


def test_each_served_namespace_has_the_role_and_no_other(helm: Helm) -> None:
    """Bound to the operator's account, in any namespace; and the operator gets the same list."""
    objects = helm.objects(OPERATOR, TWO)
    (pod,) = (p for p in pods(objects) if p.component == "operator")

    served = environment(pod, objects)["BOROUGH_OPERATOR_NAMESPACES"].split(",")
    assert served == TWO["watch"]["namespaces"]
    for kind in ("Role", "RoleBinding"):
        assert [found["metadata"]["namespace"] for found in of_kind(objects, kind)] == served
    account = {"kind": "ServiceAccount", "name": pod.spec["serviceAccountName"], "namespace": HERE}
    for binding in of_kind(objects, "RoleBinding"):
        assert binding["subjects"] == [account]
        assert binding["roleRef"]["name"] == HERE
    assert account["name"] in named(objects, "ServiceAccount")


def test_without_a_list_it_serves_its_own_namespace(helm: Helm) -> None:
    """An empty list does not mean all namespaces."""
    objects = helm.objects(OPERATOR)
    (role,) = of_kind(objects, "Role")
    (pod,) = (p for p in pods(objects) if p.component == "operator")

    assert role["metadata"]["namespace"] == HERE
    assert environment(pod, objects)["BOROUGH_OPERATOR_NAMESPACES"] == HERE


def read_from(environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings as the operator reads them at its start; exits as it does."""
    for name in [n for n in os.environ if n.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return RUN.make_context("run", []).params


def test_operator_reads_the_values(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable for it is a known setting, and is read with its value."""
    case = CASES["borough-operator/beside-a-company-prometheus"]
    objects = helm.objects(case.chart, case.values)
    (pod,) = (p for p in pods(objects) if p.component == "operator")
    variables = environment(pod, objects)

    read = read_from(variables, monkeypatch)
    assert {name for name in variables if name.startswith(PREFIX)} <= {*VARIABLES}
    assert read["namespaces"] == "team-a,team-b"
    assert read["prometheus_url"] == "https://prometheus.monitoring"
    assert read["otlp_endpoint"] == "http://collector.monitoring:4318"
    assert (read["pods_source"], read["log_level"], read["resync_s"]) == (True, "debug", 120)


def test_every_setting_has_exactly_one_place(helm: Helm) -> None:
    """A value of its own, or a key of `settings`."""
    (pod,) = (p for p in pods(helm.objects(OPERATOR)) if p.component == "operator")
    made = {v["name"] for v in pod.main["env"] if v["name"].startswith(PREFIX)}
    left = read(OPERATOR / "values.schema.json")["properties"]["settings"]["properties"]

    assert {f"{PREFIX}{name.upper()}" for name in left} == {*VARIABLES} - made


def test_operator_has_one_replica_at_a_time(objects: Objects) -> None:
    """Two would both decide, on the same scalers."""
    for deployment in of_kind(objects, "Deployment"):
        if deployment["metadata"]["name"] == HERE:
            assert deployment["spec"]["replicas"] == 1
            assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_definition_is_kept_when_the_release_is_deleted(helm: Helm) -> None:
    """As in its file, which kubectl can apply too: its deletion would delete every scaler."""
    (definition,) = of_kind(helm.objects(OPERATOR), "CustomResourceDefinition")

    assert definition == read(DEFINITION)
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_second_release_leaves_the_definition_to_the_first(helm: Helm) -> None:
    """A cluster has one, and Helm lets one release own it."""
    objects = helm.objects(OPERATOR, {"crds": {"install": False}})

    assert of_kind(objects, "CustomResourceDefinition") == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.chart == OPERATOR])
def test_service_of_the_operator_selects_its_metrics_port(helm: Helm, name: str) -> None:
    """The Service has the name of the Deployment, which is the label of its series."""
    case = CASES[name]
    objects = helm.objects(case.chart, case.values)
    (service,) = of_kind(objects, "Service")
    (pod,) = (p for p in pods(objects) if p.component == "operator")

    assert identity(service) == f"Service/{pod.owner.removeprefix('Deployment/')}"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"].items() <= pod.labels.items()
    (port,) = service["spec"]["ports"]
    assert pod.ports[port["targetPort"]] == port["port"] == 9090
    assert environment(pod, objects)["BOROUGH_OPERATOR_OPS_PORT"] == "9090"
