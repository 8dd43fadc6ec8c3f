"""A target of a test's own with its scaler, in the namespace of an operator that runs."""

import uuid
from typing import Any

from operator_api.apiserver import Object
from operator_api.objects import Namespace, scaler, workload
from operator_api.prometheus import Prometheus

FAST = {"interval": "1s", "down": {"window": "2s", "maxPercent": 100}}
"""Behaviour that a test can wait for."""


class Scene:
    """Of a name that nobody else uses. A replica carries 50 requests a second."""

    def __init__(self, namespace: Namespace, prometheus: Prometheus) -> None:
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        self.namespace = namespace
        self.prometheus = prometheus

    def load(self, rate: float) -> None:
        """So many requests a second from now on."""
        self.prometheus.rates[self.namespace.name, self.name] = rate

    def beside(self) -> "Scene":
        """Another one of the same namespace and Prometheus."""
        return Scene(self.namespace, self.prometheus)

    def create(
        self, replicas: int = 2, kind: str = "Deployment", cpu: str = "250m", **spec: Any
    ) -> None:
        """The target, all of it ready, and its scaler."""
        self.create_target(replicas, kind, cpu)
        self.create_scaler(kind, **spec)

    def create_target(self, replicas: int = 2, kind: str = "Deployment", cpu: str = "250m") -> None:
        """The target, all of it ready."""
        self.namespace.create(workload(self.name, replicas, kind, cpu))
        self.all_ready(replicas, kind)

    def create_scaler(self, kind: str = "Deployment", name: str = "", **spec: Any) -> None:
        """A scaler of the target; it decides every second."""
        made = scaler(self.name, kind, **({"behavior": FAST} | spec))
        self.namespace.create(made | {"metadata": {"name": name or self.name}})

    def all_ready(self, replicas: int, kind: str = "Deployment") -> None:
        """The target's status, as the controllers of a cluster would have it."""
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), replicas)
        self.namespace.report(self.name, counts, kind)

    def replicas(self, kind: str = "Deployment") -> int:
        """What the target is asked to have."""
        found: int = self.target(kind)["spec"]["replicas"]
        return found

    def target(self, kind: str = "Deployment") -> Object:
        return self.namespace.get(kind, self.name)

    def scale(self, replicas: int) -> None:
        """`kubectl scale`."""
        self.namespace.scale(self.name, replicas)

    def scaler(self, name: str = "") -> Object:
        return self.namespace.get("ServiceScaler", name or self.name)

    def status(self, name: str = "") -> Object:
        """What the scaler says; empty before its first decision."""
        found: Object = self.scaler(name).get("status", {})
        return found

    def reason(self, name: str = "") -> str:
        """Why its last answer is what it is."""
        return str(self.status(name).get("reason", ""))

    def condition(self, kind: str) -> str:
        """True or False; empty before its first decision."""
        conditions = self.status().get("conditions", ())
        return str(next((c["status"] for c in conditions if c["type"] == kind), ""))

    def edit(self, **spec: Any) -> None:
        """What a person changes of the scaler."""
        self.namespace.patch("ServiceScaler", self.name, {"spec": spec})

    def annotate_target(self, key: str, value: str) -> None:
        """An annotation of the Deployment."""
        self.namespace.patch("Deployment", self.name, {"metadata": {"annotations": {key: value}}})

    def inputs(self) -> list[Object]:
        """What the last decision read."""
        found: list[Object] = self.status().get("decision", {}).get("inputs", [])
        return found
