"""Are the chart's rights sufficient for the operator?

tests/charts/test_operator.py compares the lists; here the API server enforces the rendered Role.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from charts.helm import OPERATOR, Helm
from charts.objects import of_kind
from operator_api.apiserver import OPERATOR as USER
from operator_api.objects import Namespace, scaler, workload
from operator_api.running import Operator
from programs import program
from waiting import until

REQUESTS = "borough_operator_api_requests_total"


@pytest.fixture
def granted(namespace: Namespace) -> Namespace:
    """A namespace where the user has the chart's Role, including the right to list pods."""
    helm = Helm(program("helm", "helm is not installed"))
    values = {"watch": {"namespaces": [namespace.name]}, "pods": {"enabled": True}}
    (role,) = of_kind(helm.objects(OPERATOR, values), "Role")
    (binding,) = of_kind(helm.objects(OPERATOR, values), "RoleBinding")
    user = {"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}
    namespace.create(role)
    namespace.create({**binding, "subjects": [user]})
    return namespace


@contextlib.contextmanager
def running(namespace: Namespace, folder: Path) -> Iterator[Operator]:
    """The operator of that namespace, with no other rights."""
    kubeconfig = namespace.server.kubeconfig(USER)
    operator = Operator(kubeconfig, folder, "--namespaces", namespace.name, "--pods-source")
    operator.start()
    try:
        yield operator
    finally:
        operator.kill()


def test_charts_role_allows_every_request(granted: Namespace, tmp_path: Path) -> None:
    """It lists and watches, scales, and writes status and Events."""
    granted.create(workload("web", replicas=1))
    granted.create(scaler("web", replicas={"min": 2, "max": 5}, source={"type": "Pods"}))
    with running(granted, tmp_path) as operator:
        until(operator.ready)
        until(lambda: granted.get("Deployment", "web")["spec"]["replicas"] == 2)
        until(lambda: granted.get("ServiceScaler", "web").get("status"))
        until(lambda: granted.all("Event"))

        assert operator.metric(REQUESTS) > 0
        assert operator.metric(REQUESTS, code="403") == 0


def test_operator_without_the_role_is_not_ready(namespace: Namespace, tmp_path: Path) -> None:
    """The probe fails, and refused requests are counted by their code."""
    with running(namespace, tmp_path) as operator:
        until(lambda: operator.metric(REQUESTS, code="403"))

        assert not operator.ready()
