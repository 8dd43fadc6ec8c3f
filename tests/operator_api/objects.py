"""What stands in a namespace of the tests, and who else writes there: people and controllers.

Objects go in and come out as plain dictionaries, as the API server speaks of them.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from borough_operator.kube.cluster import POD_RULES, RULES, Rule
from operator_api.apiserver import OPERATOR, ApiServer, Object, Refused

CRD = Path(__file__).parents[2] / "charts/borough-operator/files/servicescaler.yaml"

PATHS = {
    "ServiceScaler": "apis/borough.dev/v1alpha1/{}/servicescalers",
    "Deployment": "apis/apps/v1/{}/deployments",
    "StatefulSet": "apis/apps/v1/{}/statefulsets",
    "ReplicaSet": "apis/apps/v1/{}/replicasets",
    "Pod": "api/v1/{}/pods",
    "Event": "api/v1/{}/events",
    "Role": "apis/rbac.authorization.k8s.io/v1/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
}
MERGE = "application/merge-patch+json"


class Namespace:
    """A namespace of a real API server. It stays behind: without its controller none ever ends."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.name = f"test-{uuid.uuid4().hex[:10]}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        server.ask("POST", "/api/v1/namespaces", body)

    def create(self, obj: Mapping[str, Any], manager: str = "kubectl-create") -> Object:
        """The object as it was stored. Raises Refused."""
        path = f"{self.path(obj['kind'])}?fieldManager={manager}"
        created: Object = self.server.ask("POST", path, obj)
        return created

    def get(self, kind: str, name: str) -> Object:
        """The object as it is now. Raises Refused."""
        found: Object = self.server.ask("GET", self.path(kind, name))
        return found

    def all(self, kind: str) -> list[Object]:
        """Every object of that kind."""
        found: list[Object] = self.server.ask("GET", self.path(kind))["items"]
        return found

    def patch(
        self, kind: str, name: str, change: Mapping[str, Any], manager: str = "kubectl-edit"
    ) -> Object:
        """Merge a change, as `manager`; `name` may end in a subresource. Raises Refused."""
        path = f"{self.path(kind, name)}?fieldManager={manager}"
        changed: Object = self.server.ask("PATCH", path, change, MERGE)
        return changed

    def scale(self, name: str, replicas: int, kind: str = "Deployment") -> None:
        """What `kubectl scale` does, under the name it goes by."""
        self.patch(kind, f"{name}/scale", {"spec": {"replicas": replicas}}, "kubectl")

    def report(self, name: str, status: Mapping[str, Any], kind: str = "Deployment") -> None:
        """The status that kube-controller-manager would write."""
        self.patch(kind, f"{name}/status", {"status": status}, "kube-controller-manager")

    def delete(self, kind: str, name: str) -> None:
        """Ask for its removal. Raises Refused."""
        self.server.ask("DELETE", self.path(kind, name))

    def allow_operator(self) -> None:
        """Give the operator the rights that it says it needs here, and no other; they hold now."""
        group = "rbac.authorization.k8s.io"
        needed = (*RULES, *POD_RULES)
        rules = [
            {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": sorted(rule.verbs)}
            for rule in needed
        ]
        named = {"metadata": {"name": OPERATOR}}
        version = f"{group}/v1"
        self.create({"apiVersion": version, "kind": "Role", **named, "rules": rules})
        role = {"apiGroup": group, "kind": "Role", "name": OPERATOR}
        user = {"apiGroup": group, "kind": "User", "name": OPERATOR}
        binding = {"kind": "RoleBinding", "roleRef": role, "subjects": [user]}
        self.create({"apiVersion": version, **named, **binding})
        while not all(self._permitted(rule, verb) for rule in needed for verb in rule.verbs):
            pass  # the authorizer hears of a Role a moment later; each look is a call to the server

    def _permitted(self, rule: Rule, verb: str) -> bool:
        resource, _, subresource = rule.resource.partition("/")
        named = {"namespace": self.name, "verb": verb, "group": rule.group, "resource": resource}
        asked = {"user": OPERATOR, "resourceAttributes": {**named, "subresource": subresource}}
        group = "authorization.k8s.io/v1"
        review = {"apiVersion": group, "kind": "SubjectAccessReview", "spec": asked}
        answer = self.server.ask("POST", f"/apis/{group}/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def path(self, kind: str, name: str = "") -> str:
        """Where objects of a kind live, or one of them."""
        place = "/" + PATHS[kind].format(f"namespaces/{self.name}")
        return f"{place}/{name}" if name else place


def install_crd(server: ApiServer) -> None:
    """Teach the server what a ServiceScaler is. It is served once this returns."""
    definition = yaml.safe_load(CRD.read_text("utf-8"))
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    server.ask("POST", path, definition)
    while not _serves(server):
        pass  # each look is a call to the server, and it takes a few


def _serves(server: ApiServer) -> bool:
    try:
        server.ask("GET", "/apis/borough.dev/v1alpha1/servicescalers")
    except Refused:
        return False
    return True


def workload(
    name: str, replicas: int | None = 2, kind: str = "Deployment", cpu: str = "250m"
) -> Object:
    """A Deployment or StatefulSet that says nothing about replicas where it is given None."""
    labels = {"app": name}
    container = {"name": "main", "image": "example:1", "resources": {"requests": {"cpu": cpu}}}
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def scaler(name: str, kind: str = "Deployment", **spec: Any) -> Object:
    """A ServiceScaler of the workload of its name; `spec` says what differs from a plain one."""
    plain = {
        "targetRef": {"kind": kind, "name": name},
        "replicas": {"min": 1, "max": 10},
        "goals": [{"type": "RequestRate", "perReplica": "50"}],
    }
    return {
        "apiVersion": "borough.dev/v1alpha1",
        "kind": "ServiceScaler",
        "metadata": {"name": name},
        "spec": plain | spec,
    }
