"""A test's own target with its scaler, in the namespace of a running operator."""

import uuid
from typing import Any

from operator_api.apiserver import Object
from operator_api.objects import Namespace, scaler, workload
from operator_api.prometheus import Prometheus

FAST = {"interval": "1s", "down": {"window": "2s", "maxPercent": 100}}
"""A behaviour with short times."""


class Scene:
    """A target with a unique name. A replica carries 50 requests per second."""

    def __init__(self, namespace: Namespace, prometheus: Prometheus) -> None:
        self.name = f"t-{uuid.uuid4().hex[:8]}"
        self.namespace = namespace
        self.prometheus = prometheus

    def load(self, rate: float) -> None:
        """Set the load in requests per second."""
        self.prometheus.rates[self.namespace.name, self.name] = rate

    def beside(self) -> "Scene":
        """Another scene in the same namespace, with the same Prometheus."""
        return Scene(self.namespace, self.prometheus)

    def create(
        self, replicas: int = 2, kind: str = "Deployment", cpu: str = "250m", **spec: Any
    ) -> None:
        """Create the target, with all pods ready, and its scaler."""
        self.create_target(replicas, kind, cpu)
        self.create_scaler(kind, **spec)

    def create_target(self, replicas: int = 2, kind: str = "Deployment", cpu: str = "250m") -> None:
        """Create the target, with all pods ready."""
        self.namespace.create(workload(self.name, replicas, kind, cpu))
        self.all_ready(replicas, kind)

    def create_scaler(self, kind: str = "Deployment", name: str = "", **spec: Any) -> None:
        """Create a scaler of the target with an interval of a second."""
        made = scaler(self.name, kind, **({"behavior": FAST} | spec))
        self.namespace.create(made | {"metadata": {"name": name or self.name}})

    def all_ready(self, replicas: int, kind: str = "Deployment") -> None:
        """Write the target's status as the controllers of a cluster do."""
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), replicas)
        self.namespace.report(self.name, counts, kind)

    def replicas(self, kind: str = "Deployment") -> int:
        """The replicas in the target's spec."""
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
        """The scaler's status; empty before its first decision."""
        found: Object = self.scaler(name).get("status", {})
        return found

    def reason(self, name: str = "") -> str:
        """The reason of its last decision."""
        return str(self.status(name).get("reason", ""))

    def condition(self, kind: str) -> str:
        """True or False; empty before its first decision."""
        conditions = self.status().get("conditions", ())
        return str(next((c["status"] for c in conditions if c["type"] == kind), ""))

    def edit(self, **spec: Any) -> None:
        """Change the scaler's spec."""
        self.namespace.patch("ServiceScaler", self.name, {"spec": spec})

    def annotate_target(self, key: str, value: str) -> None:
        """Annotate the Deployment."""
        self.namespace.patch("Deployment", self.name, {"metadata": {"annotations": {key: value}}})

    def inputs(self) -> list[Object]:
        """The inputs of the last decision."""
        found: list[Object] = self.status().get("decision", {}).get("inputs", [])
        return found
