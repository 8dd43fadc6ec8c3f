"""A pod as a scrape target: address, named ports, readiness."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from borough_operator.kube.targets import controller


@dataclass(frozen=True, slots=True)
class Pod:
    """What is kept of a pod with a controller."""

    owner: str
    """The uid of its ReplicaSet or StatefulSet."""
    ready: bool
    """Ready and not being deleted."""
    host: str
    """Its IP in the form of a URL; empty while it has none."""
    ports: tuple[tuple[str, int], ...]
    """Its named ports."""

    def url(self, port: str, path: str) -> str | None:
        """The URL of its metrics, by a port's name or number; None where it has no such port or no
        address yet.
        """
        number = int(port) if port.isdigit() else dict(self.ports).get(port)
        if number is None or not self.host:
            return None
        return f"http://{self.host}:{number}{path}"


def pod(obj: Mapping[str, Any]) -> Pod | None:
    """What is kept of a pod; None without a controller."""
    owner = controller(obj)
    if owner is None:
        return None
    status = obj.get("status") or {}
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())
    )
    address = status.get("podIP", "")
    containers = obj["spec"].get("containers", ())
    return Pod(
        owner=owner,
        ready=ready and "deletionTimestamp" not in obj["metadata"],
        host=f"[{address}]" if ":" in address else address,
        ports=tuple(
            (port["name"], port["containerPort"])
            for container in containers
            for port in container.get("ports", ())
            if "name" in port
        ),
    )
